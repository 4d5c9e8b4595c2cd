"""The shape of a file's rows: which kind of data it is, the role of each column, and the sentence that says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from slmkit.data.answer_column import NON_DATA_COLUMNS
from slmkit.data.cell import is_empty
from slmkit.data.convert_chats import CHAT_CONVERTERS, READ_COLUMNS
from slmkit.data.reading.read import Row
from slmkit.types import AnswersAre

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


def unused_columns(rows: Sequence[Row], shape: Shape) -> list[str]:
    """The columns that this shape does not use, without ids and other metadata."""
    if shape.kind in ("slots", "squad"):
        return []
    chats = READ_COLUMNS if shape.kind in CHAT_CONVERTERS or shape.kind == "calls" else ()
    prompts = _PROMPTS if shape.kind == "preference" and "prompt" not in shape.columns else ()
    used = {*shape.columns.values(), *shape.used, *chats, *prompts, *_MARKS}
    return [
        column
        for column in first_values(rows)
        if column not in used and (column.lower() not in NON_DATA_COLUMNS or column.lower() == "title")
    ]


def first_values(rows: Sequence[Row]) -> dict[str, Any]:
    """Each non-empty column with its first value of the type (text, list, object …) that most of its values have."""
    first: dict[str, dict[type, Any]] = {}
    counts: dict[str, Counter[type]] = {}
    for row in rows:
        for column, value in row.values.items():
            if value not in (None, "", [], {}) and not (isinstance(value, float) and is_empty(value)):
                first.setdefault(column, {}).setdefault(type(value), value)
                counts.setdefault(column, Counter())[type(value)] += 1
    return {column: first[column][counts[column].most_common(1)[0][0]] for column in first}
