"""The pick stage: of the cards in configs/models, the smallest model that meets your constraints, and why."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from slmkit import charts
from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError
from slmkit.evaluation.score import default_metric
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run import Run
from slmkit.selection.checklist import checklist, mark_rows, nearest
from slmkit.selection.constraints import (
    USABLE,
    Candidate,
    Constraints,
    answer_footprint,
    judge,
    ladder,
    train_footprint,
)
from slmkit.selection.data_needs import find_need
from slmkit.selection.decision_record import Cost, decision_record
from slmkit.selection.footprint import Method, Precision
from slmkit.selection.machine import is_here, machine, machine_memory, revision, token_counter, tokenizer_file
from slmkit.selection.measure import Evidence, evidence_key, measure_candidate, read_evidence
from slmkit.selection.model_card import Card, read_cards
from slmkit.selection.roofline import GPUS
from slmkit.systems import FewShot
from slmkit.systems.prompt import prompt
from slmkit.text.leakage import find_leaks
from slmkit.types import Input, ModelRef, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, Score, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEFAULT_CONTEXT = 2048  # tokens, where there are no rows to measure
_MOST_BARS = 20
_MOST_ROWS = 2_000  # spread over the data, to show, to learn from and to hold out


def pick(
    run: Run,
    *,
    cards: Input,
    data: Input | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    architecture: Literal["decoder", "encoder", "encoder-decoder", "any"] = "decoder",
    role: Literal["base", "instruct", "any"] = "instruct",
    licence: Literal["open", "commercial", "any"] = "commercial",
    gated: bool = True,
    languages: list[str] | None = None,
    context_length: PositiveInt | None = None,
    max_new_tokens: PositiveInt = 256,
    thinking: Literal["never", "possible", "any"] = "any",
    gguf: bool = False,
    released_since: str | None = None,
    min_parameters: NonNegativeFloat = 0,
    max_parameters: PositiveFloat | None = None,
    gpu: str | None = None,
    memory_gb: PositiveFloat | None = None,
    training: Method | Literal["none"] = "lora",
    precision: Precision | Literal["auto"] = "auto",
    batch_size: PositiveInt = 1,
    min_tokens_per_second: NonNegativeFloat = 0,
    num_train_epochs: PositiveFloat = 3.0,
    price_per_hour: NonNegativeFloat | None = None,
    embedded: bool = False,
    measure: bool = False,
    gold: Input | None = None,
    limit: PositiveInt = 40,
    num_shots: NonNegativeInt = 4,
    probe_steps: NonNegativeInt = 16,
    probe_minutes: NonNegativeFloat = 10.0,
) -> None:
    """Picks the smallest base model that meets every constraint, and writes the decision record pick.md.

    `data` tells the context (99 % of its rows fit) and the language, unless they are given. Memory is that of `gpu`
    or `memory_gb`, else of this machine. `precision` is that of answering; auto: nf4 with qlora, else bfloat16 on a
    GPU and float32 on a CPU. `embedded` lets the models that ship with slmkit take part.
    With `measure` or `gold`, the models that pass and are on this machine are measured on the rows of `data` and on
    the first `limit` dev questions of `gold`: how finely the tokenizer cuts the text, the template and its end token,
    the score without and with num_shots solved rows, a probe fine-tune of probe_steps steps or probe_minutes, speed
    and peak memory. The score breaks ties. A model that was not measured says so.
    """
    known = [card for card in read_cards(cards) if card.hub_id or embedded]
    rows = (
        read_canonical(data, text_column=text_column, label_column=label_column, on_note=run.note).rows if data else []
    )
    need = find_need(rows, max_new_tokens=max_new_tokens) if rows else None
    if languages is None:
        languages = [need.language] if need and need.language else []
    if need:
        run.note(str(need))
    asked = Constraints(
        architecture=architecture,
        role=role,
        licence=licence,
        gated=gated,
        languages=tuple(languages),
        context_length=context_length or (need.context_length if need else _DEFAULT_CONTEXT),
        thinking=thinking,
        gguf=gguf,
        released_since=released_since,
        min_parameters=int(min_parameters),
        max_parameters=None if max_parameters is None else int(max_parameters),
        training=training,
        batch_size=batch_size,
        gpu=GPUS[gpu] if gpu else None,
        min_tokens_per_second=min_tokens_per_second,
        loss_share=need.loss_share if need else 0.5,
        **_memory(run, gpu, memory_gb, precision, training),
    )
    if rows and context_length is None:
        asked = replace(asked, measured_tokens=_counted(run, known, rows, max_new_tokens))
    candidates = judge(known, asked)
    passing = ladder(candidates)
    evidence = {}
    if measure or gold:
        evidence = _evidence(
            run,
            passing,
            rows,
            read_gold(gold) if gold else None,
            limit=limit,
            num_shots=num_shots,
            probe_steps=probe_steps,
            probe_minutes=probe_minutes,
        )
    scores = {name: found.best.value for name, found in evidence.items() if found.best}
    passing = ladder(candidates, scores)
    table = checklist(candidates, asked, passing, evidence)
    run.table("candidates", table)
    run.table("marks", mark_rows(table, candidates, asked))
    cost = Cost(gpu, asked.gpu, need.num_rows * need.mean_tokens * num_train_epochs if need else None, price_per_hour)
    record = decision_record(
        asked,
        candidates,
        passing,
        cost=cost,
        how_counted=str(need) if need and context_length is None else "",
        evidence=evidence,
    )
    run.path("pick.md").write_text(record, encoding="utf-8")
    if passing:
        run.figure("memory", _memory_chart(passing, asked))
    if scores:
        run.figure("quality", _quality_chart(passing, asked, evidence))
    run.metric(candidates=len(known), passing=len(passing), context_length=asked.context_length)
    _conclude(run, candidates, passing, asked)


def check(
    *,
    cards: Input,
    gpu: str | None = None,
    released_since: str | None = None,
    min_tokens_per_second: float = 0,
    data: Input | None = None,
    measure: bool = False,
    gold: Input | None = None,
    **_: Any,
) -> None:
    """Reads the cards, and refuses a GPU that is not known, a speed asked of none, and gold without dev questions."""
    if gold is not None and gold.exists() and not read_gold(gold).dev:
        fix = "freeze it with dev questions: test questions that choose a model are spent"
        raise SlmkitError("the gold set has no dev.jsonl to measure on", where=str(gold), fix=fix)
    if measure and gold is None and data is None:
        raise SlmkitError("there is nothing to measure on", where="measure", fix="data=FILE, gold=FOLDER, or both")
    if released_since is not None and not re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])(-[0-3]\d)?)?", released_since):
        fix = 'a date such as 2024-06, or "2024" in quotes'
        raise SlmkitError(f"released_since is {released_since!r}", where="with.released_since", fix=fix)
    if gpu is not None and gpu not in GPUS:
        fix = f"one of {', '.join(GPUS)}; or leave it out and give memory_gb"
        raise SlmkitError(f"unknown gpu {gpu!r}", where="with.gpu", fix=fix)
    if min_tokens_per_second and gpu is None:
        raise SlmkitError("a speed can only be worked out for a named GPU", fix=f"gpu= one of {', '.join(GPUS)}")
    if not read_cards(cards):
        raise SlmkitError("there are no model cards", where=str(cards), fix="cards=configs/models")


def _memory(run: Run, gpu: str | None, memory_gb: float | None, precision: str, training: str) -> dict[str, Any]:
    """Gigabytes, whether a CPU's, and precision: of the GPU named, of the memory given, or of this machine."""
    on_gpu = True
    if memory_gb is None and gpu:
        memory_gb = GPUS[gpu].memory_gb
    elif memory_gb is None:
        memory_gb, on_gpu = machine_memory()
        run.note(f"memory: {memory_gb:.1f} GB, {'this GPU' if on_gpu else 'what is free here, no GPU'}")
    if precision == "auto":
        precision = "nf4" if training == "qlora" else "bfloat16" if on_gpu else "float32"
    return {"memory_gb": memory_gb, "on_cpu": not on_gpu, "precision": precision}


def _counted(run: Run, cards: Sequence[Card], rows: Sequence[Any], max_new_tokens: int) -> dict[str, int]:
    """The context that 99 % of the rows need, in the tokens of each card whose tokenizer is on this machine."""
    found = {}
    for card in cards:
        if path := tokenizer_file(card):
            found[card.name] = find_need(rows, max_new_tokens=max_new_tokens, count=token_counter(path)).context_length
    if found:
        run.note(f"{len(found)} tokenizers are on this machine and counted the rows; for the others it is estimated")
    return found


def _evidence(
    run: Run,
    cards: Sequence[Card],
    rows: Sequence[CanonicalRow],
    gold: Gold | None,
    *,
    limit: int,
    num_shots: int,
    probe_steps: int,
    probe_minutes: float,
) -> dict[str, Evidence]:
    """What was measured of each card whose model is on this machine, on dev questions, never on those of the test.

    Evidence that an earlier run of this recipe has of the same revision on the same rows is taken from there.
    """
    here = [card for card in cards if is_here(card)]
    run.note(f"{len(here)} of {len(cards)} models that pass are on this machine and are measured")
    rows = _apart_from(gold, rows[:: max(1, -(-len(rows) // _MOST_ROWS))], run)
    if not gold:
        run.note("no dev score: there is no gold set; `slmkit gold freeze data=FILE` makes one, then gold=FOLDER")
    if not any(row.target for row in rows):
        run.note("no few-shot score and no probe: no solved row is left apart from gold; give data=FILE with answers")
    task = gold.task if gold else Task("own data", "generation", "")
    dev = gold.dev[:limit] if gold else []
    settings = [limit, num_shots, probe_steps, probe_minutes, run.seed, machine()]
    asked = [task, gold and gold.card.get("metric"), [asdict(example) for example in dev], [row.id for row in rows]]
    keys = {card.name: evidence_key(revision(card), settings, asked) for card in here}
    table = [row for row in _measured_before(run) if row["key"] == keys.get(row["model"])]
    new = [card for card in here if card.name not in {row["model"] for row in table}]
    shots = run.path("shots/train.jsonl")
    shots.write_text("".join(_shot(row, task) for row in rows if row.target), encoding="utf-8")
    with run.progress("measure", len(new) * len(dev) * (2 if rows and num_shots else 1), "answers") as bar:
        for card in new:
            ref = ModelRef(card.name, str(card.folder or card.hub_id))
            found = measure_candidate(
                ref,
                task=task,
                rows=rows,
                dev=dev,
                metric=default_metric(gold) if gold else None,
                make_system=lambda count, ref=ref: prompt(  # type: ignore[misc]
                    task, model=ref, few_shot=FewShot(num_shots=count, examples=shots.parent)
                ),
                num_shots=num_shots,
                probe_steps=probe_steps,
                probe_minutes=probe_minutes,
                seed=run.seed,
                on_answer=lambda _: bar.advance(),
            )
            release_shared_model()
            about = {"key": keys[card.name], "revision": revision(card), "date": f"{date.today():%Y-%m-%d}"}
            table.append({"model": card.name, **about, **asdict(found)})
            run.table("evidence", table)  # after each model: a killed run measures none twice
    run.table("evidence", table)
    if reused := len(here) - len(new):
        run.note(f"{reused} of them were measured before, at the same revision on the same rows")
    found_all = {row["model"]: read_evidence(row) for row in table}
    run.table("measured", [{"model": name, **evidence.facts} for name, evidence in found_all.items()])
    return found_all


def _apart_from(gold: Gold | None, rows: Sequence[CanonicalRow], run: Run) -> list[CanonicalRow]:
    """The rows that hold no question of the gold set: to learn one and then be asked it would prove nothing."""
    if not gold or not rows:
        return list(rows)
    questions = [example.input for example in (*gold.examples, *gold.dev)]
    leaks = {leak.row for leak in find_leaks([row.input for row in rows], questions)}
    if leaks:
        run.note(f"{len(leaks)} of {len(rows)} rows are questions of the gold set and are left out of measuring")
    return [row for i, row in enumerate(rows) if i not in leaks]


def _shot(row: CanonicalRow, task: Task) -> str:
    chat = user_and_assistant(row.input, row.target, system=task.instruction)
    return json.dumps({"id": row.id, "messages": chat}, ensure_ascii=False) + "\n"


def _measured_before(run: Run) -> list[dict[str, Any]]:
    """Every line of evidence in the runs of this recipe, the newest of a key only."""
    files = sorted(run.dir.parent.glob("*/evidence.jsonl"), key=lambda path: path.stat().st_mtime)
    rows = [json.loads(line) for file in files for line in file.read_text("utf-8").splitlines()]
    return list({row["key"]: row for row in rows if "key" in row}.values())


def _memory_chart(passing: Sequence[Card], asked: Constraints) -> Figure:
    """The memory of the smallest models that pass, the choice on top, against what is usable."""
    sizes = {card.name: _gb(card, asked) for card in passing[:_MOST_BARS]}
    known = {name: size for name, size in sizes.items() if size is not None}
    figure, axes = charts.blank(height=0.9 + 0.22 * len(known))
    bars = axes.barh(list(known), list(known.values()), color=charts.PALETTE[0], height=0.6)
    axes.bar_label(bars, [f"{size:.2g}" for size in known.values()], padding=4, fontsize=9)
    usable = USABLE * (asked.memory_gb or 0)
    axes.axvline(usable, color=charts.PALETTE[1], linestyle="--", linewidth=1.5, label=f"usable: {usable:.1f} GB")
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set_xlabel(_axis(asked))
    figure.legend(loc="outside upper right", frameon=False, fontsize=9)
    return figure


def _quality_chart(passing: Sequence[Card], asked: Constraints, evidence: Mapping[str, Evidence]) -> Figure:
    """The better dev score of each measured model, with its interval, against the memory that it takes."""
    places: dict[tuple[float, Score], list[str]] = {}  # models at one place share a mark
    for card in passing:
        score, size = evidence[card.name].best if card.name in evidence else None, _gb(card, asked)
        if score and size:
            places.setdefault((size, score), []).append(card.name)
    rows = [
        {"system": ", ".join(names), "score": score.value, "low": score.low, "high": score.high, _axis(asked): size}
        for (size, score), names in places.items()
    ]
    return charts.score_against_cost(rows, cost=_axis(asked))


def _axis(asked: Constraints) -> str:
    return "GB to answer" if asked.training == "none" else f"GB at the peak of {asked.training} training"


def _gb(card: Card, asked: Constraints) -> float | None:
    need = train_footprint(card, asked) or answer_footprint(card, asked)
    return need.total / 1e9 if need else None


def _conclude(run: Run, candidates: Sequence[Candidate], passing: Sequence[Card], asked: Constraints) -> None:
    if not passing:
        run.verdict(f"No model meets all constraints; {nearest(candidates, asked)}", positive=False)
        return
    choice = passing[0]
    run.metric(parameters=float(choice.num_parameters or 0))
    if train := train_footprint(choice, asked):
        run.metric(train_gb=train.total / 1e9)
    larger = next((card for card in passing if (card.num_parameters or 0) > 1.2 * (choice.num_parameters or 0)), None)
    then = f", then {larger.name}" if larger else ""
    run.verdict(
        f"Start with {choice.name}, the smallest of {len(passing)} that meet all constraints{then}; "
        f"{len(candidates) - len(passing)} are excluded, each with its reason in pick.md."
    )
