"""A run that is killed and started again ends with the weights and curves of an uninterrupted run."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import read_jsonl

MOMENTS = ("first", "between", "writing", "last")
STEPS = 6


@pytest.fixture(scope="module")
def chats(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("chats")
    source = random.Random(0)
    for name, number in (("train", 10), ("validation", 4)):  # 2.5 steps of four per epoch: the last one is short
        with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for i in range(number):
                colour = source.choice(("red", "blue"))
                asked = " ".join(["the", colour, "cup"] * source.randint(1, 4))
                messages = [{"role": "user", "content": asked}, {"role": "assistant", "content": colour}]
                file.write(json.dumps({"id": f"r{i}", "messages": messages}) + "\n")
    return folder


@pytest.fixture(scope="module")
def pairs(tmp_path_factory, chats) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    with open(folder / "train.jsonl", "w", encoding="utf-8") as file:
        for row in read_jsonl(chats / "train.jsonl"):
            prompt, answer = (message["content"] for message in row["messages"])
            file.write(json.dumps({"prompt": prompt, "chosen": answer, "rejected": answer + " cup"}) + "\n")
    return folder


def check_resume(method: str, root: Path, data: Path, model: str, moments: tuple[str, ...] = MOMENTS) -> None:
    driver = Path(__file__).with_name("resume_driver.py")
    done = subprocess.run(
        [sys.executable, str(driver), method, str(root), str(data), str(STEPS), model, *moments],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    whole = (root / "whole" / "model" / "adapter_model.safetensors").read_bytes()
    curve = [(row["step"], row.get("loss")) for row in read_jsonl(root / "whole" / "log.jsonl")]
    assert [step for step, loss in curve if loss is not None] == list(range(1, STEPS + 1))
    for moment in moments:
        assert (root / moment / "model" / "adapter_model.safetensors").read_bytes() == whole, moment
        again = [(row["step"], row.get("loss")) for row in read_jsonl(root / moment / "log.jsonl")]
        assert again == curve, moment


@pytest.mark.long
def test_sft_killed_at_two_moments_ends_in_the_same_adapter(tmp_path, chats, cut_models):
    check_resume("sft", tmp_path, chats, cut_models["one_layer"].path, ("between", "writing"))


@pytest.mark.slow
def test_sft_killed_at_four_moments_ends_in_the_same_adapter(tmp_path, chats, cut_models):
    check_resume("sft", tmp_path, chats, cut_models["one_layer"].path)


@pytest.mark.slow
def test_sft_on_packed_rows_killed_at_four_moments_ends_in_the_same_adapter(tmp_path, chats, cut_models):
    check_resume("sft_packed", tmp_path, chats, cut_models["one_layer"].path)


@pytest.mark.slow
def test_dpo_killed_at_four_moments_ends_in_the_same_adapter(tmp_path, pairs, cut_models):
    check_resume("dpo", tmp_path, pairs, cut_models["one_layer"].path)


@pytest.mark.slow
def test_grpo_killed_at_four_moments_ends_in_the_same_adapter(tmp_path, chats, cut_models):
    check_resume("grpo", tmp_path, chats, cut_models["one_layer"].path)


@pytest.mark.slow
def test_a_run_that_keeps_the_best_checkpoint_ends_in_the_same_adapter(tmp_path, chats, cut_models):
    check_resume("sft_best", tmp_path, chats, cut_models["one_layer"].path)
