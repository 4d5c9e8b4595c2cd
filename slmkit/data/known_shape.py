"""The shapes that column names determine: chats, preferences, marked slots, SQuAD, and forms of several columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from slmkit.data.cell import as_text, is_empty
from slmkit.data.columns.column_source import Source
from slmkit.data.columns.function_calls import find_function_calls
from slmkit.data.columns.judged_pairs import find_judged_pairs
from slmkit.data.columns.multiple_choice import find_multiple_choice
from slmkit.data.reading.read import Row
from slmkit.data.shape import Kind, Shape
from slmkit.errors import SlmkitError, all_quoted

_GOOD = ("true", "1", "yes", "good", "up", "thumbsup", "desirable", "👍")
_BAD = ("false", "0", "-1", "no", "bad", "down", "thumbsdown", "undesirable", "👎")
_VERDICTS = dict.fromkeys(_GOOD, True) | dict.fromkeys(_BAD, False)
_RATINGS = ("label", "rating", "score", "stars", "reward")  # columns that may judge a completion
_SHOWN = 5  # of their values in a note
_VERDICT_SHARE = 0.5  # of the first labels must be verdicts


def known_shape(columns: Mapping[str, Any], rows: Sequence[Row]) -> Shape | None:
    """The shape that the column names determine, or None; the rows tell whether a label judges its completion.

    Raises: SlmkitError if a label beside a completion has two values that may be good and bad.
    """

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
        if verdicts := _verdicts(rows):
            kto = shape("kto", "prompt", "completion", "label")
            return replace(kto, remake=lambda row, gaps: [_judged(row, verdicts)])
        return replace(shape("prompt_completion", "prompt", "completion"), notes=_unread_ratings(columns, rows))
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


def _verdicts(rows: Sequence[Row]) -> dict[str, bool]:
    """What the labels of completions mean; {} if they are no verdicts. Raises: SlmkitError if they may be some."""
    labels = [_verdict(row.values["label"]) for row in rows if not is_empty(row.values.get("label"))]
    known = sum(label in _VERDICTS for label in labels)
    values = sorted(set(labels))
    if labels and known >= _VERDICT_SHARE * len(labels) and (known == len(labels) or len(values) != 2):
        return {label: good for label, good in _VERDICTS.items() if label != "0" or "-1" not in values}  # 0: neither
    if len(values) == 2:
        raise SlmkitError(
            f"'label' is {' or '.join(map(repr, values))}, which may say that a completion is good or bad",
            where=rows[0].where,
            fix="write true or false in 'label', or, if it says something else, read the pairs without it:"
            " text_column=prompt label_column=completion",
        )
    return {}


def _unread_ratings(columns: Mapping[str, Any], rows: Sequence[Row]) -> tuple[str, ...]:
    """What is said of labels beside completions that are no verdicts, such as ratings from 1 to 5."""
    name = next((one for one in _RATINGS if one in columns), None)
    values = {row.values[name] for row in rows if not is_empty(row.values.get(name))} if name else set()
    if not values or not all(isinstance(value, int | float | str) for value in values):
        return ()
    some = ", ".join(sorted(map(as_text, values))[:_SHOWN]) + (", …" if len(values) > _SHOWN else "")
    return (
        f"warning: {name!r} ({some}) is not read, so all completions are trained on, also poor ones. Remove the rows"
        " with poor completions, or write true or false in 'label' for KTO",
    )


def _verdict(label: Any) -> str:
    """A label as _VERDICTS writes it: "Thumbs_Up" as "thumbsup", 1.0 and "1.0" as "1"."""
    text = "".join(as_text(label).lower().split()).replace("_", "").removesuffix(".0")
    return text.replace("thumbs-", "thumbs")


def _judged(row: Row, verdicts: Mapping[str, bool]) -> Row:
    """A row of KTO with its label as true or false."""
    label = row.values.get("label")
    return row._replace(values={**row.values, "label": verdicts.get(_verdict(label), label)})


def _squad_questions(row: Row) -> list[Row]:
    """A row for each question of an article."""
    return [
        row._replace(values={**row.values, "paragraphs": None, "passage": paragraph["context"], "question": question})
        for paragraph in row.values.get("paragraphs") or []
        for question in paragraph["qas"]
    ]
