"""Every lesson there is, as written and broken: python benchmarks/lessons.py [LESSON ...] [--markdown FILE]

What a lesson reads from other recipes is made first and not timed. Then each is run by its command in a process of its
own, as a reader would run it: the claim with the number measured, whether it holds, the seconds from Enter to the
prompt; and once more with --break, after which the expectations that the recipe names must be red.
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
    parser.add_argument("--as-written", action="store_true", help="break none of them")
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    asked = parser.parse_args()
    lessons = asked.lessons or read_curriculum().written_lessons
    for name in lessons:
        print(f"making what {name} reads", file=sys.stderr)
        run(name)
    lines, total = [_HEAD, "|---|---|---|---|---|"], 0.0
    print("\n".join(lines))
    for name in lessons:
        seconds, told = run(name, "--force")
        total += seconds
        turned = "not run" if asked.as_written else turned_red(name)
        claims = "; ".join(
            f"{row['metric'].replace('_', ' ')} {number(row['value'])} ({bounds(row['low'], row['high'])})"
            for row in told["expect"]
        )
        green = "green" if told["exit_code"] == 0 else "RED"
        lines.append(f"| {name} | {claims} | {seconds:.1f} | {green} | {turned} |")
        print(lines[-1], flush=True)
    lines.append(f"\n{len(lessons)} lessons as written: {total:.0f} seconds.")
    print(lines[-1])
    if asked.markdown:
        asked.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def turned_red(name: str) -> str:
    """Which expectations are red once the lesson is broken, where those it names are among them."""
    _, broken = run(name, "--break")
    red = [row["metric"] for row in broken["expect"] if not row["ok"]]
    return f"red: {', '.join(red)}" if broken["exit_code"] == 0 else "STILL GREEN"


def run(name: str, *options: str) -> tuple[float, dict[str, Any]]:
    """Seconds of the command, and what it tells of its run."""
    start = time.perf_counter()
    command = [sys.executable, "-m", "slmkit", "run", name, "--json", "--profile", "tiny", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told: dict[str, Any] = json.loads(done.stdout)
    if "error" in told:
        sys.exit(f"{name}: {told['error']['what']}")
    return time.perf_counter() - start, told


if __name__ == "__main__":
    main()
