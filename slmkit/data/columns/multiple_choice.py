"""Questions with options: the text lists the options by letter, and the answer is the letter of the right one.

    {"question": "2 + 2?", "choices": ["3", "4"], "answer": 1}
    -> text "2 + 2?\\n\\nA. 3\\nB. 4", answer "B"

Options are a list, an object of letters, records with a text, or a column each (A, B, C; option1, option2). Answers
are letters, the texts of options, their labels or numbers; which, and whether the numbers start at 0 or at 1, must
follow from the first rows, or the file is refused.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import as_prose, as_text, is_empty
from slmkit.data.columns.column_path import parsed
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError, all_quoted

TEXT, LETTER = "question with its options", "letter of the right option"  # the columns that are made

_OPTIONS = ("choices", "options", "endings", "candidates", "answer_choices", "answer_options")
_QUESTIONS = ("question", "query", "sentence", "question_stem", "stem", "prompt", "input", "text", "problem", "goal",
              "ctx", "startphrase", "premise", "context")  # fmt: skip
_PASSAGES = ("context", "passage", "article", "paragraph")
_ANSWERS = ("answer", "answerkey", "answer_key", "correct_answer", "correct", "correct_option", "correct_choice",
            "gold", "label", "target", "answer_letter", "answer_idx", "answer_index", "answerindex", "correct_index",
            "cop", "labels")  # fmt: skip
_COLUMN = re.compile(r"(option|choice|ending|sol|op|opt|alternative|answer)[_ ]?(\d|[a-h])", re.IGNORECASE)
_LETTER = re.compile(r"\(?([A-Za-z])[).:]?")
_BETWEEN = re.compile(r"[,;/|&]|\band\b")  # several right options
_CLEAR_SHARE = 0.9  # of the first rows must have one option as answer, or no other column of answers is looked at
_LEAST_SHARE = 0.5  # with fewer of them, a file is refused
_SOME_SHARE = 0.1  # with fewer answers among the options, the columns are no multiple choice


class _Options(NamedTuple):
    texts: list[str]
    labels: list[str]  # as the file names them; [] if it does not


@dataclass(frozen=True)
class MultipleChoice:
    """The columns of a multiple-choice question, and how its answer names an option."""

    question: tuple[str, ...]
    options: tuple[str, ...]  # one column with all options, or one for each
    answer: str
    reading: str
    passage: str | None = None

    def row(self, row: Row) -> Row:
        """The row with the columns TEXT and LETTER. Raises: RowFault."""
        values = _flat(row.values)
        options = _options(values, self.options)
        if sum(map(bool, options.texts)) < 2:
            raise RowFault("fewer than two options")
        if len(options.texts) > len(string.ascii_uppercase):
            raise RowFault("more than 26 options")
        asked = [column for column in self.question if not is_empty(values.get(column))]
        if not asked:
            raise RowFault(f"empty {self.question[0]}")
        if is_empty(values.get(self.answer)):
            raise RowFault(f"empty {self.answer}")
        right = _right(self.reading, values[self.answer], options, self.options)
        if len(right) != 1:
            raise RowFault("several right options" if right else f"{self.answer} is none of the options")
        question = "\n".join(
            as_prose(values[column]) if len(self.question) == 1 else f"{column}: {as_prose(values[column])}"
            for column in asked
        )
        passage = as_prose(values.get(self.passage)) if self.passage else ""
        listed = "\n".join(
            f"{letter}. {text}" for letter, text in zip(string.ascii_uppercase, options.texts, strict=False) if text
        )
        text = "\n\n".join(part for part in (passage, question, listed) if part)
        return row._replace(values={**row.values, TEXT: text, LETTER: string.ascii_uppercase[right[0]]})


def find_multiple_choice(
    rows: Sequence[Row], columns: Mapping[str, Any], *, text_column: str | None, label_column: str | None
) -> MultipleChoice | None:
    """The multiple-choice form of these rows, or None. Raises: SlmkitError if the answers can be read in two ways."""
    flat = [_flat(row.values) for row in rows]
    columns = {**_flat(columns)}
    lower = {column.lower(): column for column in columns}
    options = _option_columns(columns, dict.fromkeys(column for values in flat for column in values))
    if not options:
        return None
    if text_column is not None:
        question: tuple[str, ...] = (text_column,)
    else:
        named = [lower[name] for name in _QUESTIONS if isinstance(columns.get(lower.get(name, "")), str)]
        question = tuple(column for column in named if column not in options)[:1]
        if "premise" in lower and "question" in lower:  # COPA: "What was the cause?" or "… the effect?"
            question = (lower["premise"], lower["question"])
    if not question or set(question) & set(options):
        return None
    passage = next((lower[name] for name in _PASSAGES if isinstance(columns.get(lower.get(name, "")), str)), None)
    candidates = [label_column] if label_column else [lower[name] for name in _ANSWERS if name in lower]
    for share in (_CLEAR_SHARE, _SOME_SHARE):
        for answer in candidates:
            if answer in options or answer in question:
                continue
            reading = _reading(flat, options, answer, share, question=question[0], where=rows[0].where)
            if reading:
                return MultipleChoice(question, options, answer, reading, passage if passage not in question else None)
    return None


def _option_columns(columns: Mapping[str, Any], every: Mapping[str, Any]) -> tuple[str, ...]:
    """The columns with the options; `every` has also the empty columns, which keep the letters of those after them."""
    for column, value in columns.items():
        if column.lower() in _OPTIONS and len(_options_in(value).texts) > 1:
            return (column,)
    letters = [letter for letter in string.ascii_uppercase if letter in every or letter.lower() in every]
    run = [letter for i, letter in enumerate(letters) if letter == string.ascii_uppercase[i]]
    lettered = tuple(letter if letter in every else letter.lower() for letter in run)
    if sum(column in columns for column in lettered) > 1:
        return lettered
    stems: dict[str, list[str]] = {}
    for column in every:
        if match := _COLUMN.fullmatch(column):
            stems.setdefault(match[1].lower(), []).append(column)
    for stem, found in stems.items():
        filled = sum(column in columns for column in found)
        if filled > (2 if stem == "answer" else 1):  # two answers are more often a pair to prefer one of
            return tuple(sorted(found))
    return ()


def _reading(
    rows: Sequence[Mapping[str, Any]],
    columns: tuple[str, ...],
    answer: str,
    share: float,
    *,
    question: str,
    where: str,
) -> str | None:
    """The one reading under which this share of the first rows' answers names options; None if there is none."""
    filled = [row for row in rows if not is_empty(row.get(answer)) and not isinstance(row[answer], dict)]
    if not filled:
        return None
    options = [_options(row, columns) for row in filled]
    named: dict[str, list[list[int]]] = {}
    for reading in _READINGS:
        found = [_right(reading, row[answer], one, columns) for row, one in zip(filled, options, strict=True)]
        if sum(map(bool, found)) >= share * len(filled):
            named[reading] = found
    if not named:
        return None
    most = max(sum(map(bool, found)) for found in named.values())
    first, *others = [reading for reading, found in named.items() if sum(map(bool, found)) == most]
    if most < _CLEAR_SHARE * len(filled):  # many bad answers: one reading must explain all that the others explain
        others = [other for other in named if other != first and _explains(named[other], named[first])]
    differing = [other for other in others if named[other] != named[first]]
    if differing and first not in ("label", "column"):
        values = sorted({as_text(row[answer]) for row in filled})[:5]
        raise SlmkitError(
            f"the answers in {answer!r} ({', '.join(values)}) can be {_SAID[first]} or {_SAID[differing[0]]}",
            where=where,
            fix=f"write the letter of the right option (A, B, …) or its text in {answer!r}",
        )
    usable = sum(len(right) == 1 for right in named[first])
    if usable < _LEAST_SHARE * len(filled):
        several = sum(len(right) > 1 for right in named[first])
        none = len(filled) - usable - several
        raise SlmkitError(
            f"of {len(filled):,} answers in {answer!r}, {several:,} name several right options and {none:,} none of"
            f" the options in {all_quoted(columns)}",
            where=where,
            fix=f"write the letter of the one right option (A, B, …) in {answer!r}, or read the questions without"
            f" their options: text_column='{{{question}}}' label_column={answer}",
        )
    return first


def _explains(one: Sequence[list[int]], other: Sequence[list[int]]) -> bool:
    """Whether a reading finds options in rows where another finds none, and is not only a rare chance."""
    more = any(places and not others for places, others in zip(one, other, strict=True))
    return more and sum(map(bool, one)) >= _LEAST_SHARE * sum(map(bool, other))


def _right(reading: str, answer: Any, options: _Options, columns: Sequence[str]) -> list[int]:
    """The places of the options that an answer names: one, or several; [] if it names something else too."""
    if isinstance(answer, str) and isinstance(inner := parsed(answer), list):
        answer = inner  # a list in a CSV file
    find = _READINGS[reading]
    texts = list(map(as_text, answer)) if isinstance(answer, list) else [as_text(answer)]
    places = [find(text, options, columns) for text in texts]
    if places == [None]:
        places = [find(part.strip(), options, columns) for part in _BETWEEN.split(texts[0])]
    found = [place for place in places if place is not None and options.texts[place]]
    return found if len(found) == len(places) == len(set(found)) else []


def _by_label(answer: str, options: _Options, columns: Sequence[str]) -> int | None:
    return options.labels.index(answer) if answer in options.labels else None


def _by_column(answer: str, options: _Options, columns: Sequence[str]) -> int | None:
    """The option whose column has this name or number: "2" and "option2" are the column option2."""
    ends = [match[2].lower() for column in columns if (match := _COLUMN.fullmatch(column))]
    low = answer.lower()
    if low in (names := [column.lower() for column in columns]) and len(names) > 1:
        return names.index(low)
    return ends.index(low) if low in ends else None


def _by_letter(answer: str, options: _Options, columns: Sequence[str]) -> int | None:
    match = _LETTER.fullmatch(answer)
    place = string.ascii_uppercase.index(match[1].upper()) if match else len(options.texts)
    return place if place < len(options.texts) else None


def _by_text(answer: str, options: _Options, columns: Sequence[str]) -> int | None:
    return options.texts.index(answer) if options.texts.count(answer) == 1 else None


def _by_number(start: int) -> Callable[[str, _Options, Sequence[str]], int | None]:
    def find(answer: str, options: _Options, columns: Sequence[str]) -> int | None:
        place = int(answer) - start if answer.isdecimal() else -1
        return place if 0 <= place < len(options.texts) else None

    return find


_READINGS: dict[str, Callable[[str, _Options, Sequence[str]], int | None]] = {
    "label": _by_label,
    "column": _by_column,
    "letter": _by_letter,
    "text": _by_text,
    "from 0": _by_number(0),
    "from 1": _by_number(1),
}
_SAID = {"letter": "letters", "text": "texts of options", "from 0": "numbers from 0", "from 1": "numbers from 1"}


def _options(values: Mapping[str, Any], columns: tuple[str, ...]) -> _Options:
    """The options of a row. Empty ones are "", so that those after them keep their letters; none are at the end."""
    if len(columns) == 1:
        texts, labels = _options_in(values.get(columns[0]))
    else:
        texts, labels = [_option(values.get(column)) for column in columns], []
    while texts and not texts[-1]:
        texts.pop()
    return _Options(texts, labels[: len(texts)])


def _options_in(value: Any) -> _Options:
    """The options in a cell: ["3", "4"], {"A": "3", "B": "4"}, {"text": [...], "label": [...]} or records of both."""
    if isinstance(value, str):
        value = parsed(value)  # a list in a CSV file
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        labels = value.get("label")
        return _Options(list(map(_option, value["text"])), list(map(str, labels)) if labels else [])
    if isinstance(value, dict) and len(value) > 1 and all(len(key) <= 2 for key in value):
        return _Options(list(map(_option, value.values())), list(value))
    if not isinstance(value, list):
        return _Options([], [])
    if all(isinstance(option, dict) and isinstance(option.get("text"), str) for option in value):
        labels = [str(option.get("label", option.get("key", ""))) for option in value]
        return _Options([_option(option["text"]) for option in value], labels if all(labels) else [])
    if any(isinstance(option, dict | list) for option in value):
        return _Options([], [])
    return _Options(list(map(_option, value)), [])


def _option(value: Any) -> str:
    return "" if is_empty(value) else as_text(value)


def _flat(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values with those of a question of the form {"stem": …, "choices": […]} beside the others."""
    question = values.get("question")
    if isinstance(question, dict) and isinstance(question.get("stem"), str) and "choices" in question:
        return {**values, "question": question["stem"], "choices": question["choices"]}
    return values
