"""Next-token prediction: token ids in, one probability per token of the vocabulary out.

Read from top to bottom: one step, many steps, the loss, and whether the probabilities are calibrated.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, panels
from slmkit.gold.gold_set import read_gold
from slmkit.inference.generate import stop_ids
from slmkit.micro_world.gold_sets import draw
from slmkit.models.load import Device, Loaded, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Example, Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

NEW_TOKENS = 24
Pair = tuple[float, float]


def next_token(
    run: Run,
    *,
    model: Model,
    gold: Input,
    offset: int = 1,
    limit: PositiveInt = 50,
    device: Device = "auto",
) -> None:
    """Checks a model's next-token distributions: their sums, greedy decoding, the loss, and calibration.

    offset: position t is taken to predict token t + offset; 1 is correct.
    """
    loaded = load_model(model, device=device, dtype="float32")
    examples = random.Random(run.seed).sample(
        gold_examples := read_gold(gold).examples, min(limit, len(gold_examples))
    )
    texts = [input_ids_of(loaded, as_text(example)) for example in examples]

    # 1. Token ids in; out, for each position, the probability of each token of the vocabulary.
    probabilities = distributions(loaded, texts[0]).softmax(-1)  # (T, V)
    run.metric(vocabulary=probabilities.shape[1], sums_off=float((probabilities.sum(-1) - 1).abs().max()))

    # 2. To generate text, append the most likely token and repeat.
    prompts = [input_ids_of(loaded, as_prompt(example)) for example in examples[:10]]
    written = [write(loaded, prompt) for prompt in prompts]
    run.metric(loops_that_differ=sum(ids != library_write(loaded, p) for ids, p in zip(written, prompts, strict=True)))

    # 3. The loss is the surprise: minus the log of the probability that the actual next token got.
    run.metric(loss_difference=max(abs(loss(loaded, t, offset) - library_loss(loaded, t)) for t in texts[:10]))

    # 4. Are the probabilities calibrated? When the model says 70%, is it right 7 times in 10?
    familiar = [as_text(e) for e in draw("reading", "train", limit, seed=run.seed).examples]
    curves = {
        "familiar text": calibration(loaded, [input_ids_of(loaded, text) for text in familiar]),
        "new wordings and names": calibration(loaded, texts),
    }
    known, new = curves.values()
    run.metric(calibration_error=error_of(known), calibration_error_new=error_of(new))
    run.table("calibration", [{"text": text, **row} for text, curve in curves.items() for row in curve])

    steps = top_tokens(loaded, prompts[0], written[0])
    run.table("steps", steps)
    run.figure("next_token", _draw_steps(steps))
    run.figure("calibration", _draw_calibration(curves))
    run.verdict(
        f"{probabilities.shape[1]:,} probabilities per step. The calibration error is {error_of(known):.3f} on "
        f"text like the training data and {error_of(new):.3f} on new wordings and names."
    )


def as_prompt(example: Example) -> str:
    """The notes and the question as plain text for a base model to continue."""
    notes, _, question = example.input.rpartition("\n")
    return f" {notes}\n q: {question}\n a:" if notes else f" q: {question}\n a:"


def as_text(example: Example) -> str:
    """The prompt with its answer."""
    return f"{as_prompt(example)} {example.target}\n"


def input_ids_of(loaded: Loaded, text: str) -> Tensor:
    """The text as token ids (T,), after the beginning-of-sequence token if the model has one."""
    import torch

    bos = loaded.tokenizer.bos_token_id
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return torch.tensor([*([] if bos is None else [bos]), *ids], device=loaded.model.device)


def distributions(loaded: Loaded, input_ids: Tensor) -> Tensor:
    """The logits at each position (T, V): position t predicts token t+1."""
    import torch

    with torch.inference_mode():
        return loaded.model(input_ids[None]).logits[0].float()


def write(loaded: Loaded, input_ids: Tensor) -> list[int]:
    """Greedy decoding: append the most likely token until a stop token or NEW_TOKENS."""
    import torch

    stops = stop_ids(loaded)
    written: list[int] = []
    while len(written) < NEW_TOKENS and not stops.intersection(written[-1:]):
        best = distributions(loaded, input_ids)[-1].argmax()
        input_ids = torch.cat([input_ids, best[None]])
        written.append(int(best))
    return written


def library_write(loaded: Loaded, input_ids: Tensor) -> list[int]:
    """Greedy decoding with transformers' `generate`."""
    import torch

    output = loaded.model.generate(
        input_ids[None],
        attention_mask=torch.ones_like(input_ids[None]),
        do_sample=False,
        repetition_penalty=1.0,
        max_new_tokens=NEW_TOKENS,
        eos_token_id=sorted(stop_ids(loaded)),
        pad_token_id=loaded.tokenizer.pad_token_id,
    )
    return list(output[0, len(input_ids) :].tolist())


def loss(loaded: Loaded, input_ids: Tensor, offset: int) -> float:
    """The mean of -log p of the actual next tokens, in nats."""
    log_p = distributions(loaded, input_ids).log_softmax(-1)
    return -float(log_p[:-offset].gather(-1, input_ids[offset:, None]).mean())


def library_loss(loaded: Loaded, input_ids: Tensor) -> float:
    """The training loss as transformers computes it."""
    import torch

    with torch.inference_mode():
        return float(loaded.model(input_ids[None], labels=input_ids[None]).loss)


def confidence_and_correctness(loaded: Loaded, input_ids: Tensor) -> list[Pair]:
    """The probability of the most likely token at each position, and whether that token came next."""
    best = distributions(loaded, input_ids)[:-1].softmax(-1).max(-1)
    right = (best.indices == input_ids[1:]).float()
    return list(zip(best.values.tolist(), right.tolist(), strict=True))


def calibration(loaded: Loaded, texts: Sequence[Tensor]) -> list[dict[str, float]]:
    """Positions in ten bins by confidence, each with its mean confidence and its accuracy."""
    pairs = [pair for text in texts for pair in confidence_and_correctness(loaded, text)]
    rows = []
    for tenth in range(10):
        inside = [pair for pair in pairs if min(9, int(pair[0] * 10)) == tenth]
        if inside:
            confidence, accuracy = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            share = len(inside) / len(pairs)
            rows.append({"confidence": confidence, "accuracy": accuracy, "share": share, "positions": len(inside)})
    return rows


def error_of(curve: Sequence[dict[str, float]]) -> float:
    """The expected calibration error: the mean distance between confidence and accuracy."""
    return sum(row["share"] * abs(row["confidence"] - row["accuracy"]) for row in curve)


def top_tokens(loaded: Loaded, input_ids: Tensor, written: Sequence[int]) -> list[dict[str, Any]]:
    """The ten most likely tokens at each of the first three steps."""
    import torch

    rows = []
    for step, token in enumerate(written[:3]):
        best = distributions(loaded, input_ids)[-1].softmax(-1).topk(10)
        for id, p in zip(best.indices.tolist(), best.values.tolist(), strict=True):
            rows.append({"step": step + 1, "token": repr(loaded.tokenizer.decode([id])), "probability": round(p, 4)})
        input_ids = torch.cat([input_ids, torch.tensor([token], device=input_ids.device)])
    return rows


def _draw_steps(rows: Sequence[dict[str, Any]]) -> Figure:
    """The most likely tokens at each step."""
    steps = sorted({row["step"] for row in rows})
    titles = [f"step {step}" for step in steps]
    figure, charts = panels(columns=len(steps), height=2.6, width=2.7 * len(steps), titles=titles)
    for axes, step in zip(charts, steps, strict=True):
        shown = [row for row in rows if row["step"] == step]
        names = [row["token"].replace("$", r"\$") for row in shown]
        axes.barh(range(len(shown)), [row["probability"] for row in shown], color=PALETTE[0])
        axes.set_yticks(range(len(shown)), names, fontsize=8)
        axes.set(xlim=(0, 1), xlabel="probability")
        axes.invert_yaxis()
    return figure


def _draw_calibration(curves: dict[str, list[dict[str, float]]]) -> Figure:
    """Accuracy against confidence, on familiar text and on new wordings."""
    figure, charts = panels(columns=len(curves), height=2.8, width=7.2, titles=list(curves))
    for axes, curve in zip(charts, curves.values(), strict=True):
        axes.plot([0, 1], [0, 1], color=PALETTE[5], linewidth=1, linestyle="--", label="perfectly calibrated")
        x, y = [row["confidence"] for row in curve], [row["accuracy"] for row in curve]
        axes.scatter(x, y, s=[10 + 200 * row["share"] for row in curve], color=PALETTE[0])
        axes.set(xlim=(0, 1.05), ylim=(0, 1.08), xlabel="confidence", ylabel="accuracy")
    charts[0].legend(frameon=False, fontsize=8)
    return figure
