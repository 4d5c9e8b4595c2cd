"""The verdict of a comparison: which system to take, or that there is not enough data to decide.

All pairs of systems are tested, with Holm's correction over all pairs: the best one is chosen by its score, so a
correction over its own comparisons alone would find differences where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil

from slmkit.statistics.intervals import ALPHA, design_effect
from slmkit.statistics.paired_tests import Difference, holm, paired_difference
from slmkit.statistics.power import detectable_difference, items_needed

_SAME_COST = (
    1.25  # costs within a quarter of each other are equal, as measured: the system named first counts as cheaper
)
_FEWEST_IN_SLICE = 20


@dataclass(frozen=True)
class ScoredArm:
    """One system's score on each item, in the order of the gold set, and the cost of 1,000 answers."""

    name: str
    scores: Sequence[float]
    cost: float
    is_prompting: bool = False  # an untrained model with a prompt: the reference for the others
    is_floor: bool = False  # a baseline that ignores the question, such as the majority label

    @property
    def mean(self) -> float:
        return sum(self.scores) / max(1, len(self.scores))


@dataclass(frozen=True)
class Verdict:
    """The verdict as a sentence, and its numbers."""

    text: str
    best: str
    chosen: str  # the system to take; if is_enough is False, until there is more data
    reference: str  # what the others are compared with: as given, else the best prompted model
    is_enough: bool
    is_positive: bool  # the chosen system scores above zero, is not a baseline, and reaches the bar if there is one
    more_items: int  # the number of additional items needed to decide; 0 if there are enough
    detectable: float  # the smallest true difference that these items detect with 80 % power
    differences: Mapping[str, Difference] = field(default_factory=dict)  # arm - reference; p_value is Holm-adjusted


def conclude(
    arms: Sequence[ScoredArm],
    *,
    margin: float = 0.05,
    bar: float | None = None,
    reference: str | None = None,
    clusters: Sequence[str] | None = None,
    noise: float = 0.0,
    seed: int = 0,
) -> Verdict:
    """Takes the cheapest system that is not significantly worse than the best, or asks for more items.

    margin: if the loss to the best is not significant, but its interval reaches below -margin, there is not enough
    data. bar: the score that the chosen system must reach. clusters: the document of each item. noise: how much repeat
    runs of one system differ; a smaller loss is ignored.
    """
    pairs = _all_pairs(arms, clusters, seed)
    tests = max(1, len(pairs) // 2)
    best = max(arms, key=lambda arm: (arm.mean, -arm.cost))
    prompting = [arm for arm in arms if arm.is_prompting] or list(arms[:1])
    against = next((arm for arm in arms if arm.name == reference), max(prompting, key=lambda arm: arm.mean))
    able = [arm for arm in arms if arm is best or not _is_worse(pairs[arm.name, best.name], noise)]
    if bar is not None:  # below the bar only if no system reaches it
        able = [arm for arm in able if arm.mean >= bar] or [best]
    chosen = _cheapest(able)
    loss = pairs.get((chosen.name, best.name))
    more = 0
    if (
        loss is not None and loss.low < -margin and loss.p_value >= ALPHA
    ):  # a significant loss gets here only if it is within the noise
        effect = _design_effect(chosen, best, clusters, tests)
        needed = _items_to_decide(loss, margin, _discordance(chosen, best), tests=tests)
        more = max(1, ceil(needed * effect) - loss.n)
    return Verdict(
        text=_sentence(arms, best, chosen, loss=loss, more=more, bar=bar, pairs=pairs),
        best=best.name,
        chosen=chosen.name,
        reference=against.name,
        is_enough=not more,
        is_positive=chosen.mean > 0 and not chosen.is_floor and (bar is None or chosen.mean >= bar),
        more_items=more,
        detectable=_detectable(best, _rival(arms, best, against), clusters, tests),
        differences={arm.name: pairs[arm.name, against.name] for arm in arms if arm is not against},
    )


def flipped_slices(
    arms: Sequence[ScoredArm],
    chosen: str,
    slices: Sequence[Mapping[str, str]],
    *,
    clusters: Sequence[str] | None = None,
    seed: int = 0,
) -> list[str]:
    """One sentence per slice of at least 20 items on which another system is significantly better than the chosen one.

    Holm's correction runs over all slices and systems: among many slices, some differ by chance.
    """
    ours = next(arm for arm in arms if arm.name == chosen)
    found = []
    for key, value in sorted({pair for row in slices for pair in row.items()}):
        at = [i for i, row in enumerate(slices) if row.get(key) == value]
        if _FEWEST_IN_SLICE <= len(at) < len(slices):
            inside = [clusters[i] for i in at] if clusters else None
            for arm in arms:
                if arm is not ours:
                    a, b = [arm.scores[i] for i in at], [ours.scores[i] for i in at]
                    difference = paired_difference(a, b, clusters=inside, seed=seed)
                    found.append((f"{key}={value}", arm.name, difference))
    adjusted = holm([difference.p_value for *_, difference in found])
    better: dict[str, tuple[str, Difference]] = {}
    for (where, name, difference), p in zip(found, adjusted, strict=True):
        if p < ALPHA and difference.value > max(0.0, better[where][1].value if where in better else 0.0):
            better[where] = (name, difference)
    return [
        f"on {where} (n={d.n}), {name} is better than {chosen} by {_interval(d)}"
        for where, (name, d) in better.items()
    ]


def _is_worse(difference: Difference, noise: float) -> bool:
    """Whether the loss to the best system is significant, and larger than the noise of repeat runs."""
    return difference.p_value < ALPHA and -difference.value > noise


def _all_pairs(
    arms: Sequence[ScoredArm], clusters: Sequence[str] | None, seed: int
) -> dict[tuple[str, str], Difference]:
    """a - b for every ordered pair; the p-values are adjusted over the unordered pairs."""
    order = list(combinations(arms, 2))
    tested = [paired_difference(a.scores, b.scores, clusters=clusters, seed=seed) for a, b in order]
    adjusted = holm([difference.p_value for difference in tested])
    pairs = {}
    for (a, b), difference, p in zip(order, tested, adjusted, strict=True):
        pairs[a.name, b.name] = replace(difference, p_value=p)
        pairs[b.name, a.name] = Difference(
            0 - difference.value, 0 - difference.high, 0 - difference.low, p, difference.n
        )
    return pairs


def _rival(arms: Sequence[ScoredArm], best: ScoredArm, against: ScoredArm) -> ScoredArm:
    """What the best system is compared with: the reference, or the next best if it is the reference itself."""
    others = [arm for arm in arms if arm is not best] or [best]
    return against if against is not best else max(others, key=lambda arm: arm.mean)


def _detectable(a: ScoredArm, b: ScoredArm, clusters: Sequence[str] | None, tests: int) -> float:
    items = max(1, round(len(a.scores) / _design_effect(a, b, clusters, tests)))
    return detectable_difference(items, discordance=_discordance(a, b), tests=tests)


def _cheapest(arms: Sequence[ScoredArm]) -> ScoredArm:
    least = min(arm.cost for arm in arms)
    return next(arm for arm in arms if arm.cost <= least * _SAME_COST)


def _items_to_decide(loss: Difference, margin: float, discordance: float, *, tests: int) -> int:
    """The number of items needed to show that the loss is significant, or within the margin, whichever is smaller."""
    needed = []
    if loss.value < 0:
        needed.append(items_needed(-loss.value, discordance=discordance, tests=tests))
    if loss.value > -margin:
        needed.append(items_needed(margin + loss.value, discordance=discordance))
    return min(needed)


def _design_effect(a: ScoredArm, b: ScoredArm, clusters: Sequence[str] | None, tests: int) -> float:
    return design_effect([x - y for x, y in zip(a.scores, b.scores, strict=True)], clusters, tests=tests)


def _discordance(a: ScoredArm, b: ScoredArm) -> float:
    """The mean squared difference of two systems' scores; at least that of one discordant item."""
    squares = [(x - y) ** 2 for x, y in zip(a.scores, b.scores, strict=True)]
    return max(sum(squares), 1.0) / max(1, len(squares))


def _sentence(
    arms: Sequence[ScoredArm],
    best: ScoredArm,
    chosen: ScoredArm,
    *,
    loss: Difference | None,
    more: int,
    bar: float | None,
    pairs: Mapping[tuple[str, str], Difference],
) -> str:
    score = f"scores {chosen.mean:.3f} (n={len(chosen.scores)})"
    if bar is not None and chosen.mean < bar:
        return f"No system reaches the bar of {bar:g}: the best, {chosen.name}, {score}."
    if best.mean == 0:
        return f"No system answers a single item correctly (n={len(best.scores)}): read the answers first."
    if chosen.is_floor:
        lead = pairs.get((best.name, chosen.name))
        ahead = "" if lead is None else f"; the best, {best.name}, leads by {_interval(lead)}{_corrected(lead, pairs)}"
        return f"No system is significantly better than the baseline, {chosen.name}, which {score}{ahead}."
    if len(arms) == 1:
        return f"{chosen.name} is the only system: it {score}."
    if more:
        assert loss is not None
        return (
            f"Not enough data to choose between {chosen.name} ({chosen.mean:.3f}) and {best.name} ({best.mean:.3f}, "
            f"n={len(best.scores)}): the difference is {_interval(loss)}{_corrected(loss, pairs)}. "
            f"About {more:,} more items would decide; until then use {chosen.name}, which is cheaper."
        )
    if loss is not None:
        is_noise = loss.p_value < ALPHA
        noise = ", no larger than between repeat runs" if is_noise else _corrected(loss, pairs)
        worse = "worse" if is_noise else "significantly worse"
        return (
            f"Use {chosen.name}. It {score} and is the cheapest system that is not {worse} than the best, "
            f"{best.name} ({best.mean:.3f}); the difference is {_interval(loss)}{noise}."
        )
    second = max((arm for arm in arms if arm is not best), key=lambda arm: arm.mean)
    lead = pairs[best.name, second.name]
    if lead.p_value < ALPHA:
        return (
            f"Use {chosen.name}. It {score}, the highest of all systems, and beats the runner-up, {second.name}, "
            f"by {_interval(lead)}."
        )
    return f"Use {chosen.name}. It {score}; no system scores higher, and those with a similar score cost more."


def _corrected(difference: Difference, pairs: Mapping[tuple[str, str], Difference]) -> str:
    """What resolves an interval without 0 beside a p-value above the level: only the p-value is adjusted."""
    excludes_zero = difference.low > 0 or difference.high < 0
    if not excludes_zero or difference.p_value < ALPHA:
        return ""
    return f", not significant among {len(pairs) // 2} comparisons (p = {difference.p_value:.2g} after correction)"


def _interval(difference: Difference) -> str:
    return f"{difference.value:+z.3f} [{difference.low:+z.3f}, {difference.high:+z.3f}]"
