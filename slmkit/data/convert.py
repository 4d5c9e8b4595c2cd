"""Converts a row of any known shape into canonical rows: messages, preference pairs or text, as TRL reads them.

    {"text": "Where is my card?", "label": "card_arrival"}
    -> {"messages": [{"role": "user", "content": "Where is my card?"},
                     {"role": "assistant", "content": "card_arrival"}]}

Shapes with one question and one answer are converted here, conversations in convert_chats.py. A row that cannot be
converted raises RowFault with the reason; the caller counts it and records its line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, RowFault, user_and_assistant
from slmkit.data.cell import as_prose, as_text, is_empty, missing_value, text_in
from slmkit.data.chat_messages import clean_tools
from slmkit.data.columns import multiple_choice
from slmkit.data.convert_chats import CHAT_CONVERTERS
from slmkit.data.documents import passage_id
from slmkit.data.reading.read import Row
from slmkit.data.shape import Shape

_BROKEN = (AttributeError, KeyError, TypeError, ValueError)  # e.g. a list instead of an object, or a missing key


def parts_of(row: Row, shape: Shape, *, gaps: Counter[str] | None = None) -> list[Row]:
    """The rows to convert: the row itself, or those made from it, such as the questions about an article.

    `gaps` counts the columns that are empty where a text is made of several. Raises: RowFault.
    """
    if shape.remake is None:
        return [row]
    try:
        rows = shape.remake(row, Counter() if gaps is None else gaps)
    except RowFault:
        raise
    except _BROKEN:
        raise RowFault(f"not in the {shape.kind.replace('_', ' ')} format") from None
    if not rows:
        raise RowFault("no question")
    return rows


def convert(row: Row, shape: Shape) -> list[CanonicalRow]:
    """The canonical rows of one part of a source row, usually one. Raises RowFault."""
    try:
        rows = _CONVERTERS[shape.kind](row, shape)
    except RowFault:
        raise
    except _BROKEN:
        raise RowFault(f"not in the {shape.kind.replace('_', ' ')} format") from None
    section = row.values.get("section") if shape.kind not in ("slots", "squad") else None
    slice = row.values.get("slice")
    slices = {"section": section} if isinstance(section, str) else {}
    slices |= slice if isinstance(slice, dict) else {}
    return [replace(canonical, slice={**canonical.slice, **slices}) for canonical in rows] if slices else rows


def _pair(row: Row, shape: Shape) -> list[CanonicalRow]:
    return [_answered(row, text_in(row, shape.columns["text"]), shape)]


def _labelled(row: Row, shape: Shape) -> list[CanonicalRow]:
    """A text and its label. A row with several labels is refused: keeping one would lose the others."""
    [canonical] = _pair(row, shape)
    if canonical.aliases:
        raise RowFault(f"several labels in {shape.columns['label']}")
    return [canonical]


def _passage_question(row: Row, shape: Shape) -> list[CanonicalRow]:
    passage = as_prose(row.values.get(shape.columns["passage"]))
    return [_answered(row, f"{passage}\n\n{text_in(row, shape.columns['text'])}".strip(), shape)]


def _answered(row: Row, input: str, shape: Shape) -> CanonicalRow:
    """A question with its right answers, and the passage that contains them if the shape has one."""
    targets = list(dict.fromkeys([*_answers(row, shape), *_aliases(row, shape)]))
    values = {"messages": user_and_assistant(input, targets[0])}
    if "tools" in shape.columns and not is_empty(row.values.get(shape.columns["tools"])):
        values["tools"] = clean_tools(row.values[shape.columns["tools"]])
    passage = _document(row, shape)
    together = as_prose(row.values.get(shape.columns["together"])) if "together" in shape.columns else ""
    group = passage_id(together) if together else ""
    return CanonicalRow(values, input, targets[0], row.file, row.line, tuple(targets[1:]), passage, group=group)


def _document(row: Row, shape: Shape) -> str:
    """The passage that a retriever should find, beside the input; "" if the shape has none."""
    passage = row.values.get(shape.columns["document"]) if "document" in shape.columns else ""
    return passage if isinstance(passage, str) else as_prose(passage)


def _turns(row: Row, shape: Shape) -> list[CanonicalRow]:
    """A conversation of the texts in one list and as many answers in another."""
    asked, answers = (_texts_in(row, shape.columns[role]) for role in ("text", "label"))
    if len(asked) != len(answers):
        raise RowFault(f"{shape.columns['text']} and {shape.columns['label']} have different lengths")
    pairs = [(as_text(text), as_text(answer)) for text, answer in zip(asked, answers, strict=True)]
    messages = [message for pair in pairs for message in user_and_assistant(*pair)]
    return [CanonicalRow({"messages": messages}, *pairs[-1], row.file, row.line, passage=_document(row, shape))]


def _texts_in(row: Row, column: str) -> list[Any]:
    value = row.values.get(column)
    if is_empty(value):
        raise missing_value(row, column)
    if not isinstance(value, list) or any(map(is_empty, value)):
        raise RowFault(f"{column} is not a list of texts")
    return value


def _choice(row: Row, shape: Shape) -> list[CanonicalRow]:
    input, target = row.values[multiple_choice.TEXT], row.values[multiple_choice.LETTER]
    return [CanonicalRow({"messages": user_and_assistant(input, target)}, input, target, row.file, row.line)]


def _slots(row: Row, shape: Shape) -> list[CanonicalRow]:
    parts = row.values.get(shape.columns["data"])
    if not isinstance(parts, list) or not all(isinstance(part, dict) and "text" in part for part in parts):
        raise RowFault(f"{shape.columns['data']!r} is not a list of text parts")
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


def _squad(row: Row, shape: Shape) -> list[CanonicalRow]:
    asked = row.values["question"]
    answers = list(dict.fromkeys(answer["text"].strip() for answer in asked.get("answers") or []))
    if not answers:
        raise RowFault("question without an answer")
    input, passage = asked["question"].strip(), row.values["passage"]
    values = {"messages": user_and_assistant(input, answers[0])}
    return [CanonicalRow(values, input, answers[0], row.file, row.line, tuple(answers[1:]), passage)]


def _plain(row: Row, shape: Shape) -> list[CanonicalRow]:
    text = text_in(row, shape.columns["text"])
    return [CanonicalRow({"text": text}, text, "", row.file, row.line)]


def _chat(
    converter: Callable[[Row, Mapping[str, str]], list[CanonicalRow]], *made: str
) -> Callable[[Row, Shape], list[CanonicalRow]]:
    """A converter of chats for rows of a shape; `made` are the columns that were made for it, if they are there."""

    def converted(row: Row, shape: Shape) -> list[CanonicalRow]:
        return converter(row, {name: name for name in made if name in row.values} or shape.columns)

    return converted


_CONVERTERS: dict[str, Callable[[Row, Shape], list[CanonicalRow]]] = {
    **{kind: _chat(converter) for kind, converter in CHAT_CONVERTERS.items()},
    "judged": _chat(CHAT_CONVERTERS["preference"], "prompt", "chosen", "rejected"),
    "calls": _chat(CHAT_CONVERTERS["messages"], "messages"),
    "slots": _slots,
    "squad": _squad,
    "passage_question": _passage_question,
    "classification": _labelled,
    "input_target": _pair,
    "turns": _turns,
    "choice": _choice,
    "text": _plain,
}


def _answers(row: Row, shape: Shape) -> list[str]:
    """The right answers in the answer column: one value, or those of a list of alternatives. Others as JSON."""
    column, are = shape.columns["label"], shape.answers_are
    value = row.values.get(column)
    if isinstance(value, dict) and isinstance(value.get("text"), list) and are != "list":  # SQuAD exported as a table
        value, are = value["text"], "alternatives"
    elif isinstance(value, dict) and isinstance(value.get("aliases"), list) and "value" in value:  # TriviaQA
        value, are = [value["value"], *value["aliases"]], "alternatives"
    if isinstance(value, list) and are == "list":
        return [json.dumps(value, ensure_ascii=False)]  # also []: nothing was found
    if isinstance(value, list):
        answers = list(dict.fromkeys(as_text(part) for part in value if not is_empty(part)))
        if not answers:
            raise missing_value(row, column)
        if len(answers) > 1 and are is None:
            raise RowFault(f"several {'labels' if shape.kind == 'classification' else 'answers'} in {column}")
        return answers
    if isinstance(value, dict) and value:
        return [json.dumps(value, ensure_ascii=False)]
    return [text_in(row, column)]


def _aliases(row: Row, shape: Shape) -> list[str]:
    """The answers in a separate column for other right answers."""
    others = row.values.get(shape.columns["aliases"]) if "aliases" in shape.columns else None
    return [as_text(one) for one in others if not is_empty(one)] if isinstance(others, list) else []


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
