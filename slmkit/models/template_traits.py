"""What a chat template can render, found by rendering probes: a system turn, tools, tool calls and their spelling.

Templates differ: Gemma 2's refuses a system turn, Llama 2's shows no tools, DeepSeek's wants the arguments of a call
as text and Qwen's as an object, Mistral's wants call ids of nine characters. A template is probed once.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SYSTEM, _USER, _TOOL, _CALL, _KEY, _VALUE = "Sys7f", "Usr7f", "tool_7f", "call_7f", "key_7f", "val_7f"
_OFFERED = {
    "type": "function",
    "function": {
        "name": _TOOL,
        "description": "probe",
        "parameters": {"type": "object", "properties": {_KEY: {"type": "string", "description": "probe"}}},
    },
}
_IDS = ("call_1", "000000001")
_cache: dict[tuple[str, str], Any] = {}


@dataclass(frozen=True)
class ToolTraits:
    """How a template renders tools and tool calls."""

    shows_tools: bool
    shows_calls: bool
    text_arguments: bool = False  # the arguments of a call as JSON text, not as an object
    nine_characters: bool = False  # of a call's id: Mistral's templates refuse other lengths


def takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the template renders a system turn; False if it refuses one, or leaves it out."""
    return bool(_cached(tokenizer, "system", _takes_system))


def tool_traits(tokenizer: PreTrainedTokenizerBase) -> ToolTraits:
    """How the template renders tools and tool calls."""
    return _cached(tokenizer, "tools", _tool_traits)  # type: ignore[no-any-return]


def _cached(tokenizer: PreTrainedTokenizerBase, what: str, probe: Any) -> Any:
    key = (str(tokenizer.chat_template), what)
    if key not in _cache:
        _cache[key] = probe(tokenizer)
    return _cache[key]


def _takes_system(tokenizer: PreTrainedTokenizerBase) -> bool:
    user = {"role": "user", "content": _USER}
    alone = _render(tokenizer, [user])
    if alone is None or _USER not in alone:
        return True  # whatever is wrong with this template, a system turn is not the cause
    return _SYSTEM in (_render(tokenizer, [{"role": "system", "content": _SYSTEM}, user]) or "")


def _tool_traits(tokenizer: PreTrainedTokenizerBase) -> ToolTraits:
    user = {"role": "user", "content": _USER}
    shows_tools = _TOOL in (_render(tokenizer, [user], tools=[_OFFERED]) or "")
    rendered: list[ToolTraits] = []
    for has_result, id, as_text in itertools.product((True, False), _IDS, (False, True)):
        arguments = json.dumps({_KEY: _VALUE}) if as_text else {_KEY: _VALUE}
        call = {"id": id, "type": "function", "function": {"name": _CALL, "arguments": arguments}}
        chat: list[Mapping[str, Any]] = [user, {"role": "assistant", "content": "", "tool_calls": [call]}]
        if has_result:
            result = {"role": "tool", "name": _CALL, "tool_call_id": id, "content": _VALUE}
            chat += [result, {"role": "assistant", "content": _USER}]
        text = _render(tokenizer, chat, tools=[_OFFERED] if shows_tools else None) or ""
        if _CALL not in text or _KEY not in text:
            continue
        traits = ToolTraits(shows_tools, True, text_arguments=as_text, nine_characters=id == _IDS[1])
        if f"'{_KEY}'" not in text and f'\\"{_KEY}' not in text:  # a Python dict, or JSON as a JSON string
            return traits
        rendered.append(traits)
    return rendered[0] if rendered else ToolTraits(shows_tools, shows_calls=False)


def _render(
    tokenizer: PreTrainedTokenizerBase, chat: Sequence[Mapping[str, Any]], *, tools: list[Any] | None = None
) -> str | None:
    """The rendered chat, or None if the template fails on it."""
    try:
        return str(tokenizer.apply_chat_template([dict(turn) for turn in chat], tools=tools, tokenize=False))
    except Exception:  # a template is a program: it can raise anything
        return None
