"""The loop of a project: train, see where the model fails, change one thing, train again, ship only what is better.

The recipes named by `first`, `knobs` and `fixed` train the versions. Here all answer the same test questions, and
the release gate decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.evaluation.lesson_arms import LessonArm, arm_rows, ask_arms
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype
from slmkit.runs.run_folder import Run
from slmkit.statistics.paired_tests import paired_difference
from slmkit.systems import ChatOptions
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def project_loop(
    run: Run,
    *,
    first: Model,
    knobs: Model,
    fixed: Model,
    gold: Input,
    bar: float = 0.75,
    limit: PositiveInt | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Compares version 1, version 1 with a higher rank and more epochs, and version 2 on fixed data, and gates each.

    bar: the lowest score that ships.
    """
    ask = partial(prompt, chat=ChatOptions(device=device, dtype=dtype, show_labels=False))
    systems = {"version 1": first, "higher rank, more epochs": knobs, "version 2, fixed data": fixed}
    asked = {name: partial(ask, model=ref) for name, ref in systems.items()}
    arms = ask_arms(run, read_gold(gold), asked, limit=limit)
    before, with_knobs, after = arms.values()
    slices = {name: slice_scores(arm) for name, arm in arms.items()}
    worst = min(slices["version 1"], key=slices["version 1"].__getitem__)
    run.note(f"the worst slice of version 1 is {worst}")
    run.table("arms", arm_rows(arms, reference="version 1"))
    run.table("answers", (row for name, arm in arms.items() for row in arm.rows(name)))
    run.table("slices", [{"slice": one, **{name: slices[name][one] for name in arms}} for one in slices["version 1"]])
    decisions = {name: "ships" if gate(arm, before, bar) else "rejected" for name, arm in arms.items()}
    run.table("gate", [{"version": name, "gate": decision} for name, decision in decisions.items()])
    run.figure("where_it_fails", _chart(slices))
    run.metric(
        data_gain=after.score.value - before.score.value,
        knobs_gain=with_knobs.score.value - before.score.value,
        data_over_knobs=after.score.value - with_knobs.score.value,
        worst_slice_with_knobs=slices["higher rank, more epochs"][worst],
        worst_slice_fixed=slices["version 2, fixed data"][worst],
        ships_version_1=float(gate(before, before, bar)),
        ships_version_2=float(gate(after, before, bar)),
    )


def gate(new: LessonArm, old: LessonArm, bar: float) -> bool:
    """Whether a version ships: it reaches the bar, and its interval rules out being worse than the old one."""
    return new.score.value >= bar and paired_difference(new.scores, old.scores).low >= 0


def slice_scores(arm: LessonArm) -> dict[str, float]:
    """The mean score of each slice: which kinds of question the model gets wrong."""
    found: dict[str, list[float]] = {}
    for example, score in zip(arm.examples, arm.scores, strict=True):
        for key, value in example.slice.items():
            found.setdefault(f"{key}={value}", []).append(score)
    return {name: sum(scores) / len(scores) for name, scores in sorted(found.items())}


def _chart(slices: Mapping[str, Mapping[str, float]]) -> Figure:
    """A group of bars per slice, one bar per version."""
    names = list(next(iter(slices.values())))
    figure, axes = charts.blank(height=0.8 + 0.45 * len(names))
    for number, (version, scores) in enumerate(slices.items()):
        places = [row + 0.26 * (number - 1) for row in range(len(names))]
        axes.barh(places, [scores[name] for name in names], height=0.24, color=charts.PALETTE[number], label=version)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="correct answers", xlim=(0, 1))
    figure.legend(loc="outside upper right", ncols=3, frameon=False, fontsize=9)
    return figure
