"""Rewrites every text of a row: all turns of its conversation, what tools were asked and returned, and both answers.

    {"role": "assistant", "tool_calls": [{"function": {"name": "mail", "arguments": {"to": "ann@site.org"}}}]}
    -> the same with {"to": "[EMAIL_ADDRESS]"}, if the texts are rewritten by mask_pii

Roles, names, ids and the schemas of tools are no texts of the conversation, and stay.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from slmkit.text.tool_calls import answer_text
from slmkit.types import Message

_SPOKEN = ("user", "assistant")
_NO_TEXTS = ("role", "name", "tool_call_id", "tool_calls")
Change = Callable[[str], str]


def rewrite_texts(values: Mapping[str, Any], change: Change, *, labels: Collection[str] = ()) -> dict[str, Any]:
    """The values of a row with its texts changed, except assistant turns that are one of the labels.

    A system turn that is empty afterwards is left out, as it is when rows are read.
    """
    changed = dict(values)
    if isinstance(values.get("text"), str):
        changed["text"] = change(values["text"])
    for key, turns in _conversations(values).items():
        said = [_rewritten(turn, change, labels) for turn in turns]
        changed[key] = [turn for turn in said if turn["role"] != "system" or turn["content"].strip()]
    return changed


def texts_in(values: Mapping[str, Any], *, labels: Collection[str] = ()) -> list[str]:
    """The texts that rewrite_texts would change."""
    found: list[str] = []

    def keep(text: str) -> str:
        found.append(text)
        return text

    rewrite_texts(values, keep, labels=labels)
    return found


def has_empty_text(values: Mapping[str, Any]) -> bool:
    """Whether a user or assistant turn, or the text, is empty: such a row cannot be trained on."""
    turns = [turn for turns in _conversations(values).values() for turn in turns if turn["role"] in _SPOKEN]
    is_empty = (not turn["content"].strip() and not turn.get("tool_calls") for turn in turns)
    return any(is_empty) or not values.get("text", "some").strip()


def _conversations(values: Mapping[str, Any]) -> dict[str, list[Message]]:
    """The lists of messages by key: messages, or prompt, chosen, rejected and completion."""
    keys = ("messages", "prompt", "chosen", "rejected", "completion")
    return {key: values[key] for key in keys if isinstance(values.get(key), list)}


def _rewritten(message: Message, change: Change, labels: Collection[str]) -> Message:
    if message["role"] == "assistant" and labels and answer_text(message) in labels:
        return message
    said = {key: value if key in _NO_TEXTS else _each_text(value, change) for key, value in message.items()}
    if calls := message.get("tool_calls"):
        said["tool_calls"] = [{**call, "function": _rewritten_call(call["function"], change)} for call in calls]
    return said


def _rewritten_call(called: Mapping[str, Any], change: Change) -> dict[str, Any]:
    return {**called, "arguments": _each_text(called["arguments"], change)}


def _each_text(value: Any, change: Change) -> Any:
    """The value with every text in it changed; keys and numbers stay."""
    if isinstance(value, str):
        return change(value) if value else value
    if isinstance(value, Mapping):
        return {key: _each_text(one, change) for key, one in value.items()}
    return [_each_text(one, change) for one in value] if isinstance(value, list) else value
