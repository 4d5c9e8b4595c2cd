"""The pick stage: of the cards in configs/models, the smallest model that meets your constraints, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Literal

from slmkit import charts
from slmkit.data.canonical import read_canonical
from slmkit.data.gold import Gold, read_gold
from slmkit.data.need import find_need
from slmkit.errors import SlmkitError
from slmkit.evidence.measure import AnswerFile, Metric, ask, default_metric
from slmkit.evidence.statistics import mean_score
from slmkit.models.card import Card, read_cards
from slmkit.models.decision import Cost, Evidence, decision_record
from slmkit.models.footprint import Method, Precision
from slmkit.models.load import release_shared_model
from slmkit.models.machine import is_here, machine_memory, token_counter, tokenizer_file
from slmkit.models.roofline import GPUS
from slmkit.models.selection import (
    USABLE,
    Candidate,
    Constraints,
    answer_footprint,
    judge,
    ladder,
    marks,
    tokens_per_second,
    train_footprint,
)
from slmkit.run import Run
from slmkit.systems.prompt import prompt
from slmkit.types import Count, Example, Input, ModelRef

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DEFAULT_CONTEXT = 2048  # tokens, where there are no rows to measure
_MOST_BARS = 20


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
    context_length: int | None = None,
    max_new_tokens: int = 256,
    thinking: Literal["never", "possible", "any"] = "any",
    gguf: bool = False,
    released_since: str | None = None,
    min_parameters: float = 0,
    max_parameters: float | None = None,
    gpu: str | None = None,
    memory_gb: float | None = None,
    training: Method | Literal["none"] = "lora",
    precision: Precision | Literal["auto"] = "auto",
    batch_size: int = 1,
    min_tokens_per_second: float = 0,
    num_train_epochs: float = 3.0,
    price_per_hour: float | None = None,
    embedded: bool = False,
    gold: Input | None = None,
    limit: Count = 60,
) -> None:
    """Picks the smallest base model that meets every constraint, and writes the decision record pick.md.

    `data` tells the context (99 % of its rows fit) and the language, unless they are given. Memory is that of `gpu`
    or `memory_gb`, else of this machine. `precision` is that of answering; auto: nf4 with qlora, else bfloat16 on a
    GPU and float32 on a CPU. `embedded` lets the models that ship with slmkit take part.
    With `gold`, the models that pass and are on this machine are asked the first `limit` of its dev questions: the
    evidence that breaks ties. A row that was not measured says so.
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
    evidence = _evidence(run, passing, read_gold(gold), limit) if gold else {}
    passing = ladder(candidates, {name: found.score.value for name, found in evidence.items()})
    table = [_row(candidate, asked, passing, evidence) for candidate in candidates]
    run.table("candidates", sorted(table, key=lambda row: (row["state"] == "excluded", row["parameters"] or 0)))
    cost = Cost(gpu, asked.gpu, need.num_rows * need.mean_tokens * num_train_epochs if need else None, price_per_hour)
    record = decision_record(
        asked, candidates, passing, cost=cost, how_counted=str(need) if need else "", evidence=evidence
    )
    run.path("pick.md").write_text(record, encoding="utf-8")
    if passing:
        run.figure("memory", _chart(passing, asked))
    run.metric(candidates=len(known), passing=len(passing), context_length=asked.context_length)
    _conclude(run, candidates, passing, asked)


def check(
    *,
    cards: Input,
    gpu: str | None = None,
    memory_gb: float | None = None,
    min_tokens_per_second: float = 0,
    gold: Input | None = None,
    **_: Any,
) -> None:
    """Reads the cards, and refuses a GPU that is not known, a speed asked of none, and gold without dev questions."""
    if gold is not None and gold.exists() and not read_gold(gold).dev:
        fix = "freeze it with dev questions: test questions that choose a model are spent"
        raise SlmkitError("the gold set has no dev.jsonl to measure on", where=str(gold), fix=fix)
    if gpu is not None and gpu not in GPUS:
        fix = f"one of {', '.join(GPUS)}; or leave it out and give memory_gb"
        raise SlmkitError(f"unknown gpu {gpu!r}", where="with.gpu", fix=fix)
    if min_tokens_per_second and gpu is None:
        raise SlmkitError("a speed can only be worked out for a named GPU", fix=f"gpu= one of {', '.join(GPUS)}")
    if memory_gb is not None and memory_gb <= 0:
        raise SlmkitError(f"memory_gb is {memory_gb:g}", where="with.memory_gb", fix="give the gigabytes of your GPU")
    if not read_cards(cards):
        raise SlmkitError("there are no model cards", where=str(cards), fix="cards=configs/models")


def _memory(run: Run, gpu: str | None, memory_gb: float | None, precision: str, training: str) -> dict[str, Any]:
    """Gigabytes and precision: of the GPU named, of the memory given, or of this machine."""
    on_gpu = True
    if memory_gb is None and gpu:
        memory_gb = GPUS[gpu].memory_gb
    elif memory_gb is None:
        memory_gb, on_gpu = machine_memory()
        run.note(f"memory: {memory_gb:.1f} GB, {'this GPU' if on_gpu else 'what is free here, no GPU'}")
    if precision == "auto":
        precision = "nf4" if training == "qlora" else "bfloat16" if on_gpu else "float32"
    return {"memory_gb": memory_gb, "precision": precision}


def _counted(run: Run, cards: Sequence[Card], rows: Sequence[Any], max_new_tokens: int) -> dict[str, int]:
    """The context that 99 % of the rows need, in the tokens of each card whose tokenizer is on this machine."""
    found = {}
    for card in cards:
        if path := tokenizer_file(card):
            found[card.name] = find_need(rows, max_new_tokens=max_new_tokens, count=token_counter(path)).context_length
    if found:
        run.note(f"{len(found)} tokenizers are on this machine and counted the rows; for the others it is estimated")
    return found


def _evidence(run: Run, cards: Sequence[Card], gold: Gold, limit: int) -> dict[str, Evidence]:
    """What was measured of each card whose model is on this machine, on dev questions, never on those of the test."""
    examples, metric, file = gold.dev[:limit], default_metric(gold), AnswerFile(run.path("answered.jsonl"))
    here = [card for card in cards if is_here(card)]
    with run.progress("measure", len(here) * len(examples), "answers") as bar:
        found = {card.name: _measured(card, gold, examples, metric, file, bar.advance) for card in here}
    release_shared_model()
    run.note(f"{len(here)} of {len(cards)} models that pass are on this machine and were measured")
    run.table("evidence", [{"model": name, **asdict(evidence)} for name, evidence in found.items()])
    return found


def _measured(
    card: Card, gold: Gold, examples: Sequence[Example], metric: Metric, file: AnswerFile, on_answer: Callable[[], Any]
) -> Evidence:
    ref = ModelRef(card.name, str(card.folder or card.hub_id))
    answers = ask(
        lambda: prompt(gold.task, model=ref), card.name, examples, file=file, on_answer=lambda _: on_answer()
    )
    scores = [metric(example, answer) for example, answer in zip(examples, answers, strict=True)]
    seconds = sum(answer.seconds for answer in answers)
    texts = [example.input for example in examples]
    tokenizer = tokenizer_file(card)
    assert tokenizer is not None
    return Evidence(
        score=mean_score(scores),
        stop_rate=sum(answer.stopped for answer in answers) / len(answers),
        tokens_a_word=sum(token_counter(tokenizer)(texts)) / max(1, sum(len(text.split()) for text in texts)),
        tokens_per_second=sum(a.prompt_tokens + a.completion_tokens for a in answers) / max(seconds, 1e-9),
    )


def _row(
    candidate: Candidate, asked: Constraints, passing: Sequence[Card], evidence: Mapping[str, Evidence]
) -> dict[str, Any]:
    """A line of the checklist: a mark for each constraint, memory and speed, and the first thing that fails."""
    card = candidate.card
    answer, train = answer_footprint(card, asked), train_footprint(card, asked)
    most = tokens_per_second(card, asked)
    state = "excluded" if candidate.failed else "picked" if card is passing[0] else "passes"
    return {
        "model": card.name,
        "state": state,
        "parameters": card.num_parameters,
        "licence": card.licence,
        "context_length": card.context_length,
        "answer_gb": answer and round(answer.total / 1e9, 2),
        "train_gb": train and round(train.total / 1e9, 2),
        "tokens_per_second_at_most": most and round(most),
        "measured": str(evidence.get(card.name, "no")),
        "failed": candidate.failed,
        "reason": candidate.reason,
        **{f"{name}?": "✓" if met else "✗" for name, met in marks(card, asked).items()},
    }


def _chart(passing: Sequence[Card], asked: Constraints) -> Figure:
    """The memory of the smallest models that pass, the choice on top, against what is usable."""
    from matplotlib.figure import Figure

    shown = [(card, train_footprint(card, asked) or answer_footprint(card, asked)) for card in passing[:_MOST_BARS]]
    names = [card.name for card, need in shown if need]
    sizes = [need.total / 1e9 for _, need in shown if need]
    figure = Figure(figsize=(6.4, 0.9 + 0.22 * len(names)), layout="constrained")
    axes = figure.subplots()
    axes.barh(names, sizes, color=charts.PALETTE[0], height=0.6)
    usable = USABLE * (asked.memory_gb or 0)
    axes.axvline(usable, color=charts.PALETTE[1], linestyle="--", linewidth=1.5, label=f"usable: {usable:.1f} GB")
    axes.invert_yaxis()
    axes.tick_params(labelsize=9, length=0)
    axes.spines[["top", "right"]].set_visible(False)
    what = "to answer" if asked.training == "none" else f"at the peak of {asked.training} training"
    axes.set_xlabel(f"GB {what}", fontsize=9)
    axes.legend(frameon=False, fontsize=9)
    return figure


def _conclude(run: Run, candidates: Sequence[Candidate], passing: Sequence[Card], asked: Constraints) -> None:
    if not passing:
        run.verdict(f"No model meets all constraints; {_nearest(candidates, asked)}", positive=False)
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


def _nearest(candidates: Sequence[Candidate], asked: Constraints) -> str:
    """The model that fails the fewest constraints, the smallest of these, and which they are."""
    broken = {c.card.name: [name for name, met in marks(c.card, asked).items() if not met] for c in candidates}
    nearest = min(candidates, key=lambda c: (len(broken[c.card.name]), c.card.num_parameters or float("inf")))
    failed = ", ".join(broken[nearest.card.name])
    return f"{nearest.card.name} comes nearest and fails {failed}: {nearest.reason}."
