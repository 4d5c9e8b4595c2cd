"""Finds the shape of a file's rows from their columns.

Columns are recognised by the names the field uses, for example messages, chosen and rejected, or text and label. If
the names do not decide, nothing is guessed: the error lists the columns and the parameter to set. convert.py turns
rows of a shape into canonical rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slmkit.data.answer_column import (
    answer_lists,
    asks_about_passage,
    find_text_and_answer,
    is_classification,
    passage_beside,
    passage_in,
    two_texts,
)
from slmkit.data.canonical_row import RowFault
from slmkit.data.columns.column_source import Source, find_source
from slmkit.data.columns.function_calls import tools_in
from slmkit.data.columns.row_parts import RowParts, row_parts
from slmkit.data.known_shape import known_shape, made_shape
from slmkit.data.reading.read import Row
from slmkit.data.shape import Kind, Shape, first_values
from slmkit.errors import SlmkitError
from slmkit.types import AnswersAre, ColumnNames

_TOOLS = "tools"  # a column that lists tools is offered to the model with the question
_ENOUGH_ROWS = 5000  # made from nested rows: of these, more would not change the shape


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
    columns = first_values(rows)
    named = {"text": text_column, "label": label_column, "document": passage_column}
    sources = {
        role: find_source(names, rows, key=f"{'passage' if role == 'document' else role}_column")
        for role, names in named.items()
        if names is not None
    }
    _check_apart(rows, sources)
    is_plain = all(source.is_column for source in sources.values()) and "document" not in sources
    if not sources and (known := known_shape(columns, rows)):
        return known
    if is_plain and (known := made_shape(rows, columns, sources)):
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
            others = _without_passages(others, sources)
            found = find_text_and_answer(rows, others, text_column=None, label_column=paths[0], needs_answers=True)
            sources["text"] = find_source(found.text, rows, key="text_column")
        parts = row_parts(rows, sources)
        rows = _made_rows(rows, parts) or rows
        columns = first_values(rows)
    return _text_and_answer(rows, columns, sources, parts, answers_are=answers_are, needs_answers=needs_answers)


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
    columns = _without_passages(columns, sources)
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
    kind: Kind = "input_target"
    if not found.passage and _are_turns(columns.get(found.text), columns.get(found.answer)):
        return Shape("turns", roles, said, used=used, notes=tuple(notes), remake=remake)
    lists = answer_lists(rows, found.answer, answers_are)
    notes += lists.notes
    if _TOOLS in columns and _TOOLS not in roles.values() and any(tools_in(row.values.get(_TOOLS)) for row in rows):
        roles["tools"] = _TOOLS
    shared = found.passage or (passage_in(sources["text"].paths) if is_composed else None)
    if found.passage and asks_about_passage(rows, found.text, found.passage):
        roles["document"], said["document"] = found.passage, repr(found.passage)
        template = f"{{{found.passage}}}\\n\\n{{{found.text}}}"
        notes.append(f"passages are documents to retrieve (text_column='{template}' puts them before the questions)")
    elif shared:
        roles["together"] = shared  # rows about one passage stay on one side of every split
    if found.passage and "document" not in roles:
        kind, roles["passage"] = "passage_question", found.passage
        if isinstance(columns[found.passage], str):
            notes.append(f"with passage_column={found.passage}, passages are documents to retrieve instead")
    elif not ("document" in roles or "label" in said or found.aliases or lists.are) and is_classification(
        rows, found.answer
    ):
        kind = "classification"
    return Shape(kind, roles, said, lists.are, used, tuple(notes), remake)


def _without_passages(columns: Mapping[str, Any], sources: Mapping[str, Source]) -> dict[str, Any]:
    """The columns without those named as passages: a passage is not its own question."""
    named = {path for role, source in sources.items() if role != "document" for path in source.paths}
    passages = set(sources["document"].paths) - named if "document" in sources else set()
    return {column: value for column, value in columns.items() if column not in passages}


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
