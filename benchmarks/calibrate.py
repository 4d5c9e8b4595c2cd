"""Runs a lesson on five seeds and writes the scores, and bounds derived from them, into its recipe.

    python benchmarks/calibrate.py loop/02-base-vs-instruct            # scores and bounds
    python benchmarks/calibrate.py loop/02-base-vs-instruct --dry-run  # prints them only

A bound is the worst of the five scores with a margin: 0.03 for metrics within [-1, 1], otherwise a tenth of the score.
Exact bounds ([1, 1]) are kept. A metric with the same score on all five seeds does not depend on the seed: its scores
are written, its bounds are kept.
"""

from __future__ import annotations

import argparse
import datetime
import math
import re
from pathlib import Path
from typing import Any

from slmkit.console import quiet_libraries
from slmkit.recipe.lookup import find_recipe
from slmkit.recipe.yaml_lines import read_yaml

SEEDS = range(5)
POINTS = 0.03
SHARE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe")
    parser.add_argument("--metrics", nargs="*", help="only these; default: all metrics in `expect`")
    parser.add_argument("--profile", default="tiny")
    parser.add_argument("--dry-run", action="store_true")
    options = parser.parse_args()
    quiet_libraries()
    name, path = find_recipe(options.recipe)
    scores = measure(name, profile=options.profile)
    write(path, scores, only=options.metrics, dry_run=options.dry_run)


def measure(name: str, *, profile: str) -> dict[str, list[float]]:
    """The five scores of each metric of the lesson."""
    from slmkit.runs.execute import execute
    from slmkit.runs.plan import make_plan

    rows = []
    for seed in SEEDS:
        result = execute(make_plan(name, profile=profile, seed=seed)).result
        rows.append({metric: _value(value) for metric, value in result["metrics"].items()})
    return {metric: [row[metric] for row in rows] for metric in rows[0]}


def write(path: Path, scores: dict[str, list[float]], *, only: list[str] | None, dry_run: bool) -> None:
    """Sets lesson.scores and the bounds in `expect`; every other line of the recipe stays unchanged."""
    text = path.read_text(encoding="utf-8")
    kept = []
    for metric, (low, high) in read_yaml(path).value["expect"].items():
        row = scores[metric]
        if low == high or (only is not None and metric not in only):
            print(f"{metric:<28} unchanged ({row[0]:.4g} on seed 0)")
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
    """New bounds from five scores; the old ones if all five are equal."""
    if len(set(row)) == 1:
        return low, high
    if low:  # 0 stays 0, as 1 stays 1 below: scores end there
        low = round_down(min(row) - margin(min(row)))
    if high is not None and (low is None or high != 1):
        high = round_up(max(row) + margin(max(row)))
    return low, high


def margin(worst: float) -> float:
    return POINTS if abs(worst) <= 1 else SHARE * abs(worst)


def round_down(value: float) -> float:
    """To two decimals, or to two significant digits above 1: 0.437 -> 0.43, 137.2 -> 130."""
    step = 0.01 if abs(value) <= 1 else 10 ** (math.floor(math.log10(abs(value))) - 1)
    return round(math.floor(round(value / step, 6)) * step, 4)  # 0.47 - 0.03 is 0.43999… in floating point


def round_up(value: float) -> float:
    return -round_down(-value)


def _value(metric: Any) -> float:
    return float(metric["value"] if isinstance(metric, dict) else metric)


if __name__ == "__main__":
    main()
