"""Measures the candidates that are on this machine, and reuses what earlier runs of the recipe measured."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.evaluation.score import default_metric
from slmkit.gold.gold_set import Gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.selection.evidence import Evidence, earlier_evidence, read_evidence
from slmkit.selection.machine import is_here, machine, model_ref, revision
from slmkit.selection.measure import evidence_key, measure_candidate
from slmkit.selection.model_card import Card
from slmkit.text.leakage import conversation_leaks
from slmkit.types import ModelRef, System, Task

_MOST_ROWS = 2_000  # spread over the data: few-shot examples, training rows and held-out rows of the probe

MakeSystem = Callable[[Task, ModelRef, int, Path], System]  # task, model, number of examples, their folder


def measure_candidates(
    run: Run,
    cards: Sequence[Card],
    rows: Sequence[CanonicalRow],
    gold: Gold | None,
    *,
    make_system: MakeSystem,
    limit: int,
    num_shots: int,
    probe_steps: int,
    probe_minutes: float,
) -> dict[str, Evidence]:
    """The evidence on each card whose model is on this machine, from dev questions, never from test questions."""
    here = [card for card in cards if is_here(card)]
    run.note(f"measuring the {len(here)} of {len(cards)} passing models that are on this machine")
    rows = _without_gold(run, gold, rows[:: max(1, -(-len(rows) // _MOST_ROWS))])
    if not gold:
        run.note("no dev score without a gold set: create one with `slmkit gold freeze data=FILE` and add gold=FOLDER")
    if not any(row.target for row in rows):
        run.note(
            "few-shot score and probe fine-tune skipped: they need labelled rows outside the gold set. Add data=FILE"
        )
    task = gold.task if gold else Task("own data", "generation", "")
    dev = gold.dev[:limit] if gold else []
    settings = [limit, num_shots, probe_steps, probe_minutes, run.seed, machine()]
    content = [task, gold and gold.card.get("metric"), [asdict(example) for example in dev], [row.id for row in rows]]
    keys = {card.name: evidence_key(revision(card), settings, content) for card in here}
    table = [row for row in earlier_evidence(run.dir.parent) if row["key"] == keys.get(row["model"])]
    new = [card for card in here if card.name not in {row["model"] for row in table}]
    shots = _write_shots(run, rows, task)
    with run.progress("measure", len(new) * len(dev) * (2 if rows and num_shots else 1), "answers") as bar:
        for card in new:
            ref = model_ref(card)
            found = measure_candidate(
                ref,
                task=task,
                rows=rows,
                dev=dev,
                metric=default_metric(gold) if gold else None,
                make_system=lambda count, ref=ref: make_system(task, ref, count, shots),  # type: ignore[misc]
                num_shots=num_shots,
                probe_steps=probe_steps,
                probe_minutes=probe_minutes,
                seed=run.seed,
                on_answer=lambda _: bar.advance(),
            )
            release_shared_model()
            about = {"key": keys[card.name], "revision": revision(card), "date": f"{date.today():%Y-%m-%d}"}
            table.append({"model": card.name, **about, **asdict(found)})
            run.table("evidence", table)  # after each model, so that a killed run measures none twice
    run.table("evidence", table)
    if reused := len(here) - len(new):
        run.note(f"{reused} of them were measured by an earlier run, at the same revision on the same rows")
    evidence = {row["model"]: read_evidence(row) for row in table}
    run.table("measured", [{"model": name, **found.facts} for name, found in evidence.items()])
    return evidence


def _without_gold(run: Run, gold: Gold | None, rows: Sequence[CanonicalRow]) -> list[CanonicalRow]:
    """The rows that are not questions of the gold set: training on those would inflate the score."""
    if not gold or not rows:
        return list(rows)
    leaks = {leak.row for leak in conversation_leaks(rows, [*gold.examples, *gold.dev])}
    if leaks:
        run.note(f"{len(leaks)} of {len(rows)} rows are questions of the gold set and are not used")
    return [row for i, row in enumerate(rows) if i not in leaks]


def _write_shots(run: Run, rows: Sequence[CanonicalRow], task: Task) -> Path:
    """The folder with the rows that have an answer, in the format of a prepared run."""
    path = run.path("shots/train.jsonl")
    chats = [
        {"id": row.id, "messages": user_and_assistant(row.input, row.target, system=task.instruction)}
        for row in rows
        if row.target
    ]
    path.write_text("".join(json.dumps(chat, ensure_ascii=False) + "\n" for chat in chats), encoding="utf-8")
    return path.parent
