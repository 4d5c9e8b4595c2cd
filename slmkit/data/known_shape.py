"""The shapes that column names determine: chats, preferences, marked slots, SQuAD, and forms of several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from slmkit.data.columns.column_source import Source
from slmkit.data.columns.function_calls import find_function_calls
from slmkit.data.columns.judged_pairs import find_judged_pairs
from slmkit.data.columns.multiple_choice import find_multiple_choice
from slmkit.data.reading.read import Row
from slmkit.data.shape import Kind, Shape
from slmkit.errors import all_quoted

_VERDICTS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


def known_shape(columns: Mapping[str, Any]) -> Shape | None:
    """The shape that the column names alone determine, or None."""

    def shape(kind: Kind, *roles: str) -> Shape:
        return Shape(kind, {column: column for column in roles})

    def is_list_of(column: str, *keys: str) -> bool:
        value = columns.get(column)
        return isinstance(value, list) and isinstance(value[0], dict) and all(key in value[0] for key in keys)

    if "chosen" in columns and "rejected" in columns:  # also if the chosen chat is there as messages
        return shape("preference", *(("prompt",) if "prompt" in columns else ()), "chosen", "rejected")
    if "preferred_output" in columns and "non_preferred_output" in columns and "input" in columns:  # OpenAI's
        return Shape(
            "preference", {"prompt": "input", "chosen": "preferred_output", "rejected": "non_preferred_output"}
        )
    if is_list_of("messages", "role"):
        return shape("messages", "messages")
    if is_list_of("conversations", "from", "value"):
        return shape("sharegpt", "conversations")
    if is_list_of("conversations", "role"):
        return Shape("messages", {"messages": "conversations"})
    if is_list_of("paragraphs", "qas"):
        return Shape("squad", remake=lambda row, gaps: _squad_questions(row))
    if is_list_of("data", "text"):
        return shape("slots", "data")
    if find_function_calls(columns, text_column=None, label_column=None):
        return None  # also if the columns are called prompt and completion
    if "prompt" in columns and "completion" in columns:
        if str(columns.get("label")).lower() in _VERDICTS:  # true and false, in CSV as text, or 1 and 0
            return replace(shape("kto", "prompt", "completion", "label"), remake=lambda row, gaps: [_judged(row)])
        return shape("prompt_completion", "prompt", "completion")
    if "instruction" in columns and ("output" in columns or is_list_of("instances", "output")):
        output = "output" if "output" in columns else "instances"
        return Shape("alpaca", {"instruction": "instruction", "output": output})
    return None


def made_shape(rows: Sequence[Row], columns: Mapping[str, Any], sources: Mapping[str, Source]) -> Shape | None:
    """The shape of rows whose text or answer is made of several columns by a known form, or None."""
    text = sources["text"].name if "text" in sources else None
    label = sources["label"].name if "label" in sources else None
    if calls := find_function_calls(columns, text_column=text, label_column=label):
        roles = {"text": calls.text, "tools": calls.tools, "calls": calls.calls}
        return Shape("calls", roles, remake=lambda row, gaps: [calls.row(row)])
    if choice := find_multiple_choice(rows, columns, text_column=text, label_column=label):
        said = {"text": all_quoted(choice.question), "options": all_quoted(choice.options)}
        roles = {"answer": choice.answer}
        used = frozenset((*choice.question, *choice.options, *([choice.passage] if choice.passage else [])))
        notes = (
            *((f"passages in {choice.passage!r}",) if choice.passage else ()),
            "the model answers with the letter of an option",
        )
        return Shape("choice", roles, said, used=used, notes=notes, remake=lambda row, gaps: [choice.row(row)])
    if not sources and (pairs := find_judged_pairs(rows, columns)):
        said = {"verdicts": all_quoted(pairs.verdicts)}
        used = frozenset((*pairs.prompt, *pairs.verdicts))
        roles = {"first": pairs.first, "second": pairs.second}
        return Shape("judged", roles, said, used=used, remake=lambda row, gaps: [pairs.row(row)])
    return None


def _judged(row: Row) -> Row:
    """A row of KTO with its label as true or false."""
    label = row.values.get("label")
    known = _VERDICTS.get(str(label).strip().lower(), label)
    return row if known is label else row._replace(values={**row.values, "label": known})


def _squad_questions(row: Row) -> list[Row]:
    """A row for each question of an article."""
    return [
        row._replace(values={**row.values, "paragraphs": None, "passage": paragraph["context"], "question": question})
        for paragraph in row.values.get("paragraphs") or []
        for question in paragraph["qas"]
    ]
