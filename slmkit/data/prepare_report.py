"""What prepare reports about the rows it made: counts by reason, labels, missing passages, and the data card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.label_errors import contradictions
from slmkit.data.cleaning.label_report import label_report
from slmkit.data.cleaning.steps import CleanedRows, Step
from slmkit.data.read_canonical import CanonicalData
from slmkit.data.row_counts import counted_reasons, row_flow, row_metrics
from slmkit.errors import counted
from slmkit.files import read_jsonl, to_yaml, write_atomically
from slmkit.types import Passage

if TYPE_CHECKING:
    from slmkit.gold.gold_set import Gold
    from slmkit.runs.run_folder import Run


def report_rows(
    run: Run,
    found: CanonicalData,
    done: CleanedRows,
    *,
    train: Sequence[CanonicalRow],
    validation: Sequence[CanonicalRow],
    passages: Sequence[Passage],
) -> None:
    """Reports how many rows were read, dropped and kept, by step and by reason."""
    num_rows_in = len(found.rows) + len(found.dropped)
    run.table("steps", row_flow(num_rows_in, done, train, validation))
    run.metric(**row_metrics(num_rows_in, done, train, validation), num_documents=len(passages))
    dropped = counted_reasons(done.dropped)
    run.note(
        f"{counted(len(train), 'training row')}, {counted(len(validation), 'validation row')}; dropped: {dropped}"
    )


def report_labels(run: Run, rows: Sequence[CanonicalRow], *, find_suspects: bool) -> None:
    """Reports the labels: counts, conflicts and, with find_suspects, those that a classifier contradicts."""
    report = label_report(rows, find_suspects=find_suspects, seed=run.seed)
    for name, table in report.tables.items():
        run.table(name, table)
    run.metric(**report.metrics)
    for note in report.notes:
        run.note(note)


def report_contradictions(run: Run, rows: Sequence[CanonicalRow]) -> None:
    """Reports preferences that contradict each other."""
    if found := contradictions(rows):
        run.table("contradictions", found)
        run.metric(num_contradictions=len(found))
        first = found[0]
        run.note(
            f"{counted(len(found), 'answer')} judged both ways for the same question (contradictions.jsonl), the "
            f"first in {first['lines'][0]} and {first['lines'][1]}. Keep one of each: a model cannot learn both"
        )


def report_missing_passages(run: Run, gold: Gold | None, passages: Sequence[Passage]) -> None:
    """Reports how many passages that the gold set asks about are missing, so that no retriever can find them."""
    relevant = {id for example in gold.examples for id in example.relevant} if gold else set()
    missing = len(relevant - {passage.id for passage in passages})
    if missing:
        run.note(
            f"{missing:,} of the {len(relevant):,} passages that the gold set refers to are not among the documents"
        )


def write_card(
    run: Run,
    data: Path,
    found: CanonicalData,
    done: CleanedRows,
    gold: Gold | None,
    *,
    train: Sequence[CanonicalRow],
    validation: Sequence[CanonicalRow],
    steps: Sequence[Step],
    licence: str | None,
) -> None:
    """Writes the data card as card.yaml and card.html, with the notes of the run as warnings."""
    from slmkit.data.data_card import data_card
    from slmkit.data.data_card_page import card_page

    gold_facts = None
    if gold is not None:
        gold_facts = {"name": gold.task.name, "sha256": gold.sha256, "licence": gold.card.get("licence")}
    notes = [row["text"] for row in read_jsonl(run.path("notes.jsonl"))]
    card = data_card(
        data,
        found=found,
        done=done,
        train=train,
        validation=validation,
        steps=steps,
        gold=gold_facts,
        licence=licence,
        warnings=notes,
    )
    write_atomically(run.path("card.yaml"), to_yaml(card))
    write_atomically(run.path("card.html"), card_page(card))
