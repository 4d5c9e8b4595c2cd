"""A real model on real rows: training speed and memory against TRL, one command per cell, which a later call reuses.

    python benchmarks/real_model.py train --model FOLDER --rows train.jsonl --out cells     # all arms, one round
    python benchmarks/real_model.py train … --arms slmkit trl_same --rounds 5 --threads 2
    python benchmarks/real_model.py rates --model FOLDER --task bank8=PREPARED_RUN … --out cells
    python benchmarks/real_model.py table --out cells                                       # the tables so far

FOLDER is a model's folder; --rows are chats, as `slmkit run loop/prepare` writes them. Each cell runs in a process of
its own, so that its peak memory is its own, and writes one JSON file; a cell whose file exists is not run again. Arms
are those of train.py. Tokens per processor second compare arms on a machine under other load; steps after the first
are measured. `rates` trains with a third of the automatic learning rate, with it, and with three times as much, for
the same number of steps, and has each one's validation loss and exact match.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROWS_PER_STEP = 8
HELD_OUT = 60  # rows whose answers are scored
FACTORS = {"a third": 1 / 3, "auto": 1.0, "three times": 3.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("train", "rates", "table", "cell"))
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rows", type=Path, help="train.jsonl")
    parser.add_argument("--task", nargs="+", default=[], metavar="NAME=FOLDER", help="prepared runs, for `rates`")
    parser.add_argument("--arms", nargs="+", default=["slmkit", "trl_same", "trl_lengths", "trl_packed"])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cell", help="internal: the file to write")
    options = parser.parse_args()
    if options.what == "table":
        table(options.out)
    elif options.what == "cell":
        arm = options.arms[0]
        found = rate(options, arm) if options.task else train(options, arm)
        Path(options.cell).write_text(json.dumps(found) + "\n", encoding="utf-8")
    else:
        options.out.mkdir(parents=True, exist_ok=True)
        for arguments, file in cells(options):
            if not file.exists():
                run_cell(options, arguments, file)
        table(options.out)


def cells(options: argparse.Namespace) -> list[tuple[list[str], Path]]:
    """The arguments and the file of each cell, in the order in which they run: arms alternate."""
    if options.what == "rates":
        return [
            (["--task", task, "--arms", name], options.out / f"rate-{task.partition('=')[0]}-{name}.json")
            for task in options.task
            for name in FACTORS
        ]
    return [
        (["--rows", str(options.rows), "--arms", arm], options.out / f"train-{arm}-{options.threads}-{number}.json")
        for number in range(options.rounds)
        for arm in options.arms
    ]


def run_cell(options: argparse.Namespace, arguments: list[str], file: Path) -> None:
    """Runs one cell in a separate process."""
    shared = ["--model", str(options.model), "--steps", str(options.steps), "--out", str(options.out)]
    command = [sys.executable, __file__, "cell", *shared, *arguments, "--cell", str(file)]
    start = time.monotonic()
    subprocess.run(command, check=True, env={**os.environ, "OMP_NUM_THREADS": str(options.threads)})
    print(f"{file.stem}: {time.monotonic() - start:,.0f} s", file=sys.stderr, flush=True)


def train(options: argparse.Namespace, arm: str) -> dict[str, Any]:
    """Trains a few steps as the arm does, and measures the steps after the first."""
    import tempfile
    from contextlib import nullcontext

    import train as trainers  # this folder's train.py

    from slmkit.console import quiet_libraries

    quiet_libraries()
    import datasets

    from slmkit.models.load import load_model
    from slmkit.rows.loss_mask import label_chats, read_chats
    from slmkit.training.side_by_side import kept_heap
    from slmkit.types import ModelRef

    datasets.disable_progress_bars()
    loaded = load_model(ModelRef(options.model.name, str(options.model)), device="cpu", dtype="float32")
    rows = label_chats(loaded.tokenizer, read_chats(options.rows, limit=ROWS_PER_STEP * options.steps))
    settings = argparse.Namespace(adapter="lora", rows=ROWS_PER_STEP, steps=options.steps)
    loaded.model.train()
    with tempfile.TemporaryDirectory() as folder:
        maker = trainers._slmkit if arm.startswith("slmkit") else trainers._trl
        trainer = maker(arm, loaded.model, rows, settings, Path(folder))
        warm = trainers.after_first_step()
        trainer.add_callback(warm)
        with kept_heap() if arm.startswith("slmkit") else nullcontext():
            trainer.train()
            seconds, cpu = time.perf_counter() - warm.at, time.process_time() - warm.cpu
    logs = trainer.state.log_history
    counts = [log["num_tokens"] for log in logs if "num_tokens" in log]  # TRL's count
    tokens = counts[-1] - counts[0] if counts else trainer.state.num_input_tokens_seen - warm.num_tokens
    return {
        "kind": "train",
        "arm": arm,
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "tokens_per_cpu_second": tokens / cpu,
        "tokens_per_second": tokens / seconds,
        "last_loss": [log["loss"] for log in logs if "loss" in log][-1],
        "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def rate(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Trains on a prepared run with a multiple of the automatic learning rate."""
    from slmkit.console import quiet_libraries

    quiet_libraries()
    from dataclasses import replace

    from slmkit.models.load import load_model
    from slmkit.models.lora import auto_learning_rate
    from slmkit.rows.loss_mask import IGNORED, label_chats, read_chats
    from slmkit.runs.run_folder import Run
    from slmkit.stages.sft import sft
    from slmkit.training.config import Training
    from slmkit.training.predictions import predict
    from slmkit.types import ModelRef

    task, _, data = options.task[0].partition("=")
    ref = ModelRef(options.model.name, str(options.model))
    width = load_model(ref, device="cpu").model.config.hidden_size
    learning_rate = auto_learning_rate(width, adapter="lora") * FACTORS[name]
    run = Run(options.out / f"run-{task}-{name.replace(' ', '-')}")
    keys = replace(Training(learning_rate=learning_rate, device="cpu"), max_steps=options.steps)
    sft(run, data=Path(data), model=ref, training=keys)
    tuned = load_model(ModelRef("tuned", str(run.dir)), device="cpu")
    held_out = label_chats(tuned.tokenizer, read_chats(Path(data) / "validation.jsonl", limit=HELD_OUT))
    answers = predict(tuned.model, held_out).tokens
    targets = [[label for label in row.labels[1:] if label != IGNORED] for row in held_out]
    return {
        "kind": "rate",
        "held_out": len(targets),
        # Greedy decoding writes the target exactly if each of its tokens is the likeliest after those before it.
        "exact_match": sum(map(list.__eq__, answers, targets)) / len(targets),
        "task": task,
        "factor": name,
        "learning_rate": learning_rate,
        "steps": options.steps,
        "train_loss": run.metrics["train_loss"],
        "validation_loss_before": run.metrics["validation_loss_before"],
        "validation_loss": run.metrics["validation_loss"],
    }


def table(folder: Path) -> None:
    """Prints the cells that are there: medians over the rounds."""
    found = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    trained = [cell for cell in found if cell["kind"] == "train"]
    for threads in sorted({cell["threads"] for cell in trained}):
        print(
            f"\n| {threads} thread(s) | rounds | tokens/processor s | slmkit is | peak GiB | slmkit has | last loss |"
        )
        print("|---|---|---|---|---|---|---|")
        by_arm: dict[str, list[dict[str, Any]]] = {}
        for cell in trained:
            if cell["threads"] == threads:
                by_arm.setdefault(cell["arm"], []).append(cell)
        medians = {
            arm: [statistics.median(run[key] for run in runs) for key in ("tokens_per_cpu_second", "peak_gib")]
            for arm, runs in by_arm.items()
        }
        ours = medians.get("slmkit", [float("nan")] * 2)
        for arm, (speed, peak) in medians.items():
            runs = by_arm[arm]
            ratios = f"{ours[0] / speed:.2f} x | {peak:.2f} | {ours[1] / peak:.2f} x"
            print(f"| {arm} | {len(runs)} | {speed:.0f} | {ratios} | {runs[0]['last_loss']:.3f} |")
    rates = [cell for cell in found if cell["kind"] == "rate"]
    if rates:
        print("\n| task | steps | learning rate | | validation loss before | after | training loss | exact match |")
        print("|---|---|---|---|---|---|---|---|")
    for cell in rates:
        losses = f"{cell['validation_loss_before']:.2f} | {cell['validation_loss']:.3f} | {cell['train_loss']:.3f}"
        losses += f" | {cell['exact_match']:.3f} (n={cell['held_out']})"
        print(f"| {cell['task']} | {cell['steps']} | {cell['learning_rate']:.2g} | {cell['factor']} | {losses} |")


if __name__ == "__main__":
    main()
