"""Converts a row of any known shape into canonical rows: messages, preference pairs or text, as TRL reads them.

    {"text": "Where is my card?", "label": "card_arrival"}
    -> {"messages": [{"role": "user", "content": "Where is my card?"},
                     {"role": "assistant", "content": "card_arrival"}]}

Shapes with one question and one answer are converted here, conversations in convert_chats.py. A row that cannot be
converted raises RowFault with the reason; the caller counts it and records its line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, RowFault, user_and_assistant
from slmkit.data.convert_chats import CHAT_CONVERTERS, text_in
from slmkit.data.reading.read import Row
from slmkit.data.shape import Shape


def convert(row: Row, shape: Shape) -> list[CanonicalRow]:
    """The canonical rows of one source row: several if it contains several questions. Raises RowFault."""
    try:
        rows = _CONVERTERS[shape.kind](row, shape.columns)
    except RowFault:
        raise
    except (AttributeError, KeyError, TypeError, ValueError):  # e.g. a list instead of an object, or a missing key
        raise RowFault(f"not in the {shape.kind.replace('_', ' ')} format") from None
    section = row.values.get("section") if shape.kind not in ("slots", "squad") else None
    slice = row.values.get("slice")
    slices = {"section": section} if isinstance(section, str) else {}
    slices |= slice if isinstance(slice, dict) else {}
    return [replace(canonical, slice={**canonical.slice, **slices}) for canonical in rows] if slices else rows


def _pair(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    input = text_in(row, columns["text"])
    targets = _texts(row, columns["label"])
    values = {"messages": user_and_assistant(input, targets[0])}
    return [CanonicalRow(values, input, targets[0], row.file, row.line, aliases=tuple(targets[1:]))]


def _labelled(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    """A text and its label. A row with several labels is refused: keeping one would lose the others."""
    [canonical] = _pair(row, columns)
    if canonical.aliases:
        raise RowFault(f"several labels in {columns['label']}")
    return [canonical]


def _passage_question(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    passage = str(row.values.get(columns["passage"]) or "").strip()
    input = f"{passage}\n\n{text_in(row, columns['text'])}".strip()
    targets = _texts(row, columns["label"])
    values = {"messages": user_and_assistant(input, targets[0])}
    return [CanonicalRow(values, input, targets[0], row.file, row.line, aliases=tuple(targets[1:]))]


def _slots(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
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
    return [
        CanonicalRow({"messages": user_and_assistant(input, target)}, input, target, row.file, row.line, slice=slice)
    ]


def _squad(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    found = []
    for paragraph in row.values.get("paragraphs") or []:
        for question in paragraph["qas"]:
            answers = list(dict.fromkeys(answer["text"].strip() for answer in question.get("answers") or []))
            if answers:
                input = question["question"].strip()
                values = {"messages": user_and_assistant(input, answers[0])}
                passage = paragraph["context"]
                found.append(CanonicalRow(values, input, answers[0], row.file, row.line, tuple(answers[1:]), passage))
    if not found:
        raise RowFault("no answered question")
    return found


def _plain(row: Row, columns: Mapping[str, str]) -> list[CanonicalRow]:
    text = text_in(row, columns["text"])
    return [CanonicalRow({"text": text}, text, "", row.file, row.line)]


_CONVERTERS: dict[str, Callable[[Row, Mapping[str, str]], list[CanonicalRow]]] = {
    **CHAT_CONVERTERS,
    "slots": _slots,
    "squad": _squad,
    "passage_question": _passage_question,
    "classification": _labelled,
    "input_target": _pair,
    "text": _plain,
}


def _texts(row: Row, column: str) -> list[str]:
    """The correct answers in a column: one value, or each string of a list. Objects are written as JSON."""
    value = row.values.get(column)
    if isinstance(value, dict) and isinstance(value.get("text"), list):  # SQuAD exported as a table
        value = value["text"]
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        answers = list(dict.fromkeys(part.strip() for part in value if part.strip()))
        if answers:
            return answers
        raise RowFault(f"empty {column}")
    if isinstance(value, dict | list) and value:
        return [json.dumps(value, ensure_ascii=False)]
    return [text_in(row, column)]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
