"""Rows of every shape as canonical rows: messages, or preference pairs, or text, as TRL reads them.

    {"text": "Where is my card?", "label": "card_arrival"}
    -> {"messages": [{"role": "user", "content": "Where is my card?"},
                     {"role": "assistant", "content": "card_arrival"}]}

A row that cannot be converted raises RowFault with the reason; the caller counts it and keeps its line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.data.read import Row
from slmkit.data.shape import Shape
from slmkit.text.identity import text_hash

_ROLES = {"human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "chatgpt": "assistant",
          "bot": "assistant", "system": "system", "tool": "tool", "observation": "tool", "function": "tool",
          "function_call": "assistant", "developer": "system"}  # fmt: skip
_TURN = re.compile(r"\n\n(Human|Assistant):")  # the transcripts of Anthropic's preference data

Message = dict[str, Any]


class RowFault(ValueError):
    """Why a row cannot be used, in words that can be counted: "empty label"."""


@dataclass(frozen=True)
class Canonical:
    """One row in the form training reads, with what evaluation and deduplication need to know of it."""

    values: dict[str, Any]  # a line of train.jsonl, without its id
    input: str  # the first user turn, the prompt, or the plain text
    target: str  # the answer to it; "" for plain text
    file: Path
    line: int
    aliases: tuple[str, ...] = ()  # other answers that count as right
    passage: str = ""  # the passage that holds the answer
    slice: Mapping[str, str] = field(default_factory=dict)
    group: str = ""  # rows of one group stay on one side of a split

    @cached_property
    def id(self) -> str:
        return text_hash(self.input, self.target)

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}"


def convert(row: Row, shape: Shape) -> list[Canonical]:
    """The canonical rows of one row: one, or several where a row holds several questions. Raises RowFault."""
    try:
        rows = _CONVERTERS[shape.kind](row, shape.columns)
    except RowFault:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):  # a list where an object should stand, a key missing
        raise RowFault(f"not in the form of {shape.kind.replace('_', ' ')}") from None
    section = row.values.get("section") if shape.kind not in ("slots", "squad") else None
    slice = row.values.get("slice")
    of = {**({"section": section} if isinstance(section, str) else {}), **(slice if isinstance(slice, dict) else {})}
    return [replace(canonical, slice={**canonical.slice, **of}) for canonical in rows] if of else rows


def user_and_assistant(input: str, target: str, *, system: str = "") -> list[Message]:
    """The messages of one question and its answer."""
    first = [{"role": "system", "content": system}] if system else []
    return [*first, {"role": "user", "content": input}, {"role": "assistant", "content": target}]


def _pair(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    input = _text(row, columns["text"])
    targets = _texts(row, columns["label"])
    values = {"messages": user_and_assistant(input, targets[0])}
    return [Canonical(values, input, targets[0], row.file, row.line, aliases=tuple(targets[1:]))]


def _labelled(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    """A text and its one label; of several labels none may be left out."""
    [canonical] = _pair(row, columns)
    if canonical.aliases:
        raise RowFault(f"{columns['label']} holds several labels, not one")
    return [canonical]


def _passage_question(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    passage = str(row.values.get(columns["passage"]) or "").strip()
    input = f"{passage}\n\n{_text(row, columns['text'])}".strip()
    targets = _texts(row, columns["label"])
    values = {"messages": user_and_assistant(input, targets[0])}
    return [Canonical(values, input, targets[0], row.file, row.line, aliases=tuple(targets[1:]))]


def _prompt_completion(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    messages = [*_turns(row, columns["prompt"], "user"), *_turns(row, columns["completion"], "assistant")]
    return [_chat(row, messages)]


def _messages(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    return [_chat(row, _checked(row.values.get(columns["messages"])))]


def _sharegpt(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    turns = row.values.get(columns["conversations"])
    if not isinstance(turns, list) or not all(isinstance(turn, dict) for turn in turns):
        raise RowFault(f"{columns['conversations']!r} is not a list of turns")
    messages: list[Message] = []
    system = row.values.get("system")
    if isinstance(system, str) and system:
        messages.append({"role": "system", "content": system})
    for turn in turns:
        role = _ROLES.get(str(turn.get("from")))
        if role is None:
            raise RowFault(f"unknown speaker {turn.get('from')!r}")
        if turn["from"] == "function_call":
            messages.append({"role": role, "content": "", "tool_calls": [_tool_call(turn.get("value"))]})
        else:
            messages.append({"role": role, "content": turn.get("value")})
    return [_chat(row, _checked(messages))]


def _tool_call(value: Any) -> dict[str, Any]:
    try:
        call = json.loads(value)
        return {"type": "function", "function": {"name": call["name"], "arguments": call.get("arguments", {})}}
    except (TypeError, KeyError, json.JSONDecodeError):
        raise RowFault("a function_call that is not JSON with a name") from None


def _alpaca(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    instruction = _text(row, columns["instruction"])
    several = row.values.get(columns["output"]) if columns["output"] == "instances" else None
    history = row.values.get("history") or []
    before = [message for user, answer in history for message in user_and_assistant(user, answer)]
    system = str(row.values.get("system") or "")
    found = []
    for instance in several if isinstance(several, list) else [row.values]:
        question = "\n\n".join(part for part in (instruction, str(instance.get("input") or "").strip()) if part)
        answer = str(instance.get("output") or "").strip()
        if not answer:
            raise RowFault("empty output")
        first = [{"role": "system", "content": system}] if system else []
        found.append(_chat(row, [*first, *before, *user_and_assistant(question, answer)]))
    if not found:
        raise RowFault("no instances")
    return found


def _preference(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    chosen, rejected = (_turns(row, columns[name], "assistant") for name in ("chosen", "rejected"))
    if "prompt" in columns:
        prompt = _turns(row, columns["prompt"], "user")
    else:
        same = 0
        while same < min(len(chosen), len(rejected)) - 1 and chosen[same] == rejected[same]:
            same += 1
        prompt, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    if not prompt:
        raise RowFault("chosen and rejected share no prompt")
    if chosen == rejected:
        raise RowFault("chosen and rejected are the same")
    values = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    return [Canonical(values, _joined(prompt), _joined(chosen), row.file, row.line)]


def _kto(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    prompt, completion = (_turns(row, columns[n], r) for n, r in (("prompt", "user"), ("completion", "assistant")))
    label = row.values.get(columns["label"])
    if not isinstance(label, bool):
        raise RowFault(f"{columns['label']!r} is neither true nor false")
    values = {"prompt": prompt, "completion": completion, "label": label}
    return [Canonical(values, _joined(prompt), _joined(completion), row.file, row.line)]


def _slots(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    parts = row.values.get(columns["data"])
    if not isinstance(parts, list) or not all(isinstance(part, dict) and "text" in part for part in parts):
        raise RowFault(f"{columns['data']!r} is not a list of text parts")
    input = "".join(str(part["text"]) for part in parts).strip()
    if not input:
        raise RowFault("empty text")
    slots: dict[str, Any] = {}
    for part in parts:
        name = part.get("entity")
        if name:
            value = str(part["text"]).strip()
            slots[name] = value if name not in slots else [*_as_list(slots[name]), value]
    intent = row.values.get("section")
    record = {**({"intent": intent} if intent else {}), "slots": slots}
    target = json.dumps(record, ensure_ascii=False)
    slice = {"intent": str(intent)} if intent else {}
    return [Canonical({"messages": user_and_assistant(input, target)}, input, target, row.file, row.line, slice=slice)]


def _squad(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    found = []
    for paragraph in row.values.get("paragraphs") or []:
        for question in paragraph["qas"]:
            answers = list(dict.fromkeys(answer["text"].strip() for answer in question.get("answers") or []))
            if answers:
                input = question["question"].strip()
                values = {"messages": user_and_assistant(input, answers[0])}
                passage = paragraph["context"]
                found.append(Canonical(values, input, answers[0], row.file, row.line, tuple(answers[1:]), passage))
    if not found:
        raise RowFault("no question with an answer")
    return found


def _plain(row: Row, columns: Mapping[str, str]) -> list[Canonical]:
    text = _text(row, columns["text"])
    return [Canonical({"text": text}, text, "", row.file, row.line)]


_CONVERTERS: dict[str, Callable[[Row, Mapping[str, str]], list[Canonical]]] = {
    "messages": _messages,
    "sharegpt": _sharegpt,
    "preference": _preference,
    "kto": _kto,
    "prompt_completion": _prompt_completion,
    "alpaca": _alpaca,
    "slots": _slots,
    "squad": _squad,
    "passage_question": _passage_question,
    "classification": _labelled,
    "input_target": _pair,
    "text": _plain,
}


def _chat(row: Row, messages: list[Message]) -> Canonical:
    """A conversation; its input is the first user turn and its target the answer to that."""
    asked = next((i for i, message in enumerate(messages) if message["role"] == "user"), None)
    if asked is None:
        raise RowFault("no user turn")
    answer = next((message for message in messages[asked:] if message["role"] == "assistant"), None)
    if answer is None:
        raise RowFault("no assistant turn")
    values: dict[str, Any] = {"messages": messages}
    if row.values.get("tools"):
        values["tools"] = row.values["tools"]
    target = answer["content"] or json.dumps(answer.get("tool_calls"), ensure_ascii=False)
    return Canonical(values, messages[asked]["content"], target, row.file, row.line)


def _checked(messages: Any) -> list[Message]:
    """The messages with role and content; keys that are None (as Arrow fills them) are left out."""
    if not isinstance(messages, list) or not messages:
        raise RowFault("no messages")
    checked = []
    for message in messages:
        if not isinstance(message, dict) or message.get("role") not in _ROLES:
            raise RowFault("a message without a known role")
        content = message.get("content")
        if not isinstance(content, str) and not message.get("tool_calls"):
            raise RowFault(f"a {message['role']} message without text")
        if not message.get("tool_calls") and not str(content).strip():
            raise RowFault(f"an empty {message['role']} message")
        kept = {key: value for key, value in message.items() if value is not None}
        checked.append({**kept, "role": _ROLES[message["role"]], "content": content or ""})
    return checked


def _turns(row: Row, column: str, role: str) -> list[Message]:
    """A column as messages: a list of them, a transcript "Human: … Assistant: …", or one turn of the role."""
    value = row.values.get(column)
    if isinstance(value, list):
        return _checked(value)
    if not isinstance(value, str) or not value.strip():
        raise _missing(row, column)
    parts = _TURN.split(value)
    if len(parts) == 1:
        return [{"role": role, "content": value.strip()}]
    spoken = zip(parts[1::2], parts[2::2], strict=True)
    turns = [{"role": _ROLES[who.lower()], "content": text.strip()} for who, text in spoken]
    if not all(turn["content"] for turn in turns):
        raise RowFault(f"an empty turn in {column}")
    return turns


def _joined(messages: list[Message]) -> str:
    if len(messages) == 1:
        return str(messages[0]["content"])
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in messages)


def _text(row: Row, column: str) -> str:
    value = row.values.get(column)
    if value is None or not str(value).strip():
        raise _missing(row, column)
    if isinstance(value, list | dict):
        raise RowFault(f"{column} holds a {'list' if isinstance(value, list) else 'record'}, not a text")
    return str(value).strip()


def _missing(row: Row, column: str) -> RowFault:
    return RowFault(f"empty {column}" if column in row.values else f"no {column}")


def _texts(row: Row, column: str) -> list[str]:
    """The answers in a column: one, or a list of which each counts as right; objects are written as JSON."""
    value = row.values.get(column)
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # SQuAD as a table
        value = value["text"]
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        answers = list(dict.fromkeys(part.strip() for part in value if part.strip()))
        if answers:
            return answers
        raise RowFault(f"empty {column}")
    if isinstance(value, dict | list) and value:
        return [json.dumps(value, ensure_ascii=False)]
    return [_text(row, column)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
