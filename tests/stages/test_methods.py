"""Every method trains the bundled model and improves its metric; mistakes are refused."""

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
from slmkit.models.load import load_model
from slmkit.recipe.signature import call_arguments
from slmkit.rows.preference_rows import read_pairs
from slmkit.runs.run_folder import Run
from slmkit.stages import distill, dpo, grpo, kto, orpo, reward, sft
from slmkit.types import Answer, Example, ModelRef

pytestmark = pytest.mark.usefixtures("libraries")

NANO = ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano"))


def vowels(example: Example, answer: Answer) -> float:
    """A reward that differs between the answers of an untrained model."""
    return sum(letter in "aeiou" for letter in answer.text) / max(1, len(answer.text))


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    import torch

    monkeypatch.setattr(console, "quiet", True)
    torch.set_num_threads(1)  # a second thread gains little on small matrices


@pytest.fixture(scope="module")
def pairs(tmp_path_factory) -> Path:
    """Pairs with one rule: the colour in the prompt is the better answer."""
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


@pytest.mark.parametrize("adapter", ["lora", pytest.param("full", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("module", "stage"), [(dpo, dpo.dpo), (kto, kto.kto), (orpo, orpo.orpo)])
def test_preferences_widen_the_margin(tmp_path, pairs, module, stage, adapter):
    run = Run(tmp_path)
    call(stage, run, data=pairs, model=NANO, adapter=adapter, learning_rate=3e-3, max_steps=5, device="cpu")
    margins = [row["rewards_margins"] for row in read_jsonl(run.dir / "log.jsonl") if "rewards_margins" in row]
    assert run.metrics["reward_margin"] > margins[0]
    assert run.metrics["validation_loss"] < run.metrics["validation_loss_before"]
    assert (run.dir / "model" / "adapter_config.json").exists() == (adapter == "lora")
    # The margin widens for swapped pairs too; this does not.
    asked = read_jsonl(pairs / "validation.jsonl")
    assert preference(ModelRef("trained", str(run.dir)), asked) > preference(NANO, asked) + 0.1


def preference(model: ModelRef, rows: list[dict[str, str]]) -> float:
    """By how many nats per answer a model prefers the chosen answers, by the forward pass of transformers."""
    import torch

    loaded = load_model(model, device="cpu")

    def log_probability(prompt: str, answer: str) -> float:
        chat = [{"role": "user", "content": prompt}]
        opening = loaded.tokenizer.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        input_ids = torch.tensor([opening + loaded.tokenizer(answer, add_special_tokens=False)["input_ids"]])
        with torch.inference_mode():
            log_probs = loaded.model(input_ids).logits[0, :-1].log_softmax(-1)  # (T - 1, V)
        picked = log_probs.gather(1, input_ids[0, 1:, None])[:, 0]
        return float(picked[len(opening) - 1 :].sum())

    leads = [log_probability(r["prompt"], r["chosen"]) - log_probability(r["prompt"], r["rejected"]) for r in rows]
    return sum(leads) / len(leads)


@pytest.mark.parametrize(
    ("adapter", "learning_rate", "max_steps"),
    [("lora", 1e-2, 8), pytest.param("qlora", 1e-2, 8, marks=pytest.mark.slow), ("full", 5e-3, 24)],
)
def test_a_reward_model_ranks_pairs_it_has_not_seen(tmp_path, pairs, adapter, learning_rate, max_steps):
    run = Run(tmp_path)
    call(
        reward.reward,
        run,
        data=pairs,
        model=NANO,
        adapter=adapter,
        learning_rate=learning_rate,
        max_steps=max_steps,
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


def test_a_model_without_a_scoring_head_is_refused_as_a_reward_model():
    with pytest.raises(SlmkitError, match="'nano'"):
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
        max_steps=6,
        device="cpu",
    )
    assert run.metrics["reward"] > run.metrics["reward_before"] + 0.1


def test_rewards_that_never_differ_are_an_error(tmp_path, chats):
    def always_a_quarter(example: Example, answer: Answer) -> float:
        return 0.25

    with pytest.raises(FailedError, match=r"0\.25"):
        call(
            grpo.grpo,
            Run(tmp_path),
            data=chats,
            model=NANO,
            rewards=[always_a_quarter],
            max_new_tokens=2,
            max_steps=1,
            device="cpu",
        )


def test_a_student_moves_towards_its_teacher(tmp_path, chats):
    teacher = Run(tmp_path / "teacher")
    call(sft.sft, teacher, data=chats, model=NANO, learning_rate=5e-3, max_steps=4, device="cpu")
    run = Run(tmp_path / "student")
    call(
        distill.distill,
        run,
        data=chats,
        model=NANO,
        teacher=ModelRef("teacher", str(teacher.dir)),
        learning_rate=5e-3,
        max_new_tokens=4,
        max_steps=5,
        device="cpu",
    )
    assert run.metrics["divergence"] < 0.5 * run.metrics["divergence_before"]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ('{"prompt": "a", "chosen": "b"}', "found prompt, chosen"),
        ('{"prompt": "a", "chosen": "b", "rejected": "b"}', "chosen and rejected"),
        ('{"prompt": "", "chosen": "b", "rejected": "c"}', "prompt"),
        ('{"prompt": "a", "chosen": "b", "rejected": "c"', "JSON"),
    ],
)
def test_a_broken_pair_is_reported_with_file_and_line(tmp_path, line, value):
    file = tmp_path / "train.jsonl"
    file.write_text(line + "\n")
    with pytest.raises(SlmkitError, match=value) as error:
        read_pairs(file)
    assert error.value.where.startswith("train.jsonl:1")


def test_the_prompt_of_two_whole_chats_is_their_common_beginning(tmp_path):
    asked = {"role": "user", "content": "which?"}
    row = {name: [asked, {"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    (tmp_path / "train.jsonl").write_text(json.dumps(row) + "\n")
    [pair] = read_pairs(tmp_path / "train.jsonl")
    assert (pair.prompt, pair.answers["chosen"][0]["content"]) == ([asked], "chosen")


def test_a_pair_that_would_be_truncated_is_refused(tmp_path, pairs):
    with pytest.raises(RefusedError, match=r"48 of 48 .* 8 tokens"):
        call(dpo.dpo, Run(tmp_path), data=pairs, model=NANO, max_length=8, device="cpu")


def test_groups_that_do_not_fill_a_step_are_refused(chats):
    with pytest.raises(SlmkitError, match=r"12 .* 8\b") as error:
        grpo.check(
            **call_arguments(
                grpo.grpo, {"data": chats, "model": NANO, "rewards": [vowels], "per_device_train_batch_size": 12}
            )
        )
    assert error.value.fix == "per_device_train_batch_size: 8"


def test_a_teacher_that_is_the_student_is_refused_before_training(chats):
    with pytest.raises(SlmkitError, match="'nano'"):
        distill.check(**call_arguments(distill.distill, {"data": chats, "model": NANO, "teacher": NANO}))
