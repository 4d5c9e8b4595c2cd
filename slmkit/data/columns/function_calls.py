"""Questions with the tools that may be called and the right calls, as chats with tools.

{"query": "Rain in Ulm?", "tools": "[{\\"name\\": \\"weather\\", …}]",
 "answers": "[{\\"name\\": \\"weather\\", \\"arguments\\": {\\"city\\": \\"Ulm\\"}}]"}
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import as_text, is_empty
from slmkit.data.chat_messages import clean_tools
from slmkit.data.columns.column_path import parsed
from slmkit.data.reading.read import Row
from slmkit.text.tool_calls import has_arguments, read_call

_TOOLS = ("tools", "functions", "function", "available_tools", "available_functions", "tool_schemas", "apis")
_CALLS = ("answers", "answer", "calls", "tool_calls", "function_calls", "function_call", "call", "expected_calls",
          "ground_truth", "output", "target", "response", "completion", "label")  # fmt: skip
_TEXT = ("query", "question", "instruction", "input", "prompt", "text", "utterance", "user", "message")


@dataclass(frozen=True)
class FunctionCalls:
    """The columns of a request, of the tools, and of the calls that answer it."""

    text: str
    tools: str
    calls: str

    def row(self, row: Row) -> Row:
        """The row with the columns messages and tools. Raises: RowFault."""
        if is_empty(row.values.get(self.text)):
            raise RowFault(f"empty {self.text}")
        tools, calls = tools_in(row.values.get(self.tools)), _calls(row.values.get(self.calls))
        if not tools:
            raise RowFault(f"{self.tools} is not a list of tools")
        if not calls:
            raise RowFault(f"{self.calls} is not a list of calls")
        messages = [
            {"role": "user", "content": as_text(row.values[self.text])},
            {"role": "assistant", "content": "", "tool_calls": calls},
        ]
        return row._replace(values={**row.values, "messages": messages, "tools": tools})


def find_function_calls(
    columns: Mapping[str, Any], *, text_column: str | None, label_column: str | None
) -> FunctionCalls | None:
    """The columns of requests with tools and calls, or None."""
    lower = {column.lower(): column for column in columns}
    tools = next((lower[name] for name in _TOOLS if name in lower and tools_in(columns[lower[name]])), None)
    if tools is None:
        return None
    named = [lower[name] for name in _CALLS if name in lower and lower[name] != tools]
    calls = next((one for one in ([label_column] if label_column else named) if _calls(columns.get(one))), None)
    texts = [text_column] if text_column else [lower[name] for name in _TEXT if name in lower]
    text = next((one for one in texts if isinstance(columns.get(one), str) and one not in (tools, calls)), None)
    return FunctionCalls(text, tools, calls) if text and calls else None


def tools_in(value: Any) -> list[dict[str, Any]]:
    """The tools as chat templates read them; [] if the value does not list tools."""
    try:
        return clean_tools(value) if isinstance(value, str | list | dict) else []
    except RowFault:
        return []


def _calls(value: Any) -> list[dict[str, Any]]:
    """The calls as {"name", "arguments"}, the arguments as an object; [] if the value does not list calls."""
    calls = _list(value)
    try:
        return [read_call(call, parse=_object) for call in calls] if all(map(has_arguments, calls)) else []
    except ValueError:
        return []


def _object(text: str) -> Any:
    if (found := parsed(text)) is None:
        raise ValueError
    return found


def _list(value: Any) -> list[Any]:
    found = _parsed(value)
    return found if isinstance(found, list) else [found] if isinstance(found, dict) else []


def _parsed(value: Any) -> Any:
    return parsed(value) if isinstance(value, str) else value
