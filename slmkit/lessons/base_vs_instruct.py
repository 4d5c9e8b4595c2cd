"""Base and instruct: the same model before and after instruction tuning, compared on three kinds of work."""

from __future__ import annotations

import math
import random
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.errors import SlmkitError
from slmkit.evaluation.lesson_arms import LessonArm, arm_rows, ask_arms
from slmkit.gold.gold_set import read_gold
from slmkit.micro_world.corpus import DOCUMENTS, text_pieces
from slmkit.models.load import Device, Dtype, Loaded, load_model
from slmkit.models.model_folder import model_folder, read_base
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model, ModelRef, PositiveInt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure

_KINDS = ("reading", "rag", "talk")  # of the documents for perplexity


def base_vs_instruct(
    run: Run,
    *,
    model: Model,
    base: Model,
    tuned: Model,
    tuned_base: Model,
    gold: Input,
    limit: PositiveInt | None = None,
    num_documents: PositiveInt = 200,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Compares a base and an instruct model in a chat, on plain text, and after the same few training examples.

    tuned, tuned_base: `model` and `base` fine-tuned on the same examples.
    """
    for trained, start in ((tuned, model), (tuned_base, base)):
        check_start(trained, start)
    ask = partial(prompt, chat=ChatOptions(device=device, dtype=dtype))
    models = {
        "instruct": model,
        "base": base,
        "instruct, 100 examples": tuned,
        "base, 100 examples": tuned_base,
    }
    arms = ask_arms(run, read_gold(gold), {name: partial(ask, model=ref) for name, ref in models.items()}, limit=limit)
    texts = plain_texts(num_documents, seed=run.seed)
    perplexities = {
        name: perplexity(load_model(models[name], device=device, dtype=dtype), texts) for name in ("instruct", "base")
    }
    run.table("arms", arm_rows(arms, reference="base"))
    run.table("answers", (row for name, arm in arms.items() for row in arm.rows(name)))
    run.table(
        "two_kinds_of_work",
        [
            {
                "model": name,
                "ends its turn": ends(arms[name]),
                "correct in a chat": arms[name].score.value,
                "perplexity of text": value,
            }
            for name, value in perplexities.items()
        ],
    )
    run.figure("use_of_each", _chart(arms, perplexities))
    run.metric(
        instruct_ends_its_turn=ends(arms["instruct"]),
        base_ends_its_turn=ends(arms["base"]),
        instruct_right=arms["instruct"].score.value,
        base_right=arms["base"].score.value,
        perplexity_ratio=perplexities["instruct"] / perplexities["base"],
        head_start=arms["instruct, 100 examples"].score.value - arms["base, 100 examples"].score.value,
    )


def check_start(trained: ModelRef, start: ModelRef) -> None:
    """Raises SlmkitError if `trained` was not trained from `start`."""
    folder = model_folder(trained)
    if folder is None or not (folder / "base.json").exists():
        return
    found = read_base(folder)
    if Path(found.path).resolve() != Path(start.path).resolve():
        raise SlmkitError(
            f"{trained.name!r} was trained from {found.name!r} but is compared with {start.name!r}",
            fix="set both models in the recipes, as their `profiles: gpu` does; model= applies to both training runs",
        )


def ends(arm: LessonArm) -> float:
    """The share of answers that ended with a stop token rather than at the length limit."""
    return sum(answer.stopped and not answer.error for answer in arm.answers) / len(arm.answers)


def plain_texts(count: int, *, seed: int) -> list[str]:
    """Plain-text documents about people not in the training data: notes, then lines "q: …" and "a: …"."""
    texts = []
    for number in range(count):
        r = random.Random(f"{seed}:{number}")
        document = DOCUMENTS[_KINDS[number % len(_KINDS)]](r, "gold")
        texts.append("".join(text for text, _ in text_pieces(document) if not text.startswith("<|")))
    return texts


def perplexity(loaded: Loaded, texts: Sequence[str]) -> float:
    """exp of the mean loss per token: as uncertain as a choice among this many equally likely tokens."""
    import torch

    total, count = 0.0, 0
    for text in texts:
        input_ids = loaded.tokenizer(text, return_tensors="pt").input_ids.to(loaded.model.device)  # (1, T)
        with torch.no_grad():
            logits = loaded.model(input_ids).logits[:, :-1]  # (1, T-1, V): position t predicts token t+1
        total += float(torch.nn.functional.cross_entropy(logits[0].float(), input_ids[0, 1:], reduction="sum"))
        count += input_ids.shape[1] - 1
    return math.exp(total / count)


def _chart(arms: dict[str, LessonArm], perplexities: dict[str, float]) -> Figure:
    figure, [chat, text] = charts.panels(columns=2, height=2.4, width=7.2)
    blue, red = charts.PALETTE[:2]
    chat.barh(list(arms), [arm.score.value for arm in arms.values()], color=[blue, red] * 2, height=0.6)
    chat.set(xlabel="correct answers in a chat", xlim=(0, 1))
    text.barh(list(perplexities), list(perplexities.values()), color=[blue, red], height=0.4)
    text.set(xlabel="perplexity of plain text (lower is better)", xscale="log")
    for axes in (chat, text):
        axes.invert_yaxis()
        axes.grid(axis="y", visible=False)
    return figure
