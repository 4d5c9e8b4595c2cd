"""Finds the shape of a file's rows from their columns: which kind of data it is, and the role of each column.

Columns are recognised by the names the field uses, for example messages, chosen and rejected, or text and label. If
the names do not decide, nothing is guessed: the error lists the columns and the parameter to set. convert.py turns
rows of a shape into canonical rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from slmkit.data.answer_column import (
    NON_DATA_COLUMNS,
    answer_lists,
    find_text_and_answer,
    is_classification,
    passage_beside,
    two_texts,
)
from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import is_empty
from slmkit.data.columns.column_source import Source, find_source
from slmkit.data.columns.function_calls import find_function_calls
from slmkit.data.columns.judged_pairs import find_judged_pairs
from slmkit.data.columns.multiple_choice import find_multiple_choice
from slmkit.data.columns.row_parts import RowParts, row_parts
from slmkit.data.convert_chats import CHAT_CONVERTERS, READ_COLUMNS
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError
from slmkit.types import AnswersAre, ColumnNames

Kind = Literal[
    "messages", "sharegpt", "preference", "kto", "prompt_completion", "alpaca", "slots", "squad", "passage_question",
    "classification", "input_target", "text", "turns", "choice", "judged", "calls",
]  # fmt: skip

# Gold cards store these sentences (read_as) and compare them later: rewording one refuses existing gold sets.
_SENTENCES: dict[str, str] = {
    "messages": "conversations in {messages}",
    "sharegpt": "ShareGPT conversations in {conversations}",
    "preference": "preference pairs: {chosen} over {rejected}",
    "kto": "prompts, completions, and whether they were good ({label})",
    "prompt_completion": "prompts in {prompt}, completions in {completion}",
    "alpaca": "instructions in {instruction}, answers in {output}",
    "slots": "utterances with marked slots in {data}: text to JSON",
    "squad": "questions about passages (SQuAD form)",
    "passage_question": "passages in {passage}, questions in {text}, answers in {label}",
    "classification": "texts in {text}, labels in {label}",
    "input_target": "inputs in {text}, answers in {label}",
    "text": "plain text in {text}, without answers",
    "turns": "conversations: what the user says in {text}, the answers in {label}",
    "choice": "multiple choice: questions in {text}, options in {options}, right ones in {answer}",
    "judged": "preference pairs: {first} or {second}, as judged in {verdicts}",
    "calls": "requests in {text}, tools in {tools}, calls in {calls}",
}
_PROMPTS = ("instruction", "question", "query", "conversations")  # read if preference rows have no column "prompt"
_MARKS = ("slice", "synthetic", "provenance")  # columns about a row that are read in every shape
_ENOUGH_ROWS = 5000  # made from nested rows: of these, more would not change the shape
_VERDICTS = {"true": True, "1": True, "1.0": True, "false": False, "0": False, "0.0": False}


@dataclass(frozen=True)
class Shape:
    """A kind of data, and the column that plays each role in it."""

    kind: Kind
    columns: Mapping[str, str] = field(default_factory=dict)  # role -> column
    said: Mapping[str, str] = field(default_factory=dict)  # role -> how a sentence names it, if not as one column
    answers_are: AnswersAre | None = None  # None: no cell holds a list of several
    used: frozenset[str] = frozenset()  # columns, besides those with a role
    notes: tuple[str, ...] = ()  # what the sentence does not say about how cells are read
    remake: Callable[[Row, Counter[str]], list[Row]] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        quoted = {role: repr(column) for role, column in self.columns.items()}
        quoted |= self.said
        if self.answers_are == "list":
            quoted["label"] += " (each list is one answer, as JSON)"
        sentence = _SENTENCES[self.kind].format(**quoted)
        if "document" in self.columns:
            sentence += f", passages in {self.said['document']}"
        if "aliases" in self.columns:
            sentence += f", other right answers in {self.columns['aliases']!r}"
        return sentence


def find_shape(
    rows: Sequence[Row],
    *,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    passage_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
    needs_answers: bool = True,
) -> Shape:
    """The shape of a file, judged by its first rows; a thousand are enough.

    `text_column` and `label_column` name the input and the answer and override recognised names: a column, a list of
    columns, a template or a path; see column_source.py. `passage_column` names the passage that the answer is in: a
    document for retrieval, not part of the input. `answers_are` states what a list in the answer column is: several
    right answers, or one. With needs_answers=False, a text column without an answer column is plain text.
    Raises: SlmkitError naming the columns found and the parameter to set.
    """
    columns = _first_values(rows)
    named = {"text": text_column, "label": label_column, "document": passage_column}
    sources = {
        role: find_source(names, rows, key=f"{'passage' if role == 'document' else role}_column")
        for role, names in named.items()
        if names is not None
    }
    _check_apart(rows, sources)
    is_plain = all(source.is_column for source in sources.values()) and "document" not in sources
    if not sources and (known := _known_shape(columns)):
        return known
    if is_plain and (known := _made_shape(rows, columns, sources)):
        return known
    if "text" not in sources and (two := two_texts(columns)):
        sources["text"] = find_source(two, rows, key="text_column")
        is_plain = False
    if "document" not in sources and "text" in sources:
        beside = passage_beside(sources["text"].paths, columns, rows)
        if beside:
            sources["document"] = find_source(beside, rows, key="passage_column")
    parts = None
    if not is_plain:
        if "label" in sources and "text" not in sources:
            paths = sources["label"].paths
            others = {column: value for column, value in columns.items() if column not in paths[1:]}
            found = find_text_and_answer(rows, others, text_column=None, label_column=paths[0], needs_answers=True)
            sources["text"] = find_source(found.text, rows, key="text_column")
        parts = row_parts(rows, sources)
        rows = _made_rows(rows, parts) or rows
        columns = _first_values(rows)
    return _text_and_answer(rows, columns, sources, parts, answers_are=answers_are, needs_answers=needs_answers)


def unused_columns(rows: Sequence[Row], shape: Shape) -> list[str]:
    """The columns that this shape does not use, without ids and other metadata."""
    if shape.kind in ("slots", "squad"):
        return []
    chats = READ_COLUMNS if shape.kind in CHAT_CONVERTERS or shape.kind == "calls" else ()
    prompts = _PROMPTS if shape.kind == "preference" and "prompt" not in shape.columns else ()
    used = {*shape.columns.values(), *shape.used, *chats, *prompts, *_MARKS}
    return [
        column
        for column in _first_values(rows)
        if column not in used and (column.lower() not in NON_DATA_COLUMNS or column.lower() == "title")
    ]


def _text_and_answer(
    rows: Sequence[Row],
    columns: Mapping[str, Any],
    sources: Mapping[str, Source],
    parts: RowParts | None,
    *,
    answers_are: AnswersAre | None,
    needs_answers: bool,
) -> Shape:
    """The shape of rows with a text and an answer, which are named, made or recognised."""
    is_composed = "text" in sources and bool(sources["text"].is_list or sources["text"].literals)
    if is_composed:  # the text must not contain its answer
        columns = {column: value for column, value in columns.items() if column not in sources["text"].paths}
    found = find_text_and_answer(
        rows,
        columns,
        text_column=sources["text"].name if "text" in sources else None,
        label_column=sources["label"].name if "label" in sources else None,
        needs_answers=needs_answers,
        finds_passage="document" not in sources and not is_composed,
    )
    said = {role: source.said for role, source in sources.items() if source.is_list}
    if "label" in said:
        said["label"] += " as one record"
    remake = (lambda row, gaps: parts.rows(row, gaps=gaps)) if parts else None
    used = frozenset(path.split(".")[0] for s in sources.values() for path in s.paths) | frozenset(
        path for source in sources.values() for path in source.paths
    )
    roles = {"text": found.text}
    paired = parts.paired if parts else {}
    notes = [f"{other!r} and {one!r} go together item by item" for one, other in paired.items()]
    if "document" in sources:
        roles["document"] = sources["document"].name
        said["document"] = sources["document"].said
    if found.answer is None:
        return Shape("text", roles, said, used=used, notes=tuple(notes), remake=remake)
    roles["label"] = found.answer
    if found.aliases:
        roles["aliases"] = found.aliases
    lists = answer_lists(rows, found.answer, answers_are)
    notes += lists.notes
    kind: Kind = "input_target"
    if found.passage:
        kind, roles["passage"] = "passage_question", found.passage
    elif _are_turns(columns.get(found.text), columns.get(found.answer)):
        return Shape("turns", roles, used=used)
    elif not ("document" in sources or "label" in said or found.aliases or lists.are) and is_classification(
        rows, found.answer
    ):
        kind = "classification"
    return Shape(kind, roles, said, lists.are, used, tuple(notes), remake)


def _check_apart(rows: Sequence[Row], sources: Mapping[str, Source]) -> None:
    """Refuses a text that contains its answer."""
    if "text" in sources and "label" in sources:
        shared = set(sources["text"].paths) & set(sources["label"].paths)
        if shared and not (sources["text"].is_column and sources["label"].is_column):
            raise SlmkitError(
                f"{min(shared)!r} is in text_column and in label_column, so the text would contain its answer",
                where=rows[0].where,
                fix="remove it from text_column",
            )


def _are_turns(asked: Any, answers: Any) -> bool:
    """Whether a list of texts and a list of answers are the turns of a conversation."""
    return isinstance(asked, list) and isinstance(answers, list) and isinstance(asked[0], str)


def _made_rows(rows: Sequence[Row], parts: RowParts) -> list[Row]:
    made = []
    for row in rows:
        try:
            made += parts.rows(row)
        except RowFault:
            continue
        if len(made) > _ENOUGH_ROWS:
            break
    return made[:_ENOUGH_ROWS]


def _first_values(rows: Sequence[Row]) -> dict[str, Any]:
    """Each non-empty column with its first value of the type (text, list, object …) that most of its values have."""
    first: dict[str, dict[type, Any]] = {}
    counts: dict[str, Counter[type]] = {}
    for row in rows:
        for column, value in row.values.items():
            if value not in (None, "", [], {}) and not (isinstance(value, float) and is_empty(value)):
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


def _made_shape(rows: Sequence[Row], columns: Mapping[str, Any], sources: Mapping[str, Source]) -> Shape | None:
    """The shape of rows whose text or answer is made of several columns by a known form, or None."""
    text = sources["text"].name if "text" in sources else None
    label = sources["label"].name if "label" in sources else None
    if calls := find_function_calls(columns, text_column=text, label_column=label):
        roles = {"text": calls.text, "tools": calls.tools, "calls": calls.calls}
        return Shape("calls", roles, remake=lambda row, gaps: [calls.row(row)])
    if choice := find_multiple_choice(rows, columns, text_column=text, label_column=label):
        said = {"text": _listed(choice.question), "options": _listed(choice.options)}
        roles = {"answer": choice.answer}
        used = frozenset((*choice.question, *choice.options, *([choice.passage] if choice.passage else [])))
        notes = (
            *((f"passages in {choice.passage!r}",) if choice.passage else ()),
            "the model answers with the letter of an option",
        )
        return Shape("choice", roles, said, used=used, notes=notes, remake=lambda row, gaps: [choice.row(row)])
    if not sources and (pairs := find_judged_pairs(rows, columns)):
        said = {"verdicts": _listed(pairs.verdicts)}
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


def _listed(columns: Sequence[str]) -> str:
    quoted = [repr(column) for column in columns]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} and {quoted[-1]}"
