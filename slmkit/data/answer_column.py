"""Finds the text column and the answer column of a table whose column names alone do not decide its shape.

The caller's names come first, then the usual names, then the content: of two columns, the one that repeats a few short
values is the label. If several columns qualify, the error lists them.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from slmkit.data.cell import as_text, is_empty, is_table
from slmkit.data.columns.column_path import parsed, walk
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError, listed
from slmkit.types import AnswersAre

_TEXT = ("text", "sentence", "utterance", "message", "query", "question", "claim", "input", "prompt", "instruction",
         "review", "tweet", "content", "body", "document", "full_text")  # fmt: skip
_TARGET = ("target", "answer", "answers", "output", "response", "completion", "ideal", "reference", "ref", "summary",
           "translation", "solution", "expected_output")  # fmt: skip
_LABEL = ("label_text", "label_name", "label", "labels", "category", "intent", "class", "sentiment", "topic", "tag",
          "gold_label", "is_duplicate", "is_paraphrase")  # fmt: skip
_RECORD = ("json", "record", "fields", "slots", "entities", "annotation", "annotations")  # names of JSON answers
_PASSAGE = ("context", "passage")
_QUESTION = ("question", "query")  # beside a passage: the passage is a document, and the question is the input
_MOST_REPEATED = 0.2  # share of rows whose question is asked about other passages too; 0.02 in XQuAD
_TABLE = "table"  # a passage of rows and cells
# Names of two texts that only together are an input; of the first kind, each is shown with its name.
_TWO_TEXTS = (("premise", "hypothesis"), ("sentence1", "sentence2"), ("question1", "question2"), ("text1", "text2"),
              ("sentence_a", "sentence_b"), ("text_a", "text_b"), ("claim", "evidence"))  # fmt: skip
_STORY_AND_QUESTION = ("body", "question")  # of word problems
# Answer columns whose lists are several right answers; in any other column a list is one answer.
_ALIASES = ("aliases", "answer_aliases", "alternative_answers", "other_answers")  # columns beside the answer
_ALTERNATIVES = ("answer", "answers", "aliases", "answer_aliases", "possible_answers", "accepted_answers",
                 "acceptable_answers", "correct_answers", "gold_answers", "golden_answers", "reference", "references",
                 "refs", "ground_truth", "ground_truths", "ideal")  # fmt: skip
NON_DATA_COLUMNS = ("id", "_id", "idx", "index", "key", "uid", "guid", "path", "file", "filename", "url", "line",
                    "title", "source", "section", "split", "language", "lang", "metadata", "meta")  # fmt: skip
_TABLES = (".csv", ".tsv")


class AnswerLists(NamedTuple):
    """What the lists in an answer column are (None: no list has several items), and how a note says it."""

    are: AnswersAre | None
    notes: list[str]


class TextAndAnswer(NamedTuple):
    """The columns of the input, its answer (None: plain text), the passage it asks about, and other right answers."""

    text: str
    answer: str | None
    passage: str | None = None
    aliases: str | None = None


def find_text_and_answer(
    rows: Sequence[Row],
    columns: Mapping[str, Any],
    *,
    text_column: str | None,
    label_column: str | None,
    needs_answers: bool,
    finds_passage: bool = True,
) -> TextAndAnswer:
    """The text and answer columns, and a passage; `columns` maps each column to a typical value.

    Raises: SlmkitError naming the columns found and the parameter to set.
    """
    if text_column is not None and text_column == label_column:
        raise SlmkitError(
            f"text_column and label_column are both {text_column!r}",
            where=rows[0].where,
            fix="set label_column to the column of the answers",
        )
    usable = [
        column
        for column, value in columns.items()
        if column.lower() not in NON_DATA_COLUMNS
        and not column.startswith("column_")
        and not (isinstance(value, dict) and "text" not in value)
    ]
    strings = [column for column in usable if isinstance(columns[column], str)]
    text, answer = _by_name(columns, usable, strings, text_column, label_column)
    if text is None and answer is None and len(usable) == 2:
        text, answer = _by_content(rows, *usable)
    if text is None and answer is None and not needs_answers and len(strings) == 1:
        text = strings[0]
    has_header = rows[0].file.suffix.lower() in _TABLES
    is_only_column = usable == [text] and (text_column is not None or not has_header)
    if text and answer is None and needs_answers and (hollow := _empty_answers(rows, columns)):
        raise SlmkitError(
            f"the answers in {hollow!r} are empty in every row",
            where=rows[0].where,
            fix=f"fill {hollow!r}, name another column with label_column=NAME, or set text_as=text to train on"
            " the text alone",
        )
    if text and answer is None and (not needs_answers or is_only_column):
        return TextAndAnswer(text, None)
    if text is None or answer is None:
        raise _not_found(rows, columns, text, answer)
    passage = _named(strings, _PASSAGE, besides=text)
    if passage is None:
        passage = next((one for one in columns if one.lower() == _TABLE and is_table(columns[one])), None)
    aliases = next((one for one in columns if one.lower() in _ALIASES and isinstance(columns[one], list)), None)
    return TextAndAnswer(
        text,
        answer,
        passage if finds_passage and passage not in (text, answer) else None,
        aliases if aliases != answer and (answer or "").lower() in _ALTERNATIVES else None,
    )


def two_texts(columns: Mapping[str, Any]) -> list[str | int | float | bool] | str | None:
    """The names of two columns that are one input together, or their template; None if there are none.

    Example: premise and hypothesis, sentence1 and sentence2, Body and Question.
    """
    lower = {column.lower(): column for column in columns if isinstance(columns[column], str)}
    story, question = _STORY_AND_QUESTION
    if story in lower and question in lower:
        return f"{{{lower[story]}}} {{{lower[question]}}}"
    for pair in _TWO_TEXTS:
        if all(name in lower for name in pair):
            return [lower[name] for name in pair]
    return None


def asks_about_passage(rows: Sequence[Row], text: str, passage: str) -> bool:
    """Whether a column asks about a passage that is a document to retrieve, rather than a part of the input.

    An instruction ("Summarise this.") and its context are one input, and so are a question and its table, and a
    question that many rows ask about other passages: "What is the topic?" is no question without its passage.
    """
    if text.lower() not in _QUESTION or passage.lower() not in _PASSAGE:
        return False
    passages: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(asked := row.values.get(text), str) and isinstance(about := row.values.get(passage), str):
            passages.setdefault(asked.strip().lower(), set()).add(about)
    repeated = sum(len(of) for of in passages.values() if len(of) > 1)
    return repeated <= _MOST_REPEATED * len(rows)


def passage_in(paths: Sequence[str]) -> str | None:
    """The column of a passage that is part of a text, besides others."""
    return next((path for path in paths if path.lower() in _PASSAGE), None) if len(paths) > 1 else None


def passage_beside(paths: Sequence[str], columns: Mapping[str, Any], rows: Sequence[Row]) -> str | None:
    """The path of a passage in the record of a nested text, or in one around it: "paragraphs.context"."""
    if len(paths) != 1 or paths[0] in columns:
        return None
    around = paths[0].rpartition(".")[0]
    while around:
        for name in _PASSAGE:
            if any(isinstance(leaf, str) for row in rows[:50] for _, leaf in walk(row.values, f"{around}.{name}")):
                return f"{around}.{name}"
        around = around.rpartition(".")[0]
    return next((name for name in _PASSAGE if isinstance(columns.get(name), str)), None)


def answer_lists(rows: Sequence[Row], column: str, given: AnswersAre | None) -> AnswerLists:
    """What the lists in an answer column are: as given, otherwise by the name of the column."""
    values = [row.values.get(column) for row in rows]
    lists = [value for value in values if isinstance(value, list)]
    numbers = [value for value in values if isinstance(value, float) and value.is_integer()]
    texts = [value for value in values if isinstance(value, str) and value.strip()]
    if texts and all(text.lstrip()[:1] == "[" and isinstance(parsed(text), list) for text in texts):
        return AnswerLists(None, [f"the lists in {column!r} are text, label_column={column}.* reads their items"])
    notes = [f"numbers without a fraction are written as integers, {n} as {as_text(n)}" for n in numbers[:1]]
    if not any(len(value) > 1 for value in lists) and not (lists and given):
        return AnswerLists(None, notes)
    are = given
    if are is None:
        are = "alternatives" if {step.lower() for step in column.split(".")} & set(_ALTERNATIVES) else "list"
    if are == "alternatives":
        said = f"each list in {column!r} holds alternative right answers"
        return AnswerLists(are, [*notes, said + (" (answers_are=list: one answer)" if not given else "")])
    if orders := _in_other_orders(lists):
        notes.append(
            f"{orders:,} lists in {column!r} hold the items of another in a different order, and order counts: sort"
            " them, or score with 'metric={use: json_match, ordered: false}'"
        )
    return AnswerLists(are, [*notes, *([] if given else ["with answers_are=alternatives, any of its items is right"])])


def _in_other_orders(lists: Sequence[list[Any]]) -> int:
    """The number of lists whose items another list holds in an order that more lists have."""
    orders: dict[tuple[str, ...], Counter[tuple[str, ...]]] = {}
    for items in lists:
        texts = tuple(map(repr, items))
        orders.setdefault(tuple(sorted(texts)), Counter())[texts] += 1
    return sum(counts.total() - max(counts.values()) for counts in orders.values())


def is_classification(rows: Sequence[Row], column: str) -> bool:
    """Whether an answer column contains labels: by its name, unless its values rarely repeat, or by its values."""
    is_named_label = _named([column], _LABEL, besides=None) == column
    return (is_named_label and not _rarely_repeats(rows, column)) or _repeats(rows, column)


def _by_name(
    columns: Mapping[str, Any],
    usable: Sequence[str],
    strings: Sequence[str],
    text_column: str | None,
    label_column: str | None,
) -> tuple[str | None, str | None]:
    """The columns named by the caller or by a usual name; if only one is missing and one column is left, that one."""
    records = [column for column, value in columns.items() if isinstance(value, dict) and "text" not in value]
    text = text_column or _named(strings, _TEXT, besides=label_column)
    answer = label_column or _named(usable, _LABEL, besides=text) or _named(usable, _TARGET, besides=text)
    answer = answer or _named(records, (*_RECORD, *_TARGET), besides=text)
    if answer is None and text is not None and not text_column:
        others = [column for column in usable if column != text]
        answer = others[0] if len(others) == 1 and isinstance(columns[others[0]], str | int | float) else None
    if text is None and answer is not None:
        others = [column for column in strings if column != answer]
        text = others[0] if len(others) == 1 else None
    return text, answer


def _named(columns: Sequence[str], names: Sequence[str], *, besides: str | None) -> str | None:
    """The column with the first of the usual names; "evidence_label" counts as a label."""
    lower = {column.lower(): column for column in columns if column != besides}
    for name in names:
        if name in lower:
            return lower[name]
    ends = [column for column in lower if names is _LABEL and column.endswith(("_label", "_category", "_class"))]
    return lower[ends[0]] if len(ends) == 1 else None


def _by_content(rows: Sequence[Row], first: str, second: str) -> tuple[str | None, str | None]:
    """(text, label) if exactly one of the two columns repeats a few short values, otherwise (None, None)."""
    repeats = [_repeats(rows, column) for column in (first, second)]
    if repeats == [True, False]:
        return second, first
    if repeats == [False, True]:
        return first, second
    return None, None


def _repeats(rows: Sequence[Row], column: str) -> bool:
    """Whether the values look like labels: short, and each occurring three times on average."""
    if any(isinstance(value := row.values.get(column), list) and len(value) > 1 for row in rows):
        return False  # several correct answers, not a label
    values = _filled(rows, column)
    return bool(values) and len(set(values)) * 3 <= len(values) and max(map(len, values)) <= 60


def _rarely_repeats(rows: Sequence[Row], column: str) -> bool:
    """Whether the values look like free text: twenty or more, most of them different."""
    values = _filled(rows, column)
    return len(values) >= 20 and len(set(values)) * 2 > len(values)


def _filled(rows: Sequence[Row], column: str) -> list[str]:
    return [as_text(row.values[column]) for row in rows if not is_empty(row.values.get(column))]


def _not_found(rows: Sequence[Row], columns: Mapping[str, Any], text: str | None, answer: str | None) -> SlmkitError:
    """The error for a missing text or answer column: which was found, all columns, and the parameter to set."""
    if text is None and answer is None:
        what, fix = "no text column and no answer column found", "text_column=NAME label_column=NAME"
    elif answer is None:
        what, fix = f"no answer column found beside the text in {text!r}", "label_column=NAME"
        fix += ", or text_as=text to train on the text alone"
    elif isinstance(columns.get(answer), str) and (lists := _lists_of_texts(columns)):
        what = f"no text column found beside the answers in {answer!r}; {lists[0]!r} contains lists"
        fix = f'text_column=NAME, or write {lists[0]!r} as messages: [{{"role": "user", "content": …}}, …]'
    else:
        what, fix = f"no text column found beside the answers in {answer!r}", "text_column=NAME"
    near = _near_answer(columns) if answer is None else None
    has_spaces = rows[0].file.suffix.lower() in _TABLES and any(" " in column for column in columns)
    return SlmkitError(
        f"{what}. Columns: {listed(columns)}",
        where=rows[0].where,
        fix=f"set {fix}"
        + (f" (is it {near!r}?)" if near else "")
        + ("; if the first line is data, add a header line above it" if has_spaces else ""),
    )


def _empty_answers(rows: Sequence[Row], columns: Mapping[str, Any]) -> str | None:
    """The column with the name of answers that is there, but has no value in any row."""
    names = dict.fromkeys(name for row in rows for name in row.values if name not in columns)
    empty = [name for name in names if all(is_empty(row.values.get(name)) for row in rows)]
    return _named(empty, (*_LABEL, *_TARGET), besides=None)


def _lists_of_texts(columns: Mapping[str, Any]) -> list[str]:
    return [column for column, value in columns.items() if isinstance(value, list) and isinstance(value[0], str)]


def _near_answer(columns: Mapping[str, Any]) -> str | None:
    for column in columns:
        if difflib.get_close_matches(column.lower(), (*_LABEL, *_TARGET), n=1, cutoff=0.75):
            return column
    return None
