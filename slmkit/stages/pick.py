"""The pick stage: the smallest base model in configs/models that meets your constraints, with a decision record."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import read_gold
from slmkit.runs.run_folder import Run
from slmkit.selection.all_cards import added, all_cards, is_shipped, own_cards
from slmkit.selection.checklist import checklist, mark_rows, nearest
from slmkit.selection.constraints import (
    Candidate,
    Constraints,
    judge,
    ladder,
    train_footprint,
)
from slmkit.selection.data_needs import Need, find_need
from slmkit.selection.decision_record import Cost, decision_record
from slmkit.selection.figures import memory_chart, quality_chart
from slmkit.selection.footprint import Method, Precision
from slmkit.selection.machine import machine_memory, token_counter, tokenizer_file
from slmkit.selection.measure_candidates import measure_candidates
from slmkit.selection.model_card import Card
from slmkit.selection.roofline import GPUS
from slmkit.systems import FewShot
from slmkit.systems.prompt import prompt
from slmkit.types import (
    ColumnNames,
    Input,
    ModelRef,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    System,
    Task,
)

_DEFAULT_CONTEXT = 2048  # tokens, if there are no rows to measure


def pick(
    run: Run,
    *,
    cards: Input,
    data: Input | None = None,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
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

    cards: your own, beside those that ship: a folder of cards, or the folder of a model with config.json.
    `data` gives the context length (99% of its rows fit) and the language, unless they are set. The memory is
    `memory_gb` if set, otherwise that of `gpu`, otherwise this machine's. precision: for answering; auto: nf4 with
    qlora, otherwise bfloat16 on a GPU and float32 on a CPU. embedded: also consider the models that ship with slmkit.
    measure or gold: the models that pass and are on this machine are measured, on the rows of `data` and the first
    `limit` dev questions of `gold`: tokens per word, chat template and end token, zero-shot score, score with
    num_shots examples, a probe fine-tune of at most probe_steps steps and probe_minutes, speed and peak memory. The
    score breaks ties between models of equal size.
    """
    known = [card for card in all_cards(cards) if not card.is_bundled or embedded]
    if not is_shipped(cards):
        run.note(added(own_cards(cards)))
    rows: list[CanonicalRow] = []
    need = None
    if data:
        rows = read_canonical(data, text_column=text_column, label_column=label_column, on_note=run.note).rows
        need = find_need(rows, max_new_tokens=max_new_tokens) if rows else None
        run.note(str(need or "the data has no rows"))
    asked = Constraints(
        architecture=architecture,
        role=role,
        licence=licence,
        gated=gated,
        languages=_languages(languages, need),
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
        asked = replace(asked, measured_tokens=_count_tokens(run, known, rows, max_new_tokens))
    candidates = judge(known, asked)
    evidence = {}
    if measure or gold:
        evidence = measure_candidates(
            run,
            ladder(candidates),
            rows,
            read_gold(gold) if gold else None,
            make_system=_prompted,
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
        run.figure("memory", memory_chart(passing, asked))
    if scores:
        run.figure("quality", quality_chart(passing, asked, evidence))
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
    """Raises for an unknown GPU, a speed without a GPU, no data to measure on, no dev questions, or no cards."""
    if gold is not None and gold.exists() and not read_gold(gold).dev:
        fix = "freeze it with dev questions: a model must not be chosen on test questions"
        raise SlmkitError("the gold set has no dev.jsonl", where=str(gold), fix=fix)
    if measure and gold is None and data is None:
        raise SlmkitError("measure=true needs data", where="with.measure", fix="add data=FILE, gold=FOLDER, or both")
    if released_since is not None and not re.fullmatch(r"\d{4}(-(0[1-9]|1[0-2])(-[0-3]\d)?)?", released_since):
        fix = 'write 2024-06, or "2024" in quotes'
        raise SlmkitError(f"released_since is not a date: {released_since!r}", where="with.released_since", fix=fix)
    if gpu is not None and gpu not in GPUS:
        fix = f"use one of {', '.join(GPUS)}; for any other GPU set memory_gb"
        raise SlmkitError(f"unknown gpu {gpu!r}", where="with.gpu", fix=fix)
    if min_tokens_per_second and gpu is None:
        where, fix = "with.min_tokens_per_second", f"set gpu= to one of {', '.join(GPUS)}"
        raise SlmkitError("the speed can be estimated only for a named GPU", where=where, fix=fix)
    if not own_cards(cards):
        fix = "use a folder of cards (*.yaml), a model's folder with config.json, or cards=configs/models"
        raise SlmkitError("there are no model cards here", where=str(cards), fix=fix)


def _memory(run: Run, gpu: str | None, memory_gb: float | None, precision: str, training: str) -> dict[str, Any]:
    """The memory, whether it is a CPU's, and the precision: of the named GPU, the given memory, or this machine."""
    on_gpu = True
    if memory_gb is None and gpu:
        memory_gb = GPUS[gpu].memory_gb
    elif memory_gb is None:
        memory_gb, on_gpu = machine_memory()
        run.note(f"memory: {memory_gb:.1f} GB, {'free on this GPU' if on_gpu else 'free on this machine (no GPU)'}")
    if precision == "auto":
        precision = "nf4" if training == "qlora" else "bfloat16" if on_gpu else "float32"
    return {"memory_gb": memory_gb, "on_cpu": not on_gpu, "precision": precision}


def _languages(languages: list[str] | None, need: Need | None) -> tuple[str, ...]:
    if languages is None:
        return (need.language,) if need and need.language else ()
    return tuple(languages)


def _prompted(task: Task, model: ModelRef, num_shots: int, examples: Path) -> System:
    return prompt(task, model=model, few_shot=FewShot(num_shots=num_shots, examples=examples))


def _count_tokens(run: Run, cards: Sequence[Card], rows: Sequence[Any], max_new_tokens: int) -> dict[str, int]:
    """The context length that fits 99% of the rows, by each tokenizer that is on this machine."""
    lengths = {}
    for card in cards:
        if path := tokenizer_file(card):
            need = find_need(rows, max_new_tokens=max_new_tokens, count=token_counter(path))
            lengths[card.name] = need.context_length
    if lengths:
        run.note(f"tokens are counted by the {len(lengths)} tokenizers on this machine, otherwise estimated")
    return lengths


def _conclude(run: Run, candidates: Sequence[Candidate], passing: Sequence[Card], asked: Constraints) -> None:
    if not passing:
        run.verdict(f"No model meets all constraints. {nearest(candidates, asked)}", positive=False)
        return
    choice = passing[0]
    run.metric(parameters=float(choice.num_parameters or 0))
    if train := train_footprint(choice, asked):
        run.metric(train_gb=train.total / 1e9)
    larger = next((card for card in passing if (card.num_parameters or 0) > 1.2 * (choice.num_parameters or 0)), None)
    step_up = f" If it is not good enough, try {larger.name}." if larger else ""
    run.verdict(
        f"Start with {choice.name}, the smallest of {len(passing)} models that meet all constraints.{step_up} "
        f"{len(candidates) - len(passing)} models are excluded; pick.md has the reasons."
    )
