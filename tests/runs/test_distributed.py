"""Training in several processes matches training in one: same key, same losses; unsupported stages are refused."""

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project_files import REPOSITORY, Finished, read_jsonl, write

from slmkit.errors import SlmkitError
from slmkit.runs.launch import Launch, read_launch

Slmkit = Callable[..., Finished]


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    source = random.Random(0)
    chats, pairs = [], []
    for _ in range(40):
        right, wrong = source.sample(("red", "blue", "green"), 2)
        asked = " ".join(["the", right, "cup"] * source.randint(1, 6))
        messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": right}]
        chats.append(json.dumps({"messages": messages}))
        pairs.append(json.dumps({"prompt": asked, "chosen": right, "rejected": wrong}))
    for name, rows in (("chats", chats), ("pairs", pairs)):
        size = 26 if name == "chats" else 32  # the last batch of an epoch of chats is not full
        write(project / name / "train.jsonl", "\n".join(rows[:size]) + "\n")
        write(project / name / "validation.jsonl", "\n".join(rows[32:]) + "\n")
    keys = "model: nano, per_device_train_batch_size: 8, num_train_epochs: 2, device: cpu, learning_rate: 2e-3"
    for stage in ("sft", "dpo", "kto", "orpo", "reward"):
        data = "chats" if stage == "sft" else "pairs"
        write(project / f"recipes/{stage}.yaml", f"title: T\nstage: {stage}\nwith: {{data: {data}, {keys}}}\n")
    write(project / "recipes/rows.yaml", "title: T\nstage: prepare\nwith: {data: chats/train.jsonl}\n")


def train(stage: str, *options: str) -> tuple[list[float], dict[str, Any], str]:
    """The losses, the JSON outcome and the notes of `slmkit run STAGE`."""
    command = [sys.executable, "-m", "slmkit", "run", stage, "--force", "--json", *options]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=280)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-2000:]
    outcome = json.loads(done.stdout)
    log = read_jsonl(Path(outcome["dir"]) / "log.jsonl")
    notes = "\n".join(row["text"] for row in read_jsonl(Path(outcome["dir"]) / "notes.jsonl"))
    return [row.get("loss", row.get("validation_loss")) for row in log], outcome, notes


@pytest.mark.slow
def test_sft_in_two_processes_plain_or_sharded_matches_one_process() -> None:
    alone, one, _ = train("sft", "--num-processes", "1")
    for options in (["--num-processes", "2"], ["--num-processes", "2", "--fsdp"]):
        losses, two, notes = train("sft", *options)
        assert two["key"] == one["key"]
        assert losses == pytest.approx(alone, abs=1e-4)
        assert two["metrics"]["trained_tokens"] == one["metrics"]["trained_tokens"]
        assert ("50%" in notes) == ("--fsdp" in options)
        assert (Path(two["dir"]) / "model" / "adapter_model.safetensors").exists()


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dpo", "kto", "reward"])
def test_preference_training_in_two_processes_matches_one_process(stage: str) -> None:
    alone, one, _ = train(stage)
    losses, two, _ = train(stage, "--num-processes", "2")
    assert two["key"] == one["key"]
    assert losses == pytest.approx(alone, abs=1e-4)


@pytest.mark.slow
def test_full_fine_tuning_can_be_sharded() -> None:
    alone, _, _ = train("sft", "adapter=full", "learning_rate=2e-5", "max_steps=3")
    losses, _, notes = train("sft", "adapter=full", "learning_rate=2e-5", "max_steps=3", "--num-processes=2", "--fsdp")
    assert losses == pytest.approx(alone, abs=1e-4)
    assert "50%" in notes


@pytest.mark.parametrize(
    ("arguments", "code", "offending"),
    [
        (["run", "rows", "--num-processes", "2"], 4, "'prepare'"),
        (["run", "orpo", "--num-processes", "2"], 4, "'orpo'"),
        (["run", "dpo", "--num-processes", "2", "--fsdp"], 4, "'dpo'"),
        (["run", "sft", "--fsdp"], 3, "--fsdp"),
        (["run", "sft", "--machine", "2/2@host:29500"], 3, "'2/2@host:29500'"),
        (["run", "sft", "--machine", "0/2"], 3, "'0/2'"),
    ],
)
def test_an_unsupported_launch_is_refused_before_it_starts(
    slmkit: Slmkit, arguments: list[str], code: int, offending: str
) -> None:
    for more in ([], ["--dry-run"]):
        done = slmkit(*arguments, *more)
        assert (done.code, offending in done.err) == (code, True), done.err
    assert not Path("runs").exists()


@pytest.mark.slow
def test_an_error_in_a_process_is_printed_by_the_command(slmkit: Slmkit) -> None:
    done = slmkit("run", "dpo", "per_device_train_batch_size=7", "--num-processes", "2")
    assert done.code == 4
    assert re.search(r"\b2\b.*\b7\b", done.error_lines[0])
    assert "Traceback" not in done.err


def test_the_machine_option_gives_rank_count_and_endpoint() -> None:
    first = read_launch(2, fsdp=True, machine="0/3@10.0.0.1:29500")
    assert first == Launch(2, True, 0, 3, "10.0.0.1:29500")
    assert (first.world_size, first.is_main_machine) == (6, True)
    assert not read_launch(1, fsdp=False, machine="1/2@node-a:1234").is_main_machine
    with pytest.raises(SlmkitError):
        read_launch(1, fsdp=False, machine="3/2@a:1")
