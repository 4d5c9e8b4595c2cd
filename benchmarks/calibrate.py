"""Runs a lesson on five seeds, and writes what it scored and the bounds that follow into its recipe.

    python benchmarks/calibrate.py loop/02-base-vs-instruct            # scores and bounds
    python benchmarks/calibrate.py loop/02-base-vs-instruct --dry-run  # only prints them

The bound is the worst of the five, less three points where the metric is a share or a score (within [-1, 1]), else
less a tenth of it. A metric that the recipe bounds exactly ([1, 1]) is left alone; one that is the same on all five
seeds depends on none of them: its scores are written, its bounds stay.
"""

from __future__ import annotations

import argparse
import datetime
import math
import re
import sys
from pathlib import Path
from typing import Any

from slmkit.console import quiet_libraries
from slmkit.recipe.lookup import find_recipe
from slmkit.recipe.yaml_lines import read_yaml

SEEDS = range(5)
POINTS = 0.03
SHARE = 0.1


def main() -> None:
    sys.path.pop(0)  # this folder's statistics.py would hide the standard library's
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--metrics", nargs="*", help="only these; by default all that `expect` bounds")
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--dry-run", action="store_true")
    asked = parser.parse_args()
    quiet_libraries()
    name, path = find_recipe(asked.recipe)
    scores = measure(name, profile=asked.profile)
    write(path, scores, only=asked.metrics, dry_run=asked.dry_run)


def measure(name: str, *, profile: str) -> dict[str, list[float]]:
    """Each metric of the lesson on the five seeds."""
    from slmkit.runs.execute import execute
    from slmkit.runs.plan import make_plan

    rows = []
    for seed in SEEDS:
        result = execute(make_plan(name, profile=profile, seed=seed)).result
        rows.append({metric: _value(value) for metric, value in result["metrics"].items()})
    return {metric: [row[metric] for row in rows] for metric in rows[0]}


def write(path: Path, scores: dict[str, list[float]], *, only: list[str] | None, dry_run: bool) -> None:
    """Sets lesson.scores and the bounds of `expect`, and leaves every other line as it is."""
    text = path.read_text(encoding="utf-8")
    kept = []
    for metric, (low, high) in read_yaml(path).value["expect"].items():
        row = scores[metric]
        if low == high or (only is not None and metric not in only):
            print(f"{metric:<28} left as it is, {row[0]:.4g} on the first seed")
            continue
        new_low, new_high = bounds(row, low, high)
        shown = ", ".join(f"{score:.4g}" for score in row)
        print(f"{metric:<28} {shown}  [{low}, {high}] -> [{new_low}, {new_high}]")
        pair = f"[{'null' if new_low is None else new_low}, {'null' if new_high is None else new_high}]"
        text = re.sub(rf"(?m)^(  {metric}: )\[.*?\]", rf"\g<1>{pair}", text, count=1)
        kept.append(f"    {metric}: [{shown}]")
    if dry_run or not kept:
        return
    block = "\n".join([f"  scores:                      # seeds 0 to 4, {datetime.date.today()}", *kept, ""])
    text = re.sub(r"(?m)^  scores:.*\n(?:    .*\n)+", "", text)
    text = re.sub(r"(?m)^(lesson:\n(?:[ ]+.*\n)+)", lambda found: found[1] + block, text, count=1)
    path.write_text(text, encoding="utf-8")


def bounds(row: list[float], low: float | None, high: float | None) -> tuple[float | None, float | None]:
    """The bounds that follow from five scores; those that are there where all five are equal."""
    if len(set(row)) == 1:
        return low, high
    if low:  # 0, as 1 above, is where a share ends
        low = round_down(min(row) - margin(min(row)))
    if high is not None and (low is None or high != 1):
        high = round_up(max(row) + margin(max(row)))
    return low, high


def margin(worst: float) -> float:
    return POINTS if abs(worst) <= 1 else SHARE * abs(worst)


def round_down(value: float) -> float:
    """To two digits after the point, or to two significant ones: 0.437 -> 0.43, 137.2 -> 130."""
    step = 0.01 if abs(value) <= 1 else 10 ** (math.floor(math.log10(abs(value))) - 1)
    return round(math.floor(round(value / step, 6)) * step, 4)  # 0.47 - 0.03 is a hair under 0.44


def round_up(value: float) -> float:
    return -round_down(-value)


def _value(metric: Any) -> float:
    return float(metric["value"] if isinstance(metric, dict) else metric)


if __name__ == "__main__":
    main()
