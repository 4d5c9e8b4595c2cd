"""Every method trains the embedded model, and the figure it is for moves the right way; its mistakes are refused."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from project_files import call, read_jsonl

import slmkit
from slmkit.console import console
from slmkit.errors import FailedError, RefusedError, SlmkitError
from slmkit.metrics.reward_model import reward_model
from slmkit.recipe.signature import call_arguments
from slmkit.rows.preference_rows import read_pairs
from slmkit.runs.run import Run
from slmkit.stages import distill, dpo, grpo, kto, orpo, reward, sft
from slmkit.types import Answer, Example, ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))


def vowels(example: Example, answer: Answer) -> float:
    """A reward that differs from answer to answer even for an untrained model."""
    return sum(letter in "aeiou" for letter in answer.text) / max(1, len(answer.text))


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)  # small matrices: a second thread gains little, and costs much beside other work


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Pairs with one rule: the colour that was named is the better answer."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, number, seed in (("train", 48, 0), ("validation", 16, 1)):
        source = random.Random(seed)
        rows = []
        for _ in range(number):
            right, wrong = source.sample(("red", "blue", "green"), 2)
            rows.append({"prompt": f"{right} cup in the box", "chosen": right, "rejected": wrong})
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def chats(tmp_path_factory, pairs) -> Path:
    folder = tmp_path_factory.mktemp("chats")
    with open(folder / "train.jsonl", "w", encoding="utf-8") as file:
        for row in read_jsonl(pairs / "train.jsonl"):
            asked = {"role": "user", "content": row["prompt"]}
            file.write(json.dumps({"messages": [asked, {"role": "assistant", "content": row["chosen"]}]}) + "\n")
    return folder


@pytest.mark.parametrize("adapter", ["lora", "full"])
@pytest.mark.parametrize(("module", "stage"), [(dpo, dpo.dpo), (kto, kto.kto), (orpo, orpo.orpo)])
def test_preferences_widen_the_margin(tmp_path, pairs, module, stage, adapter):
    run = Run(tmp_path)
    call(stage, run, data=pairs, model=NANO, adapter=adapter, learning_rate=2e-3, num_train_epochs=4, device="cpu")
    margins = [row["rewards_margins"] for row in read_jsonl(run.dir / "log.jsonl") if "rewards_margins" in row]
    assert run.metrics["reward_margin"] > margins[0]
    assert run.metrics["validation_loss"] < run.metrics["validation_loss_before"]
    assert (run.dir / "model" / "adapter_config.json").exists() == (adapter == "lora")


@pytest.mark.parametrize("adapter", ["lora", "qlora", "full"])
def test_a_reward_model_ranks_pairs_it_has_not_seen(tmp_path, pairs, adapter):
    run = Run(tmp_path)
    call(
        reward.reward,
        run,
        data=pairs,
        model=NANO,
        adapter=adapter,
        learning_rate=2e-3,
        num_train_epochs=8,
        device="cpu",
    )
    assert run.metrics["validation_reward_accuracy"] >= 0.75
    assert run.metrics["reward_margin"] > 0
    model = ModelRef("reward", str(run.dir))
    asked = read_jsonl(pairs / "validation.jsonl")
    better = [
        reward_model(Example("", row["prompt"], ""), Answer("", row["chosen"]), model=model)
        > reward_model(Example("", row["prompt"], ""), Answer("", row["rejected"]), model=model)
        for row in asked
    ]
    assert sum(better) / len(better) == pytest.approx(run.metrics["validation_reward_accuracy"], abs=1 / 16)


def test_a_model_that_scores_nothing_is_no_reward_model():
    with pytest.raises(SlmkitError, match="'nano' is no reward model"):
        reward_model(Example("", "which?", ""), Answer("", "red"), model=NANO)


def test_reinforcement_raises_the_reward_of_a_metric(tmp_path, chats):
    run = Run(tmp_path)
    call(
        grpo.grpo,
        run,
        data=chats,
        model=NANO,
        rewards=[vowels],
        num_generations=8,
        adapter="full",
        per_device_train_batch_size=32,
        max_new_tokens=4,
        learning_rate=3e-2,
        max_steps=12,
        device="cpu",
    )
    assert run.metrics["reward"] > run.metrics["reward_before"] + 0.1


def test_rewards_that_never_differ_are_an_error(tmp_path, chats):
    def never(example: Example, answer: Answer) -> float:
        return 0.0

    with pytest.raises(FailedError, match="got the same reward"):
        call(
            grpo.grpo,
            Run(tmp_path),
            data=chats,
            model=NANO,
            rewards=[never],
            max_new_tokens=2,
            max_steps=1,
            device="cpu",
        )


def test_a_student_moves_towards_its_teacher(tmp_path, chats):
    teacher = Run(tmp_path / "teacher")
    call(sft.sft, teacher, data=chats, model=NANO, num_train_epochs=2, device="cpu")
    run = Run(tmp_path / "student")
    call(
        distill.distill,
        run,
        data=chats,
        model=NANO,
        teacher=ModelRef("teacher", str(teacher.dir)),
        learning_rate=2e-3,
        max_new_tokens=8,
        num_train_epochs=3,
        device="cpu",
    )
    assert run.metrics["divergence"] < 0.5 * run.metrics["divergence_before"]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"prompt": "a", "chosen": "b"}', "needs prompt, chosen and rejected, found prompt, chosen"),
        ('{"prompt": "a", "chosen": "b", "rejected": "b"}', "chosen and rejected are the same"),
        ('{"prompt": "", "chosen": "b", "rejected": "c"}', "needs prompt"),
        ('{"prompt": "a", "chosen": "b", "rejected": "c"', "not JSON"),
    ],
)
def test_a_broken_pair_is_named_by_file_and_line(tmp_path, line, what):
    file = tmp_path / "train.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(SlmkitError, match=what) as error:
        read_pairs(file)
    assert error.value.where.startswith("train.jsonl:1")


def test_the_prompt_of_two_whole_chats_is_their_common_beginning(tmp_path):
    asked = {"role": "user", "content": "which?"}
    row = {name: [asked, {"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    [pair] = read_pairs(tmp_path / "train.jsonl")
    assert (pair.prompt, pair.chosen[0]["content"]) == ([asked], "chosen")


def test_a_pair_that_would_be_cut_is_refused(tmp_path, pairs):
    with pytest.raises(RefusedError, match="pairs are longer than 8 tokens"):
        call(dpo.dpo, Run(tmp_path), data=pairs, model=NANO, max_length=8, device="cpu")


def test_groups_that_do_not_fill_a_step_are_refused(chats):
    with pytest.raises(SlmkitError, match="12 answers a step cannot be split into groups of 8") as error:
        grpo.check(
            **call_arguments(
                grpo.grpo, {"data": chats, "model": NANO, "rewards": [vowels], "per_device_train_batch_size": 12}
            )
        )
    assert error.value.fix == "per_device_train_batch_size: 8"


def test_a_teacher_with_another_vocabulary_is_refused_before_training(tmp_path, chats):
    with pytest.raises(SlmkitError, match="the teacher is the student"):
        distill.check(**call_arguments(distill.distill, {"data": chats, "model": NANO, "teacher": NANO}))
