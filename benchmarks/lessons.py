"""Runs every lesson as written and broken: python benchmarks/lessons.py [LESSON ...] [--markdown FILE]

The recipes that a lesson reads run first and are not timed. Then each lesson runs by its command in a fresh process:
the table has its claims with the measured values, whether they hold, and the wall-clock seconds of the command. A
second run with --break must turn the expectations red that the recipe names.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from slmkit.recipe.curriculum import read_curriculum
from slmkit.report.formatting import bounds, number

_HEAD = "| lesson | claim, measured | seconds | as written | broken |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*")
    parser.add_argument("--as-written", action="store_true", help="skip the runs with --break")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    lessons = options.lessons or read_curriculum().written_lessons
    for name in lessons:
        print(f"running {name} and the recipes it reads", file=sys.stderr)
        run(name)
    lines, total = [_HEAD, "|---|---|---|---|---|"], 0.0
    print("\n".join(lines))
    for name in lessons:
        seconds, result = run(name, "--force")
        total += seconds
        broken = "not run" if options.as_written else turned_red(name)
        claims = "; ".join(
            f"{row['metric'].replace('_', ' ')} {number(row['value'])} ({bounds(row['low'], row['high'])})"
            for row in result["expect"]
        )
        green = "green" if result["exit_code"] == 0 else "RED"
        lines.append(f"| {name} | {claims} | {seconds:.1f} | {green} | {broken} |")
        print(lines[-1], flush=True)
    lines.append(f"\n{len(lessons)} lessons as written: {total:.0f} seconds.")
    print(lines[-1])
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def turned_red(name: str) -> str:
    """The expectations that are red in the broken lesson, if all that the recipe names are among them."""
    _, broken = run(name, "--break")
    red = [row["metric"] for row in broken["expect"] if not row["ok"]]
    return f"red: {', '.join(red)}" if broken["exit_code"] == 0 else "STILL GREEN"


def run(name: str, *options: str) -> tuple[float, dict[str, Any]]:
    """Seconds of the command, and its JSON output."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "slmkit", "run", name, "--json", "--profile", "tiny", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    result: dict[str, Any] = json.loads(done.stdout)
    if "error" in result:
        sys.exit(f"{name}: {result['error']['what']}")
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main()
