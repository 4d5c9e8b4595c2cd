"""What the columns of a file mean: finds the shape of its rows, says it in a sentence, and names what is missing.

Columns are taken by the names the field uses (PITFALLS: data formats). Where names do not decide, nothing is guessed:
the error lists the columns and the parameter to set. convert.py turns the rows of a shape into canonical ones.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slmkit.data.read import Row
from slmkit.errors import SlmkitError

Kind = Literal[
    "messages", "sharegpt", "preference", "kto", "prompt_completion", "alpaca", "slots", "squad", "passage_question",
    "classification", "input_target", "text",
]  # fmt: skip

_TEXT = ("text", "sentence", "utterance", "message", "query", "question", "claim", "input", "prompt", "instruction",
         "review", "tweet", "content", "body", "document", "full_text")  # fmt: skip
_TARGET = ("target", "answer", "answers", "output", "response", "completion", "ideal", "reference", "ref", "summary",
           "translation", "solution", "expected_output")  # fmt: skip
_LABEL = ("label_text", "label_name", "label", "labels", "category", "intent", "class", "sentiment", "topic", "tag")
_RECORD = ("json", "record", "fields", "slots", "entities", "annotation", "annotations")  # where they are JSON objects
_PASSAGE = ("context", "passage")
_ASIDE = ("id", "_id", "idx", "index", "key", "uid", "guid", "path", "file", "filename", "url", "line", "title",
          "source", "section", "split", "language", "lang", "metadata", "meta")  # fmt: skip
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
    """A kind of rows, and the column that plays each role in it."""

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
    """The shape of the rows, judged by the first of them; pass the first thousand or so.

    `text_column` and `label_column` name the input and the answer, whatever the columns are called. Without
    needs_answers a text beside columns that are no answer is plain text.
    Raises: SlmkitError naming the columns seen and the parameter to set.
    """
    seen = _columns(rows)
    for parameter, column in (("text_column", text_column), ("label_column", label_column)):
        if column is not None and column not in seen:
            near = difflib.get_close_matches(column, list(seen), n=1)
            raise SlmkitError(
                f"{parameter}={column!r} is no column; there are {_listed(seen)}",
                where=rows[0].where,
                fix=f"did you mean {parameter}={near[0]}?" if near else f"set {parameter}= to one of these",
            )
    if text_column is None and label_column is None:
        known = _known_shape(seen)
        if known:
            return known
    return _two_columns(rows, seen, text_column, label_column, needs_answers)


def unused_columns(rows: Sequence[Row], shape: Shape) -> list[str]:
    """The columns with texts that this shape leaves out, besides ids, titles and the like."""
    if shape.kind not in ("classification", "input_target", "passage_question", "text"):
        return []
    used = shape.columns.values()
    return [
        column
        for column, value in _columns(rows).items()
        if isinstance(value, str | list | dict) and column not in used and column.lower() not in _ASIDE
    ]


def _columns(rows: Sequence[Row]) -> dict[str, Any]:
    """Each column that holds anything, with its first value of the kind (text, list, record …) that it holds most."""
    first: dict[str, dict[type, Any]] = {}
    counts: dict[str, Counter[type]] = {}
    for row in rows:
        for column, value in row.values.items():
            if value not in (None, "", [], {}):
                first.setdefault(column, {}).setdefault(type(value), value)
                counts.setdefault(column, Counter())[type(value)] += 1
    return {column: first[column][counts[column].most_common(1)[0][0]] for column in first}


def _known_shape(seen: Mapping[str, Any]) -> Shape | None:
    """A shape that its column names alone decide."""

    def found(kind: Kind, *columns: str) -> Shape:
        return Shape(kind, {column: column for column in columns})

    def is_list_of(column: str, *keys: str) -> bool:
        value = seen.get(column)
        return isinstance(value, list) and isinstance(value[0], dict) and all(key in value[0] for key in keys)

    if is_list_of("messages", "role"):
        return found("messages", "messages")
    if is_list_of("conversations", "from", "value"):
        return found("sharegpt", "conversations")
    if is_list_of("conversations", "role"):
        return Shape("messages", {"messages": "conversations"})
    if is_list_of("paragraphs", "qas"):
        return found("squad")
    if is_list_of("data", "text"):
        return found("slots", "data")
    if "chosen" in seen and "rejected" in seen:
        return found("preference", *(("prompt",) if "prompt" in seen else ()), "chosen", "rejected")
    if "prompt" in seen and "completion" in seen:
        if isinstance(seen.get("label"), bool):
            return found("kto", "prompt", "completion", "label")
        return found("prompt_completion", "prompt", "completion")
    if "instruction" in seen and ("output" in seen or is_list_of("instances", "output")):
        return Shape("alpaca", {"instruction": "instruction", "output": "output" if "output" in seen else "instances"})
    return None


def _two_columns(
    rows: Sequence[Row],
    seen: Mapping[str, Any],
    text_column: str | None,
    label_column: str | None,
    needs_answers: bool,
) -> Shape:
    """A text and an answer: named by the caller, by a usual name, or the only two columns there are."""
    if text_column is not None and text_column == label_column:
        fix = "name the column of the answers in label_column"
        raise SlmkitError(f"{text_column!r} cannot be both text and label", where=rows[0].where, fix=fix)
    usable = [
        column
        for column, value in seen.items()
        if column.lower() not in _ASIDE
        and not column.startswith("column_")
        and not (isinstance(value, dict) and "text" not in value)
    ]
    strings = [column for column in usable if isinstance(seen[column], str)]
    records = [column for column, value in seen.items() if isinstance(value, dict) and "text" not in value]
    text = text_column or _named(strings, _TEXT, besides=label_column)
    label = label_column or _named(usable, _LABEL, besides=text) or _named(usable, _TARGET, besides=text)
    label = label or _named(records, (*_RECORD, *_TARGET), besides=text)
    if label is None and text is not None and not text_column:  # "input" beside "instruction" is no answer
        others = [column for column in usable if column != text]
        label = others[0] if len(others) == 1 and _is_answer(seen[others[0]]) else None
    if text is None and label is not None:
        others = [column for column in strings if column != label]
        text = others[0] if len(others) == 1 else None
    if text is None and label is None and len(usable) == 2:
        text, label = _by_content(rows, *usable)
    file_is_table = rows[0].file.suffix.lower() in (".csv", ".tsv")
    if label is None and not needs_answers and text is None and len(strings) == 1:
        text = strings[0]
    if text and label is None and (not needs_answers or (usable == [text] and (text_column or not file_is_table))):
        return Shape("text", {"text": text})
    if text is None or label is None:
        raise _missing(rows, seen, text, label)
    passage = _named(strings, _PASSAGE, besides=text)
    if passage and passage != label and not label_column:
        return Shape("passage_question", {"text": text, "label": label, "passage": passage})
    is_label = _named([label], _LABEL, besides=None) == label and not _all_differ(rows, label)
    kind: Kind = "classification" if is_label or _repeats(rows, label) else "input_target"
    return Shape(kind, {"text": text, "label": label})


def _named(columns: Sequence[str], names: Sequence[str], *, besides: str | None) -> str | None:
    """The column with the first of the usual names; "evidence_label" counts as a label."""
    lower = {column.lower(): column for column in columns if column != besides}
    for name in names:
        if name in lower:
            return lower[name]
    ends = [column for column in lower if names is _LABEL and column.endswith(("_label", "_category", "_class"))]
    return lower[ends[0]] if len(ends) == 1 else None


def _is_answer(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _by_content(rows: Sequence[Row], first: str, second: str) -> tuple[str | None, str | None]:
    """(text, label) of two columns where one repeats a few short values and the other does not; else (None, None)."""
    repeats = [_repeats(rows, column) for column in (first, second)]
    if repeats == [True, False]:
        return second, first
    if repeats == [False, True]:
        return first, second
    return None, None


def _repeats(rows: Sequence[Row], column: str) -> bool:
    """Whether these are labels: short, and each seen three times on average."""
    if any(isinstance(value := row.values.get(column), list) and len(value) > 1 for row in rows):
        return False  # several right answers
    values = _filled(rows, column)
    return bool(values) and len(set(values)) * 3 <= len(values) and max(map(len, values)) <= 60


def _all_differ(rows: Sequence[Row], column: str) -> bool:
    """Whether a column called label holds free text: twenty values or more, most of them different."""
    values = _filled(rows, column)
    return len(values) >= 20 and len(set(values)) * 2 > len(values)


def _filled(rows: Sequence[Row], column: str) -> list[str]:
    return [str(row.values[column]) for row in rows if row.values.get(column) not in (None, "")]


def _missing(rows: Sequence[Row], seen: Mapping[str, Any], text: str | None, label: str | None) -> SlmkitError:
    if text is None and label is None:
        what, fix = "cannot tell which column is the text and which the answer", "text_column=NAME label_column=NAME"
    elif label is None:
        what, fix = f"found the text in {text!r} but no label or answer", "label_column=NAME"
        fix += ", or text_as=text to train on the text alone"
    elif isinstance(seen[label], str) and (lists := _lists_of_texts(seen)):
        what = f"found the answer in {label!r}, but the texts in {lists[0]!r} are lists"
        fix = f'text_column=NAME, or write {lists[0]!r} as messages: [{{"role": "user", "content": …}}, …]'
    else:
        what, fix = f"found the answer in {label!r} but cannot tell which column is the text", "text_column=NAME"
    near = _near_label(seen) if label is None else None
    is_sentence = rows[0].file.suffix.lower() in (".csv", ".tsv") and any(" " in column for column in seen)
    header = "; or does the file lack a first line that names its columns?" if is_sentence else ""
    return SlmkitError(
        f"{what}; columns: {_listed(seen)}",
        where=rows[0].where,
        fix=f"set {fix}" + (f" (is it {near!r}?)" if near else "") + header,
    )


def _lists_of_texts(seen: Mapping[str, Any]) -> list[str]:
    return [column for column, value in seen.items() if isinstance(value, list) and isinstance(value[0], str)]


def _near_label(seen: Mapping[str, Any]) -> str | None:
    for column in seen:
        if difflib.get_close_matches(column.lower(), (*_LABEL, *_TARGET), n=1, cutoff=0.75):
            return column
    return None


def _listed(columns: Mapping[str, Any]) -> str:
    names = list(columns)
    return ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
