"""The decision record of a pick: Markdown for a team to keep with its code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slmkit.selection.constraints import (
    USABLE,
    Candidate,
    Constraints,
    answer_footprint,
    tokens_per_second,
    train_footprint,
)
from slmkit.selection.evidence import Evidence
from slmkit.selection.footprint import Footprint
from slmkit.selection.model_card import Card
from slmkit.selection.roofline import ASSUMED_SHARE, Gpu, training_hours

_MOST_RUNGS = 4


@dataclass(frozen=True)
class Cost:
    """The basis of training hours and price: a named GPU, the tokens to train on, and the price per hour."""

    gpu_name: str | None = None
    gpu: Gpu | None = None
    tokens: float | None = None
    price_per_hour: float | None = None


def decision_record(
    asked: Constraints,
    candidates: Sequence[Candidate],
    passing: Sequence[Card],
    *,
    cost: Cost,
    how_counted: str,
    evidence: Mapping[str, Evidence],
) -> str:
    """The record: the choice, the constraints, what to try next, and why each other model is excluded.

    passing: in order, the choice first. how_counted: where the context length comes from.
    """
    blocks = [_choice(passing, asked, cost, evidence), _asked(asked, cost, how_counted)]
    if passing:
        blocks.append(_rungs(passing, asked, evidence))
    blocks += [_excluded(candidates), _closing(passing)]
    return "\n\n".join(blocks) + "\n"


def _choice(passing: Sequence[Card], asked: Constraints, cost: Cost, evidence: Mapping[str, Evidence]) -> str:
    if not passing:
        return "# Base model: none\n\nNo model card meets all constraints."
    choice = passing[0]
    lines = [f"# Base model: {choice.name}", ""]
    lines += [f"The smallest of {len(passing)} models that meet all constraints.", ""]
    lines += [f"- hub id: `{choice.hub_id or choice.asset}`", f"- parameters: {choice.num_parameters:,}"]
    lines.append(
        f"- licence: {choice.licence or 'unknown'}" + (f"; forbids {choice.forbids}" if choice.forbids else "")
    )
    if choice.context_length:
        lines.append(f"- context: {choice.context_length:,} tokens")
    lines += [f"- {fact}" for fact in _facts(choice, asked, cost)]
    found = evidence.get(choice.name)
    if found:
        lines += ["", "Measured on this machine:", "", *(f"- {name}: {value}" for name, value in found.facts.items())]
    else:
        lines.append("- not measured: quality, tokens per word and speed on your data")
    return "\n".join(lines)


def _facts(card: Card, asked: Constraints, cost: Cost) -> list[str]:
    """Memory, and on a named GPU the speed bound, training hours and price."""
    facts = []
    if answer := answer_footprint(card, asked):
        facts.append(f"memory for inference in {asked.precision}: {_gb(answer)}")
    if train := train_footprint(card, asked):
        facts.append(f"peak memory for training ({asked.training}): {_gb(train)}")
    if most := tokens_per_second(card, asked):
        facts.append(f"at most {most:,.0f} tokens/s on {cost.gpu_name}, limited by its bandwidth and arithmetic")
    if cost.gpu and cost.tokens and asked.training != "none":
        hours = training_hours(card, cost.gpu, tokens=cost.tokens, method=asked.training)
        price = (
            f", {hours * cost.price_per_hour:.2f} at {cost.price_per_hour:g} per hour" if cost.price_per_hour else ""
        )
        facts.append(
            f"training time: about {hours:.2f} h for {cost.tokens / 1e6:,.1f} M tokens, assuming {ASSUMED_SHARE:.0%} "
            f"of the peak of {cost.gpu_name}{price}"
        )
    return facts


def _asked(asked: Constraints, cost: Cost, how_counted: str) -> str:
    """The constraints as a table, without those that allow everything."""
    values = {
        "architecture": asked.architecture,
        "role": asked.role,
        "licence": asked.licence,
        "gated models": "" if asked.gated else "no",
        "languages": ", ".join(asked.languages),
        "context length": f"{asked.context_length:,} tokens" + (f" ({how_counted})" if how_counted else ""),
        "thinking": asked.thinking,
        "llama.cpp": "yes" if asked.gguf else "",
        "released since": asked.released_since or "",
        "parameters at least": f"{asked.min_parameters:,}" if asked.min_parameters else "",
        "parameters at most": f"{asked.max_parameters:,}" if asked.max_parameters else "",
        "memory": _memory(asked, cost),
        "training": asked.training,
        "precision": asked.precision,
        "batch size": str(asked.batch_size),
        "tokens per second": f"{asked.min_tokens_per_second:g}" if asked.min_tokens_per_second else "",
    }
    rows = "\n".join(f"| {name} | {value} |" for name, value in values.items() if value not in ("", "any"))
    return f"## Constraints\n\n| constraint | value |\n|---|---|\n{rows}"


def _memory(asked: Constraints, cost: Cost) -> str:
    if asked.memory_gb is None:
        return ""
    return f"{asked.memory_gb:.1f} GB, {USABLE:.0%} of it usable" + (f" ({cost.gpu_name})" if cost.gpu_name else "")


def _rungs(passing: Sequence[Card], asked: Constraints, evidence: Mapping[str, Evidence]) -> str:
    """The choice and the next sizes up."""
    rungs: list[Card] = []
    for card in passing:
        if not rungs or (card.num_parameters or 0) > 1.2 * (rungs[-1].num_parameters or 0):
            rungs.append(card)
    rows = "\n".join(
        f"| {card.name} | {(card.num_parameters or 0) / 1e6:,.0f} M | {_gb(answer_footprint(card, asked))} "
        f"| {_gb(train_footprint(card, asked))} | {_measured(evidence.get(card.name))} |"
        for card in rungs[:_MOST_RUNGS]
    )
    return (
        "## If it is not good enough\n\nConstraints say which models you can use, not how good they are. Measure on "
        "your gold set; if the score is too low, try the next row.\n\n"
        f"| model | parameters | inference | training | measured |\n|---|--:|--:|--:|---|\n{rows}"
    )


def _measured(found: Evidence | None) -> str:
    """The best score and the probe, short enough for a table."""
    if found is None:
        return "no"
    parts = [str(found.best)] if found.best else []
    parts += [f"probe {found.probe.before:.2f} to {found.probe.after:.2f} bits per byte"] if found.probe else []
    return ", ".join(parts) or "no score"


def _gb(need: Footprint | None) -> str:
    if need is None:
        return "unknown"
    return f"{need.total / 1e9:.2f} GB" if need.total >= 1e8 else f"{need.total / 1e6:.1f} MB"


def _excluded(candidates: Sequence[Candidate]) -> str:
    excluded = [candidate for candidate in candidates if candidate.failed]
    counts = Counter(candidate.failed for candidate in excluded)
    by_constraint = ", ".join(f"{name} {count}" for name, count in counts.most_common())
    rows = "\n".join(f"| {c.card.name} | {c.failed} | {c.reason} |" for c in excluded)
    return (
        f"## Excluded: {len(excluded)} of {len(candidates)}\n\nModels by the first constraint they fail: "
        f"{by_constraint or 'none'}.\n\n"
        f"| model | constraint | why |\n|---|---|---|\n{rows}"
    )


def _closing(passing: Sequence[Card]) -> str:
    verbs = ("train", "compare") if passing else ()
    steps = "".join(f"\n    slmkit {verb} model={passing[0].name}" for verb in verbs)
    return (
        "## Sources\n\nFacts come from the cards in configs/models, which name their sources and the date they were "
        "read. If a card does not state a fact, constraints on it count as not met. Memory is computed, not measured."
        + (f"\n\n## Next\n{steps}" if steps else "")
    )
