"""What a comparison of arms on the same items allows to be said, and when the answer is "not enough data".

Every pair of arms is tested and Holm's correction runs over all pairs: the best arm is picked by looking at the
scores, so a correction over the comparisons with the best alone would find differences where there are none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import ceil

from slmkit.statistics.intervals import ALPHA, design_effect
from slmkit.statistics.paired_tests import Difference, holm, paired_difference
from slmkit.statistics.power import detectable_difference, items_needed

_SAME_COST = 1.25  # costs within a quarter of each other are measured alike: the arm named first is the cheaper
_FEWEST_IN_SLICE = 20


@dataclass(frozen=True)
class ScoredArm:
    """One system's scores, item by item in the gold set's order, and what 1,000 answers cost."""

    name: str
    scores: Sequence[float]
    cost: float
    is_prompting: bool = False  # an untrained model that is only asked: what the others have to beat
    is_floor: bool = False  # knows nothing of the question, such as the commonest answer

    @property
    def mean(self) -> float:
        return sum(self.scores) / max(1, len(self.scores))


@dataclass(frozen=True)
class Verdict:
    """The sentence, and the numbers behind it."""

    text: str
    best: str
    chosen: str  # the arm to take; with is_enough False, to take until more data tells
    reference: str  # the best prompting arm
    is_enough: bool
    is_positive: bool  # some arm is worth taking: above zero, above the floor, and at the bar where there is one
    more_items: int  # how many further items would tell; 0 when there are enough
    detectable: float  # the smallest true difference that this many items find in 80 % of cases
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
    """The cheapest arm that is not significantly worse than the best, or how many more items would tell.

    margin: an arm that is not significantly worse, but whose interval reaches below -margin, is undecided: then there
    is not enough data. bar: the score that the chosen arm must reach. clusters: the document of each item. noise: by
    how much one arm differs from its own repetition; no arm is worse by less.
    """
    pairs = _all_pairs(arms, clusters, seed)
    tests = max(1, len(pairs) // 2)
    best = max(arms, key=lambda arm: (arm.mean, -arm.cost))
    prompting = [arm for arm in arms if arm.is_prompting] or list(arms[:1])
    against = next((arm for arm in arms if arm.name == reference), max(prompting, key=lambda arm: arm.mean))
    able = [arm for arm in arms if arm is best or not _is_worse(pairs[arm.name, best.name], noise)]
    if bar is not None:  # an arm below the bar is no choice while the best reaches it
        able = [arm for arm in able if arm.mean >= bar] or [best]
    chosen = _cheapest(able)
    loss = pairs.get((chosen.name, best.name))
    more = 0
    if loss is not None and loss.low < -margin and loss.p_value >= ALPHA:  # significant: kept for the noise alone
        effect = _design_effect(chosen, best, clusters, tests)
        told = _items_that_tell(loss, margin, _discordance(chosen, best), tests=tests)
        more = max(1, ceil(told * effect) - loss.n)
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
    """A sentence for each slice of at least 20 items where another arm is significantly better than the chosen one.

    Holm's correction runs over all slices and arms, so that many slices do not make a finding by themselves.
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
    return [f"on {where} (n={d.n}) {name} is better by {_interval(d)}" for where, (name, d) in better.items()]


def _is_worse(difference: Difference, noise: float) -> bool:
    """Whether the difference to the best arm is significant, and more than a repetition makes by itself."""
    return difference.p_value < ALPHA and -difference.value > noise


def _all_pairs(
    arms: Sequence[ScoredArm], clusters: Sequence[str] | None, seed: int
) -> dict[tuple[str, str], Difference]:
    """a - b for every ordered pair, with p-values adjusted over the unordered ones."""
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
    """What the best arm is to be told from: the reference, or the next best where it is the reference itself."""
    others = [arm for arm in arms if arm is not best] or [best]
    return against if against is not best else max(others, key=lambda arm: arm.mean)


def _detectable(a: ScoredArm, b: ScoredArm, clusters: Sequence[str] | None, tests: int) -> float:
    items = max(1, round(len(a.scores) / _design_effect(a, b, clusters, tests)))
    return detectable_difference(items, discordance=_discordance(a, b), tests=tests)


def _cheapest(arms: Sequence[ScoredArm]) -> ScoredArm:
    least = min(arm.cost for arm in arms)
    return next(arm for arm in arms if arm.cost <= least * _SAME_COST)


def _items_that_tell(loss: Difference, margin: float, discordance: float, *, tests: int) -> int:
    """Items that, were the loss just as seen, would show it significant or within the margin, whichever is sooner."""
    needed = []
    if loss.value < 0:
        needed.append(items_needed(-loss.value, discordance=discordance, tests=tests))
    if loss.value > -margin:
        needed.append(items_needed(margin + loss.value, discordance=discordance))
    return min(needed)


def _design_effect(a: ScoredArm, b: ScoredArm, clusters: Sequence[str] | None, tests: int) -> float:
    return design_effect([x - y for x, y in zip(a.scores, b.scores, strict=True)], clusters, tests=tests)


def _discordance(a: ScoredArm, b: ScoredArm) -> float:
    """The mean squared difference of two arms' scores, at least what one more differing item would make it."""
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
    score = f"it scores {chosen.mean:.3f} (n={len(chosen.scores)})"
    if bar is not None and chosen.mean < bar:
        return f"No arm reaches the bar of {bar:g}: the best is {chosen.name}, {score}."
    if best.mean == 0:
        return f"No arm answers a single item right (n={len(best.scores)}): look at the answers before the numbers."
    if chosen.is_floor:
        beaten = (
            ""
            if loss is None
            else f"; the best, {best.name} ({best.mean:.3f}), by {_interval(pairs[best.name, chosen.name])}"
        )
        return f"No arm is shown to be better than the floor, {chosen.name}: {score}{beaten}."
    if len(arms) == 1:
        return f"{chosen.name} is the only arm: {score}."
    if more:
        assert loss is not None
        among = f", not significant among {len(pairs) // 2} pairs of arms" if loss.high < 0 else ""
        return (
            f"Not enough data to tell {chosen.name} ({chosen.mean:.3f}) from {best.name} ({best.mean:.3f}, "
            f"n={len(best.scores)}): the difference is {_interval(loss)}{among}, and about {more:,} more items would "
            f"tell. Until then take {chosen.name}, the cheaper."
        )
    if loss is not None:
        why = "" if loss.p_value >= ALPHA else ", no more than a repetition makes by itself"
        return (
            f"Take {chosen.name}: {score}, the cheapest arm not worse than the best, {best.name} ({best.mean:.3f}); "
            f"the difference is {_interval(loss)}{why}."
        )
    second = max((arm for arm in arms if arm is not best), key=lambda arm: arm.mean)
    lead = pairs[best.name, second.name]
    if lead.p_value < ALPHA:
        return (
            f"Take {chosen.name}: {score}, more than every other arm; the next, {second.name}, by {_interval(lead)}."
        )
    return f"Take {chosen.name}: {score}, no arm scores higher, and those that score alike cost more."


def _interval(difference: Difference) -> str:
    return f"{difference.value:+z.3f} [{difference.low:+z.3f}, {difference.high:+z.3f}]"
