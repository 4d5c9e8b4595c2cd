"""Finds the shape of a file's rows from their columns: which kind of data it is, and the role of each column.

Columns are recognised by the names the field uses, for example messages, chosen and rejected, or text and label. If
the names do not decide, nothing is guessed: the error lists the columns and the parameter to set. convert.py turns
rows of a shape into canonical rows.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slmkit.data.answer_column import NON_DATA_COLUMNS, find_text_and_answer, is_classification, listed
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError

Kind = Literal[
    "messages", "sharegpt", "preference", "kto", "prompt_completion", "alpaca", "slots", "squad", "passage_question",
    "classification", "input_target", "text",
]  # fmt: skip

# Gold cards store these sentences (read_as) and compare them later: rewording one refuses existing gold sets.
_SENTENCES: dict[str, str] = {
    "messages": "conversations in {messages!r}",
    "sharegpt": "ShareGPT conversations in {conversations!r}",
    "preference": "preference pairs: {chosen!r} over {rejected!r}",
    "kto": "prompts, completions, and whether they were good ({label!r})",
    "prompt_completion": "prompts in {prompt!r}, completions in {completion!r}",
    "alpaca": "instructions in {instruction!r}, answers in {output!r}",
    "slots": "utterances with marked slots in {data!r}: text to JSON",
    "squad": "questions about passages (SQuAD form)",
    "passage_question": "passages in {passage!r}, questions in {text!r}, answers in {label!r}",
    "classification": "texts in {text!r}, labels in {label!r}",
    "input_target": "inputs in {text!r}, answers in {label!r}",
    "text": "plain text in {text!r}, without answers",
}


@dataclass(frozen=True)
class Shape:
    """A kind of data, and the column that plays each role in it."""

    kind: Kind
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> column

    def __str__(self) -> str:
        return _SENTENCES[self.kind].format(**self.columns)


def find_shape(
    rows: Sequence[Row],
    *,
    text_column: str | None = None,
    label_column: str | None = None,
    needs_answers: bool = True,
) -> Shape:
    """The shape of a file, judged by its first rows; a thousand are enough.

    `text_column` and `label_column` name the input and the answer and override recognised names. With
    needs_answers=False, a text column without an answer column is plain text.
    Raises: SlmkitError naming the columns found and the parameter to set.
    """
    columns = _first_values(rows)
    for parameter, column in (("text_column", text_column), ("label_column", label_column)):
        if column is not None and column not in columns:
            near = difflib.get_close_matches(column, list(columns), n=1)
            raise SlmkitError(
                f"{parameter}={column!r} is not a column. Columns: {listed(columns)}",
                where=rows[0].where,
                fix=f"did you mean {parameter}={near[0]}?" if near else f"set {parameter}= to one of these",
            )
    if text_column is None and label_column is None and (known := _known_shape(columns)):
        return known
    found = find_text_and_answer(
        rows, columns, text_column=text_column, label_column=label_column, needs_answers=needs_answers
    )
    if found.answer is None:
        return Shape("text", {"text": found.text})
    roles = {"text": found.text, "label": found.answer}
    if found.passage:
        return Shape("passage_question", {**roles, "passage": found.passage})
    return Shape("classification" if is_classification(rows, found.answer) else "input_target", roles)


def unused_columns(rows: Sequence[Row], shape: Shape) -> list[str]:
    """The text columns that this shape does not use, without ids, titles and other metadata."""
    if shape.kind not in ("classification", "input_target", "passage_question", "text"):
        return []
    used = shape.columns.values()
    return [
        column
        for column, value in _first_values(rows).items()
        if isinstance(value, str | list | dict) and column not in used and column.lower() not in NON_DATA_COLUMNS
    ]


def _first_values(rows: Sequence[Row]) -> dict[str, Any]:
    """Each non-empty column with its first value of the type (text, list, object …) that most of its values have."""
    first: dict[str, dict[type, Any]] = {}
    counts: dict[str, Counter[type]] = {}
    for row in rows:
        for column, value in row.values.items():
            if value not in (None, "", [], {}):
                first.setdefault(column, {}).setdefault(type(value), value)
                counts.setdefault(column, Counter())[type(value)] += 1
    return {column: first[column][counts[column].most_common(1)[0][0]] for column in first}


def _known_shape(columns: Mapping[str, Any]) -> Shape | None:
    """The shape that the column names alone determine, or None."""

    def shape(kind: Kind, *roles: str) -> Shape:
        return Shape(kind, {column: column for column in roles})

    def is_list_of(column: str, *keys: str) -> bool:
        value = columns.get(column)
        return isinstance(value, list) and isinstance(value[0], dict) and all(key in value[0] for key in keys)

    if is_list_of("messages", "role"):
        return shape("messages", "messages")
    if is_list_of("conversations", "from", "value"):
        return shape("sharegpt", "conversations")
    if is_list_of("conversations", "role"):
        return Shape("messages", {"messages": "conversations"})
    if is_list_of("paragraphs", "qas"):
        return shape("squad")
    if is_list_of("data", "text"):
        return shape("slots", "data")
    if "chosen" in columns and "rejected" in columns:
        return shape("preference", *(("prompt",) if "prompt" in columns else ()), "chosen", "rejected")
    if "prompt" in columns and "completion" in columns:
        if isinstance(columns.get("label"), bool):
            return shape("kto", "prompt", "completion", "label")
        return shape("prompt_completion", "prompt", "completion")
    if "instruction" in columns and ("output" in columns or is_list_of("instances", "output")):
        output = "output" if "output" in columns else "instances"
        return Shape("alpaca", {"instruction": "instruction", "output": output})
    return None
