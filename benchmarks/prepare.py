"""Speed and memory of `slmkit prepare` on a large file: python benchmarks/prepare.py [--rows 200000] [--runs 3]

A file of synthetic questions and answers, about 500 bytes per row: 4% of the rows are duplicates, 2% near duplicates
that differ by a word, and 200 are gold questions. `slmkit prepare` reads, checks, cleans, deduplicates, splits and
writes them, including the search for leaks. For comparison, one pass of `datasets.map` over the same file only trims
spaces. The two alternate, each in a fresh process; it prints the median seconds and the peak memory.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_PLAIN = """
import sys
from datasets import load_dataset
rows = load_dataset("json", data_files=sys.argv[1], split="train", cache_dir=sys.argv[2])
rows.map(lambda row: {key: " ".join(text.split()) for key, text in row.items()}).to_json(sys.argv[2] + "/out.jsonl")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    slmkit = [sys.executable, "-m", "slmkit"]
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_rows(Path("rows.jsonl"), Path("held.jsonl"), options.rows)
        print(f"{options.rows:,} rows, {Path('rows.jsonl').stat().st_size / 1e6:,.0f} MB")
        freeze = [*slmkit, "gold", "freeze", "data=rows.jsonl", "gold=held.jsonl", "--json"]
        gold = json.loads(measured(freeze)[2])["gold"]
        times: dict[str, list[float]] = {"slmkit prepare": [], "datasets.map": []}
        memory: dict[str, float] = {}
        for i in range(options.runs):
            commands = {
                "slmkit prepare": [*slmkit, "prepare", "data=rows.jsonl", f"gold={gold}", "--force", "--json"],
                "datasets.map": [sys.executable, "-c", _PLAIN, "rows.jsonl", f"cache-{i}"],
            }
            for name, command in commands.items():
                seconds, peak, output = measured(command)
                times[name].append(seconds)
                memory[name] = max(memory.get(name, 0), peak)
                if name == "slmkit prepare" and not i:
                    metrics = json.loads(output)["metrics"]
                    print("  ".join(f"{key} {value['value'] if isinstance(value, dict) else value}"
                                    for key, value in metrics.items()))  # fmt: skip
        for name, seconds_each in times.items():
            median = statistics.median(seconds_each)
            print(f"{name:<16}{median:>8.1f} s (median of {options.runs}){memory[name] / 1e9:>8.2f} GB peak memory")
        ratios = [a / b for a, b in zip(*times.values(), strict=True)]
        print(f"prepare takes {statistics.median(ratios):.2f} times as long (median)")


def measured(command: list[str]) -> tuple[float, float, str]:
    """Seconds, peak memory in bytes, and standard output of one process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[:4]} failed: {output}")
    return time.perf_counter() - start, usage.ru_maxrss * 1024.0, output


def write_rows(path: Path, held: Path, num_rows: int) -> None:
    """Writes the rows with their duplicates and leaks, and the 200 gold rows."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(2, 9))) for _ in range(20_000)]

    def text(low: int, high: int) -> str:
        return " ".join(rng.choices(words, k=rng.randint(low, high)))

    gold = [{"prompt": text(20, 40), "completion": text(10, 20)} for _ in range(200)]
    rows: list[dict[str, str]] = []
    for i in range(num_rows):
        chance = rng.random()
        if i % (num_rows // 200) == 0 and i // (num_rows // 200) < len(gold):
            rows.append(gold[i // (num_rows // 200)])
        elif chance < 0.06 and rows:
            copy = dict(rng.choice(rows))
            if chance < 0.02:
                changed = copy["prompt"].split()
                changed[rng.randrange(len(changed))] = rng.choice(words)
                copy["prompt"] = " ".join(changed)
            rows.append(copy)
        else:
            rows.append({"prompt": text(30, 70), "completion": text(15, 50)})
    for file, kept in ((path, rows), (held, gold)):
        file.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")


if __name__ == "__main__":
    main()
