"""The prepare stage: a file of any shape becomes training rows, and every row left out keeps its reason."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from slmkit import charts
from slmkit.data.canonical import Canonicals, Dropped, read_canonical
from slmkit.data.cleaning.filters import Filters
from slmkit.data.cleaning.label_report import label_report
from slmkit.data.cleaning.steps import Leaks, Step, Stepped, apply_steps, drop_gold, drop_surplus, would_change
from slmkit.data.convert import Canonical
from slmkit.data.documents import own_documents, read_passages
from slmkit.data.lengths import OnOverflow
from slmkit.data.read import Row, read_rows
from slmkit.data.shape import find_shape
from slmkit.data.split import split
from slmkit.errors import SlmkitError
from slmkit.files import to_yaml, write_atomically
from slmkit.gold.gold_set import Gold, passage_id, read_gold
from slmkit.models.load import check_model, load_tokenizer
from slmkit.rows.fit_rows import Fit, fit_template, with_instruction
from slmkit.rows.template_check import Thinking
from slmkit.runs.run import Run
from slmkit.types import Input, Keys, Model, NonNegativeInt, Passage, PositiveInt

_STEPS: list[Step] = ["duplicates", "near_duplicates"]
_CHECK_SECONDS = 0.4  # how long the pre-flight reads: all of most files, the head of a very long one
_HEAD_ROWS = 1000


def prepare(
    run: Run,
    *,
    data: Input,
    gold: Input | None = None,
    documents: Input | None = None,
    model: Model | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
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
    validation_size: float = 0.1,
    chunk_size: PositiveInt = 120,
    chunk_overlap: NonNegativeInt = 0,
    chunk_by: Literal["words", "tokens"] = "words",
) -> None:
    """Turns a data file into training and validation rows without duplicates and without gold.

    Writes train.jsonl, validation.jsonl, documents.jsonl (what a retriever searches: `documents`, else those that came
    with the data, else the training rows), dropped.jsonl (each row left out, with its reason and line), changed.jsonl,
    and the card of the data as card.yaml and card.html.

    Rows of one `group_column` value, or about one passage, go to the same side of the split. `steps` run in their
    order; unset: duplicates, near_duplicates. `leaks` says which rows are dropped for standing in gold: also those
    nearly equal, exact ones only, or none (to show what a leak does). `instruction` is the system message; the gold
    card's is taken where it is unset. `text_as` says what plain text becomes: gap-fill questions, or text to continue.

    With a `model` the rows are held against its chat template and measured in its tokens: a template that would train
    nothing, or not the end of an answer, is refused. `on_overflow` says what becomes of rows above max_length: more
    than 1 % of them end the run, they are dropped, or split where that does no harm. chunk_size and chunk_overlap
    count words, or by `chunk_by` the tokens of the model.
    """
    with run.progress("read", unit="rows") as bar:
        found = read_canonical(
            data,
            text_column=text_column,
            label_column=label_column,
            group_column=group_column,
            encoding=encoding,
            text_as=text_as,
            on_note=run.note,
            on_row=bar.advance,
        )
    frozen = read_gold(gold) if gold else None
    active = _STEPS if steps is None else steps
    if instruction is None:
        instruction = frozen.task.instruction if frozen else found.instruction
    filters.check(active, kind=found.kind)
    done = _kept(run, found, frozen, steps=active, filters=filters, leaks=leaks, max_rows=max_rows)
    if not done.rows:
        raise SlmkitError(
            f"no row is left to train on: {_why(done.dropped)}",
            where=str(data),
            fix="give other data, or a gold set that does not hold all of it",
        )
    fit: Fit | None = None
    if model is not None and {"messages", "text"} & set(done.rows[0].values):
        fit = fit_template(
            done.rows,
            model=model,
            instruction=instruction,
            max_length=max_length,
            on_overflow=on_overflow,
            thinking=thinking,
        )
        _report_fit(run, fit)
        done = Stepped(fit.done.rows, [*done.dropped, *fit.done.dropped], [*done.changed, *fit.done.changed])
    train, validation = split(
        done.rows, validation_size=validation_size, key=lambda row: row.group or row.passage or row.input
    )
    documents = documents or own_documents(data)
    passages = (
        read_passages(
            documents,
            chunk_size=chunk_size,
            chunk_overlap=chunk_overlap,
            tokenizer=load_tokenizer(model) if model and chunk_by == "tokens" else None,
            encoding=encoding,
            on_note=run.note,
        )
        if documents
        else _own_passages(found.rows, train)
    )
    run.table("train", (_line(row, instruction) for row in train))
    run.table("validation", (_line(row, instruction) for row in validation))
    run.table("documents", ({"id": passage.id, "text": passage.text} for passage in passages))
    run.table("dropped", (asdict(row) for row in done.dropped))
    run.table("changed", (asdict(row) for row in done.changed))
    _report(
        run,
        found,
        done,
        train=train,
        validation=validation,
        passages=passages,
        find_label_suspects=find_label_suspects,
    )
    _report_suspects(run, found, active)
    _report_gold(run, frozen, passages)
    run.figure("lengths", _lengths_figure(fit.lengths if fit else [], done.rows))
    if run.is_main:
        notes = [json.loads(line)["text"] for line in run.path("notes.jsonl").read_text(encoding="utf-8").splitlines()]
        from slmkit.data.data_card import data_card
        from slmkit.data.data_card_page import card_page

        gold_named = None
        if frozen is not None:
            gold_named = {"name": frozen.task.name, "sha256": frozen.sha256, "licence": frozen.card.get("licence")}
        card = data_card(
            data,
            found=found,
            done=done,
            train=train,
            validation=validation,
            steps=active,
            gold=gold_named,
            licence=licence,
            warnings=notes,
        )
        write_atomically(run.path("card.yaml"), to_yaml(card))
        write_atomically(run.path("card.html"), card_page(card))


def check(
    *,
    data: Input,
    gold: Input | None = None,
    model: Model | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "auto",
    text_as: Literal["questions", "text"] = "questions",
    steps: list[Step] | None = None,
    filters: Filters = Filters(),  # noqa: B008 - frozen
    validation_size: float = 0.1,
    chunk_by: Literal["words", "tokens"] = "words",
    **_others: Any,
) -> None:
    """Reads the data for a moment, so that a broken row, a missing column or a changed gold set shows at once."""
    if not 0 <= validation_size <= 0.5:
        raise SlmkitError(
            f"validation_size={validation_size} is no share from 0 to 0.5", where="with.validation_size", fix="use 0.1"
        )
    if chunk_by == "tokens" and model is None:
        raise SlmkitError(
            "chunk_by=tokens without a model", where="with.chunk_by", fix="give the `model` whose tokens count"
        )
    filters.check(_STEPS if steps is None else steps)
    if model is not None:
        check_model(model)
    if data.exists():
        until = time.monotonic() + _CHECK_SECONDS
        head: list[Row] = []
        for row in read_rows(data, encoding=encoding):
            if len(head) < _HEAD_ROWS:  # what the shape is judged by, however slow the machine
                head.append(row)
            elif time.monotonic() > until:
                break
        needs_answers = text_as == "questions"
        find_shape(head, text_column=text_column, label_column=label_column, needs_answers=needs_answers)
    if gold is not None and gold.exists():
        read_gold(gold)


def _kept(
    run: Run,
    found: Canonicals,
    gold: Gold | None,
    *,
    steps: Sequence[Step],
    filters: Filters,
    leaks: Leaks,
    max_rows: int | None,
) -> Stepped:
    """The rows without gold, through the steps, without gold once more where these changed any, at most max_rows."""
    held = [*gold.examples, *gold.dev] if gold else []
    with run.progress("compare with gold and with each other", total=2 * len(found.rows), unit="rows") as bar:
        clean = drop_gold(found.rows, held, leaks=leaks, on_rows=bar.advance)
        keep_targets = found.kind == "classification"
        done = apply_steps(clean.rows, steps, keep_targets=keep_targets, filters=filters, on_rows=bar.advance)
        again = drop_gold(done.rows, held, leaks=leaks) if done.changed else Stepped(done.rows)
        last = drop_surplus(again.rows, max_rows)
    left_out = [*found.dropped, *clean.dropped, *done.dropped, *again.dropped, *last.dropped]
    return Stepped(last.rows, left_out, done.changed)


def _report_fit(run: Run, fit: Fit) -> None:
    """What the template makes of the rows and how long they are; the notes say what was chosen and why."""
    for note in fit.notes:
        run.note(note)
    run.table("template", fit.faults)
    run.table("mask", fit.mask)
    run.metric(**fit.metrics)


def _own_passages(rows: Sequence[Canonical], train: Sequence[Canonical]) -> list[Passage]:
    """The passages that came with the data, of all rows; where there are none, one a training row."""
    texts = dict.fromkeys(row.passage for row in rows if row.passage)
    if texts:
        return [Passage(passage_id(text), text) for text in texts]
    return [Passage(row.id, f"{row.input}\n{row.target}".strip()) for row in train]


def _line(row: Canonical, instruction: str) -> dict[str, Any]:
    return {"id": row.id, **with_instruction(row.values, instruction)}


def _report(
    run: Run,
    found: Canonicals,
    done: Stepped,
    *,
    train: Sequence[Canonical],
    validation: Sequence[Canonical],
    passages: Sequence[Passage],
    find_label_suspects: bool,
) -> None:
    """Counts by step and label, and the sentence that sums them up."""
    reasons = Counter(row.reason for row in done.dropped)
    num_rows_in = len(found.rows) + len(found.dropped)
    counted = [{"step": "read", "rows": num_rows_in}]
    counted += [{"step": f"dropped: {reason}", "rows": -count} for reason, count in reasons.most_common()]
    added = len(train) + len(validation) + len(done.dropped) - num_rows_in
    counted += [{"step": "added by splitting", "rows": added}] if added else []
    counted += [{"step": "train", "rows": len(train)}, {"step": "validation", "rows": len(validation)}]
    run.table("steps", counted)
    run.metric(
        num_rows_in=num_rows_in,
        num_train=len(train),
        num_validation=len(validation),
        num_dropped=len(done.dropped),
        num_changed=len(done.changed),
        num_in_gold=reasons["in gold"] + reasons["nearly in gold"] + reasons["holds a gold text"],
        num_duplicates=reasons["duplicate"] + reasons["near duplicate"],
        num_documents=len(passages),
    )
    run.note(f"{len(train):,} rows to train on, {len(validation):,} to validate; dropped {_why(done.dropped)}")
    if found.kind == "classification":
        labels = label_report(done.rows, find_suspects=find_label_suspects, seed=run.seed)
        for name, rows in labels.tables.items():
            run.table(name, rows)
        run.metric(**labels.metrics)
        for note in labels.notes:
            run.note(note)


def _why(left_out: Sequence[Dropped]) -> str:
    reasons = Counter(row.reason for row in left_out).most_common()
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons) or "none"


def _report_suspects(run: Run, found: Canonicals, steps: Sequence[Step]) -> None:
    """Says what the text steps that were left out would have changed."""
    named = {"repair_encoding": "mojibake", "clean_html": "HTML", "mask_pii": "personal data"}
    for step, share in would_change(found.rows).items():
        if share and step not in steps:
            run.note(f"{share:.1%} of the rows hold {named[step]}; left as they are (steps: [{step}, …] mends it)")


def _report_gold(run: Run, gold: Gold | None, passages: Sequence[Passage]) -> None:
    """Says which passages that gold asks about a retriever could not find."""
    relevant = {id for example in gold.examples for id in example.relevant} if gold else set()
    missing = len(relevant - {passage.id for passage in passages})
    if missing:
        run.note(f"{missing:,} of the {len(relevant):,} passages that gold names are not among the documents")


def _lengths_figure(lengths: Sequence[int], rows: Sequence[Canonical]) -> Any:
    if lengths:
        return charts.histogram(lengths, xlabel="tokens a row")
    return charts.histogram([(row.input + row.target).count(" ") + 2 for row in rows], xlabel="words a row")
