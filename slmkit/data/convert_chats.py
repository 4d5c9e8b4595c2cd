"""Converts conversations to canonical rows: messages, ShareGPT, Alpaca, prompt-completion, preference and KTO rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, RowFault, conversation_of, texts_of, user_and_assistant
from slmkit.data.cell import as_text, is_empty, missing_value, text_in
from slmkit.data.chat_messages import clean_messages, clean_tools, refuse_media, turns_in
from slmkit.data.preference_turns import pair_turns
from slmkit.data.reading.read import Row
from slmkit.text.tool_calls import answer_text
from slmkit.types import Message

# Columns of chats that are read without being part of a shape, and the others that belong to no row's content.
READ_COLUMNS = ("tools", "functions", "system", "history", "input")
_ARROW = (".parquet", ".arrow", ".feather")
_PROMPTS = ("instruction", "question", "query", "input")  # of preference rows without a column "prompt"


def _prompt_completion(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    prompt, completion = _turns(row, columns["prompt"], "user"), _turns(row, columns["completion"], "assistant")
    return [_chat(row, [*_system(row, prompt), *prompt, *completion])]


def _messages(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    messages = _clean(row, row.values.get(columns["messages"]))
    return [_chat(row, [*_system(row, messages), *messages])]


def _sharegpt(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    turns = row.values.get(columns["conversations"])
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowFault(f"{columns['conversations']!r} is not a list of turns")
    messages = _clean(row, turns)
    return [_chat(row, [*_system(row, messages), *messages])]


def _alpaca(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    instruction = text_in(row, columns["instruction"])
    several = row.values.get(columns["output"]) if columns["output"] == "instances" else None
    before = [*_system(row, []), *_history(row)]
    found = []
    for instance in several if isinstance(several, list) else [row.values]:
        input, answer = ("" if is_empty(instance.get(k)) else as_text(instance[k]) for k in ("input", "output"))
        if not answer:
            raise RowFault("empty output")
        question = "\n\n".join(part for part in (instruction, input) if part)
        found.append(_chat(row, [*before, *user_and_assistant(question, answer)]))
    if not found:
        raise RowFault("empty instances")
    return found


def _preference(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    chosen, rejected = (_turns(row, columns[role], "assistant") for role in ("chosen", "rejected"))
    prompt = _turns(row, columns["prompt"], "user") if "prompt" in columns else _unnamed_prompt(row)
    pair = pair_turns([*_system(row, prompt or chosen), *prompt], chosen, rejected)
    return [_answered(row, pair._asdict())]


def _kto(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    prompt, completion = (_turns(row, columns[n], r) for n, r in (("prompt", "user"), ("completion", "assistant")))
    prompt = [*_system(row, prompt), *prompt]
    label = row.values.get(columns["label"])
    if not isinstance(label, bool):
        raise RowFault(f"{columns['label']!r} is not true or false")
    return [_answered(row, {"prompt": prompt, "completion": completion, "label": label})]


CHAT_CONVERTERS: dict[str, Callable[[Row, Mapping[str, str]], list[CanonicalRow]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "preference": _preference,
    "kto": _kto,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
}


def _chat(row: Row, messages: list[Message]) -> CanonicalRow:
    """A conversation. Its target is the last answer to train on, its input the last user turn before that."""
    asked = conversation_of(messages)
    if len(asked) == len(messages):
        raise RowFault("no assistant turn")
    if messages[len(asked)].get("weight") == 0:
        raise RowFault("no answer to train on: all have weight 0")
    input = next((message["content"] for message in reversed(asked) if message["role"] == "user"), None)
    if input is None:
        raise RowFault("no user turn before the last answer")
    values = {"messages": messages, **_tools(row)}
    return CanonicalRow(values, input, answer_text(messages[len(asked)]), row.file, row.line)


def _answered(row: Row, values: dict[str, Any]) -> CanonicalRow:
    """A prompt with answers that are compared or judged."""
    refuse_media(row.values)
    return CanonicalRow({**values, **_tools(row)}, *texts_of(values), row.file, row.line)


def _tools(row: Row) -> dict[str, Any]:
    """The tools of a row as a value of it, if it offers any."""
    refuse_media(row.values)
    asked = row.values.get("input")  # in OpenAI's pairs it has the messages and the tools
    inside = asked.get("tools") if isinstance(asked, dict) else None
    tools = row.values.get("tools") or row.values.get("functions") or inside
    if not tools:
        return {}
    cleaned = clean_tools(tools, from_arrow=_is_arrow(row))
    return {"tools": cleaned} if cleaned else {}


def _system(row: Row, messages: list[Message]) -> list[Message]:
    """The system turn in the column "system", unless the messages have their own."""
    value = row.values.get("system")
    if is_empty(value):
        return []
    if messages and messages[0]["role"] == "system":
        if messages[0]["content"].strip() != as_text(value):
            raise RowFault("the column system differs from the system turn")
        return []
    return [{"role": "system", "content": as_text(value)}]


def _history(row: Row) -> list[Message]:
    """The earlier exchanges in Alpaca's column "history": a list of pairs."""
    history = row.values.get("history") or []
    if not isinstance(history, list) or any(not isinstance(pair, list) or len(pair) != 2 for pair in history):
        raise RowFault("history is not a list of pairs")
    if any(map(is_empty, (text for pair in history for text in pair))):
        raise RowFault("history with an empty text")
    return [message for user, answer in history for message in user_and_assistant(as_text(user), as_text(answer))]


def _unnamed_prompt(row: Row) -> list[Message]:
    """The prompt of a preference row whose prompt column has another name; [] if its answers hold the prompt."""
    if not is_empty(row.values.get("conversations")):
        return _clean(row, row.values["conversations"])
    found = [text_in(row, name) for name in _PROMPTS if not is_empty(row.values.get(name))]
    return [*_history(row), {"role": "user", "content": "\n\n".join(found)}] if found else []


def _clean(row: Row, value: Any) -> list[Message]:
    return clean_messages(value, from_arrow=_is_arrow(row))


def _is_arrow(row: Row) -> bool:
    return row.file.name.endswith(_ARROW)


def _turns(row: Row, column: str, role: str) -> list[Message]:
    if is_empty(value := row.values.get(column)):
        raise missing_value(row, column)
    return turns_in(value, role, from_arrow=_is_arrow(row))
