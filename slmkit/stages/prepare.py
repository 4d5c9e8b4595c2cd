"""The prepare stage: turns a data file of any shape into training rows and records why each other row was dropped."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterable, Sequence, Set
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from slmkit import charts
from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.clean_rows import Leaks, clean_rows
from slmkit.data.cleaning.filters import Filters
from slmkit.data.cleaning.steps import CleanedRows, Step, text_change, unused_step_notes
from slmkit.data.documents import own_documents, passages_of_rows, read_passages
from slmkit.data.find_shape import find_shape
from slmkit.data.lengths import OnOverflow
from slmkit.data.most_lost import refuse_if_most_are_lost, refuse_if_most_are_unusable
from slmkit.data.own_validation import (
    cut_validation,
    into_sides,
    with_own_validation,
    without_validation_questions,
)
from slmkit.data.prepare_report import (
    report_contradictions,
    report_labels,
    report_missing_passages,
    report_rows,
    write_card,
)
from slmkit.data.read_canonical import CanonicalData, check_group_column, read_canonical
from slmkit.data.reading.read import Row, read_rows
from slmkit.data.reading.split_rows import evaluation_files
from slmkit.data.row_counts import counted_reasons, lost_rows
from slmkit.data.together import drop_together
from slmkit.errors import SlmkitError
from slmkit.gold.frozen_from import COLUMNS, frozen_columns, was_frozen_from
from slmkit.gold.gold_set import read_gold
from slmkit.models.check_model import check_model
from slmkit.models.load import load_tokenizer
from slmkit.rows.fit_rows import Fit, fit_template, with_instruction
from slmkit.rows.template_check import Thinking
from slmkit.runs.run_folder import Run
from slmkit.text.words import count_words
from slmkit.types import AnswersAre, ColumnNames, Example, Input, Keys, Model, NonNegativeInt, Passage, PositiveInt

_STEPS: list[Step] = ["duplicates", "near_duplicates"]
_CHECK_SECONDS = 0.4  # time the pre-flight check may read: all of most files, the head of a very long one
_HEAD_ROWS = 1000


def prepare(
    run: Run,
    *,
    data: Input,
    gold: Input | None = None,
    more_gold: list[Input] | None = None,
    documents: Input | None = None,
    model: Model | None = None,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    passage_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
    group_column: str | None = None,
    encoding: str = "auto",
    instruction: str | None = None,
    text_as: Literal["questions", "text"] = "questions",
    licence: str | None = None,
    steps: list[Step] | None = None,
    filters: Keys[Filters] = Filters(),  # noqa: B008 - frozen
    leaks: Leaks = "near",
    max_rows: PositiveInt | None = None,
    max_length: PositiveInt | Literal["auto"] = "auto",
    on_overflow: OnOverflow = "error",
    thinking: Thinking | None = None,
    find_label_suspects: bool = False,
    allow_loss: bool = False,
    validation_size: float = 0.1,
    chunk_size: PositiveInt = 120,
    chunk_overlap: NonNegativeInt = 0,
    chunk_by: Literal["words", "tokens"] = "words",
) -> None:
    """Turns a data file into training and validation rows without duplicates and without gold questions.

    Writes train.jsonl, validation.jsonl, documents.jsonl, dropped.jsonl (each dropped row with its reason and line),
    changed.jsonl, and the data card as card.yaml and card.html. documents.jsonl is what a retriever searches: the
    given `documents`, else those that came with the data, else the training rows; text steps change it too.

    `text_column` and `label_column` name a column, a list of columns, a template ('{Body} {Question}') or a path into
    nested values; `passage_column` names the text that contains the answer. `answers_are` states what a list in the
    answer column is: several right answers (alternatives) or one (list); by default the column's name decides.
    The validation rows are the data's own validation split; without one, about validation_size of the rows, by hash.
    Then rows with the same `group_column` value, or about the same passage, stay on the same side. `steps` run
    in the given order; the default is duplicates, near_duplicates. `leaks` decides which rows are dropped because they
    are in the gold set: near duplicates too (near), exact matches only (exact), or none, to demonstrate a leak (keep).
    `more_gold` names gold sets of other data whose questions are dropped too. The run is refused if half of the rows
    or more are unusable, or more than nine in ten are unusable, repeated or in the gold set; `allow_loss` accepts it.
    `instruction` is the system message; the default is that of the gold card. `text_as` decides what plain text
    becomes: gap-fill questions, or text to continue.

    With a `model`, the rows are checked against its chat template and measured in its tokens. A template is refused if
    it would leave every token, or the end-of-turn token, out of the loss. `on_overflow` decides what happens to rows
    above max_length: the run fails if they are more than 1% (error), they are dropped (drop), or they are split
    between exchanges or paragraphs (split). chunk_size and chunk_overlap are in words or, with chunk_by=tokens, in
    tokens of the model.
    """
    frozen = read_gold(gold) if gold else None
    columns: dict[str, Any] = {
        "text_column": text_column,
        "label_column": label_column,
        "passage_column": passage_column,
        "answers_are": answers_are,
        "group_column": group_column,
        "encoding": encoding,
    }
    if frozen:
        columns = frozen_columns(frozen, data, columns, on_note=run.note)
    reading = {**columns, "text_as": text_as}
    with run.progress("read", unit="rows") as bar:
        found = read_canonical(
            data,
            **reading,
            on_note=run.note,
            on_row=bar.advance,
        )
    if validation_size > 0:
        is_gold_given = frozen is None or not was_frozen_from(frozen, evaluation_files(data, encoding=encoding))
        found = with_own_validation(data, found, is_gold_given=is_gold_given, on_note=run.note, **reading)
    active = _STEPS if steps is None else steps
    if instruction is None:
        instruction = frozen.task.instruction if frozen else found.instruction
    filters.check(active, kind=found.kind)
    known = [one for one in (frozen, *map(read_gold, more_gold or ())) if one]
    done = _clean(
        run,
        found,
        [example for one in known for example in (*one.examples, *one.dev)],
        apart={id for one in known for id in one.apart},
        data=data,
        steps=active,
        filters=filters,
        leaks=leaks,
        max_rows=max_rows,
        allow_loss=allow_loss,
    )
    done = replace(done, rows=cut_validation(done.rows, validation_size=validation_size, on_note=run.note))
    fit: Fit | None = None
    if model is not None:
        fit = fit_template(
            done.rows,
            model=model,
            instruction=instruction,
            max_length=max_length,
            on_overflow=on_overflow,
            thinking=thinking,
        )
        _report_fit(run, fit)
        done = CleanedRows(fit.done.rows, [*done.dropped, *fit.done.dropped], [*done.changed, *fit.done.changed])
    train, validation = into_sides(
        done.rows, read=found.rows, dropped=done.dropped, validation_size=validation_size, on_note=run.note
    )
    ids = [row.id for row in train]  # hashes, used twice
    rewrite = text_change(active, filters)
    if documents := documents or own_documents(data):
        passages = read_passages(
            documents,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            tokenizer=load_tokenizer(model) if model and chunk_by == "tokens" else None,
            encoding=encoding,
            rewrite=rewrite,
            on_note=run.note,
        )
    else:
        passages = passages_of_rows(found.rows, train=zip(ids, train, strict=True), rewrite=rewrite)
    _write_tables(run, done, zip(ids, train, strict=True), validation, passages, instruction=instruction)
    report_rows(run, found, done, train=train, validation=validation, passages=passages)
    if found.kind == "classification":
        report_labels(run, done.rows, find_suspects=find_label_suspects)
    report_contradictions(run, done.rows)
    for note in unused_step_notes(found.rows, active, keep_targets=found.kind == "classification"):
        run.note(note)
    report_missing_passages(run, frozen, passages)
    lengths = fit.lengths if fit else [count_words(row.input) + count_words(row.target) for row in done.rows]
    run.figure("lengths", charts.histogram(lengths, xlabel=f"{'tokens' if fit else 'words'} per row"))
    if run.is_main:
        write_card(run, data, found, done, frozen, train=train, validation=validation, steps=active, licence=licence)


def check(
    *,
    data: Input,
    gold: Input | None = None,
    more_gold: list[Input] | None = None,
    model: Model | None = None,
    encoding: str = "auto",
    text_as: Literal["questions", "text"] = "questions",
    steps: list[Step] | None = None,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    validation_size: float = 0.1,
    chunk_by: Literal["words", "tokens"] = "words",
    **others: Any,
) -> None:
    """Reads the data briefly, so that a broken row, a missing column or a changed gold set is reported at once."""
    if not 0 <= validation_size <= 0.5:
        raise SlmkitError(
            f"validation_size={validation_size} is not between 0 and 0.5", where="with.validation_size", fix="use 0.1"
        )
    if chunk_by == "tokens" and model is None:
        raise SlmkitError("chunk_by=tokens needs a model", where="with.chunk_by", fix="set model, or chunk_by=words")
    filters.check(_STEPS if steps is None else steps)
    if model is not None:
        check_model(model)
    for other in more_gold or ():
        if other.exists():
            read_gold(other)
    columns: dict[str, Any] = {key: others.get(key) for key in COLUMNS} | {"encoding": encoding}
    if gold is not None and gold.exists():
        columns = frozen_columns(read_gold(gold), data, columns)
    if data.exists():
        until = time.monotonic() + _CHECK_SECONDS
        head: list[Row] = []
        for row in read_rows(data, encoding=columns.pop("encoding")):
            if len(head) < _HEAD_ROWS:  # these decide the shape, so they are read even on a slow machine
                head.append(row)
            elif time.monotonic() > until:
                break
        needs_answers = text_as == "questions"
        if group := columns.pop("group_column"):
            check_group_column(group, head)
        find_shape(head, **columns, needs_answers=needs_answers)


def _clean(
    run: Run,
    found: CanonicalData,
    gold: Sequence[Example],
    *,
    apart: Set[str],
    data: Path,
    steps: Sequence[Step],
    filters: Filters,
    leaks: Leaks,
    max_rows: int | None,
    allow_loss: bool,
) -> CleanedRows:
    """The rows to train on; its dropped rows include those that could not be read."""
    num_rows = len(found.rows) + len(found.dropped)
    if not allow_loss:
        refuse_if_most_are_unusable(num_rows, found.dropped)
    asked = {example.id for example in gold}
    near = drop_together(found.rows, set() if leaks == "keep" else apart, asked=asked)
    with run.progress("compare with the gold set and with each other", total=2 * len(near.rows), unit="rows") as bar:
        done = clean_rows(
            near.rows,
            steps=steps,
            keep_targets=found.kind == "classification",
            filters=filters,
            gold=gold,
            leaks=leaks,
            max_rows=max_rows,
            on_rows=bar.advance,
            on_note=run.note,
        )
    done = without_validation_questions(done)
    done = replace(done, dropped=[*near.dropped, *done.dropped])
    dropped = [*found.dropped, *done.dropped]
    if all(row.is_validation for row in done.rows):
        raise SlmkitError(
            f"no rows left to train on: dropped {counted_reasons(dropped)}",
            where=str(data),
            fix="use other data, or a gold set that does not contain all of it",
        )
    if not allow_loss:
        refuse_if_most_are_lost(num_rows, lost_rows(found.dropped, done.dropped), where=str(data))
    return CleanedRows(done.rows, dropped, done.changed)


def _write_tables(
    run: Run,
    done: CleanedRows,
    train: Iterable[tuple[str, CanonicalRow]],
    validation: Sequence[CanonicalRow],
    passages: Sequence[Passage],
    *,
    instruction: str,
) -> None:
    def line(id: str, row: CanonicalRow) -> dict[str, Any]:
        return {"id": id, **with_instruction(row.values, instruction)}

    run.table("train", itertools.starmap(line, train))
    run.table("validation", (line(row.id, row) for row in validation))
    run.table("documents", (passage.to_dict() for passage in passages))
    run.table("dropped", (asdict(row) for row in done.dropped))
    run.table("changed", (asdict(row) for row in done.changed))


def _report_fit(run: Run, fit: Fit) -> None:
    """Reports the loss mask, template faults and row lengths, and why max_length was chosen."""
    for note in fit.notes:
        run.note(note)
    run.table("template", fit.faults)
    run.table("mask", fit.mask)
    run.metric(**fit.metrics)
