"""Next-token prediction: numbers in, and out comes how likely each token of the vocabulary is to be the next one.

Read from top to bottom: one step, many steps, how the loss is made of the same numbers, and whether they can be
believed.
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
from slmkit.runs.run import Run
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
    """One distribution over the vocabulary for each place of a text: its sums, its loop, its loss, and its honesty.

    offset: how far ahead the distribution at a place is taken to look.
    """
    loaded = load_model(model, device=device, dtype="float32")
    examples = random.Random(run.seed).sample(
        gold_examples := read_gold(gold).examples, min(limit, len(gold_examples))
    )
    texts = [input_ids_of(loaded, as_text(example)) for example in examples]

    # 1. In: token ids. Out: for each place, how likely each token of the vocabulary is to come next.
    probabilities = distributions(loaded, texts[0]).softmax(-1)  # (T, V)
    run.metric(vocabulary=probabilities.shape[1], sums_off=float((probabilities.sum(-1) - 1).abs().max()))

    # 2. Writing is this, again and again: take the likeliest, append it, repeat.
    prompts = [input_ids_of(loaded, as_prompt(example)) for example in examples[:10]]
    written = [write(loaded, prompt) for prompt in prompts]
    run.metric(loops_that_differ=sum(ids != library_write(loaded, p) for ids, p in zip(written, prompts, strict=True)))

    # 3. The loss is how surprised it was: minus the logarithm of what it gave the token that came.
    run.metric(loss_difference=max(abs(loss(loaded, t, offset) - library_loss(loaded, t)) for t in texts[:10]))

    # 4. Can the numbers be believed? When it says 70 %, is it right 7 times in 10?
    familiar = [as_text(e) for e in draw("reading", "train", limit, seed=run.seed).examples]
    curves = {
        "text of the kind it learnt from": calibration(loaded, [input_ids_of(loaded, text) for text in familiar]),
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
        f"{probabilities.shape[1]:,} probabilities a step. What it says is off by {error_of(known):.3f} on text of "
        f"the kind it learnt from, by {error_of(new):.3f} on new wordings."
    )


def as_prompt(example: Example) -> str:
    """The notes and a question as the plain text that a base model continues."""
    notes, _, question = example.input.rpartition("\n")
    return f" {notes}\n q: {question}\n a:" if notes else f" q: {question}\n a:"


def as_text(example: Example) -> str:
    """The same with its answer."""
    return f"{as_prompt(example)} {example.target}\n"


def input_ids_of(loaded: Loaded, text: str) -> Tensor:
    """The text as ids (T,), after the token that begins a text where the model has one."""
    import torch

    bos = loaded.tokenizer.bos_token_id
    ids = loaded.tokenizer(text, add_special_tokens=False)["input_ids"]
    return torch.tensor([*([] if bos is None else [bos]), *ids], device=loaded.model.device)


def distributions(loaded: Loaded, input_ids: Tensor) -> Tensor:
    """What the model says at each place, before it is made to sum to one (T, V): position t predicts token t+1."""
    import torch

    with torch.inference_mode():
        return loaded.model(input_ids[None]).logits[0].float()


def write(loaded: Loaded, input_ids: Tensor) -> list[int]:
    """The likeliest token, appended; again, until a token that ends or enough."""
    import torch

    stops = stop_ids(loaded)
    written: list[int] = []
    while len(written) < NEW_TOKENS and not stops.intersection(written[-1:]):
        best = distributions(loaded, input_ids)[-1].argmax()
        input_ids = torch.cat([input_ids, best[None]])
        written.append(int(best))
    return written


def library_write(loaded: Loaded, input_ids: Tensor) -> list[int]:
    """The same by transformers' generate."""
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
    """The mean of -log p over the tokens that came, in nats."""
    log_p = distributions(loaded, input_ids).log_softmax(-1)
    return -float(log_p[:-offset].gather(-1, input_ids[offset:, None]).mean())


def library_loss(loaded: Loaded, input_ids: Tensor) -> float:
    """The loss that transformers trains with."""
    import torch

    with torch.inference_mode():
        return float(loaded.model(input_ids[None], labels=input_ids[None]).loss)


def confidence_and_right(loaded: Loaded, input_ids: Tensor) -> list[Pair]:
    """At each place, the probability of the likeliest token, and whether that was the token that came."""
    best = distributions(loaded, input_ids)[:-1].softmax(-1).max(-1)
    right = (best.indices == input_ids[1:]).float()
    return list(zip(best.values.tolist(), right.tolist(), strict=True))


def calibration(loaded: Loaded, texts: Sequence[Tensor]) -> list[dict[str, float]]:
    """Places where it was about as sure, together: what it said on average, and how often it was right."""
    pairs = [pair for text in texts for pair in confidence_and_right(loaded, text)]
    rows = []
    for tenth in range(10):
        inside = [pair for pair in pairs if min(9, int(pair[0] * 10)) == tenth]
        if inside:
            said, right = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            rows.append({"said": said, "right": right, "share": len(inside) / len(pairs), "places": len(inside)})
    return rows


def error_of(curve: Sequence[dict[str, float]]) -> float:
    """The expected calibration error: how far what it says is from how often it is right, on average."""
    return sum(row["share"] * abs(row["said"] - row["right"]) for row in curve)


def top_tokens(loaded: Loaded, input_ids: Tensor, written: Sequence[int]) -> list[dict[str, Any]]:
    """The ten likeliest tokens at each of the first steps."""
    import torch

    rows = []
    for step, token in enumerate(written[:3]):
        best = distributions(loaded, input_ids)[-1].softmax(-1).topk(10)
        for id, p in zip(best.indices.tolist(), best.values.tolist(), strict=True):
            rows.append({"step": step + 1, "token": repr(loaded.tokenizer.decode([id])), "probability": round(p, 4)})
        input_ids = torch.cat([input_ids, torch.tensor([token], device=input_ids.device)])
    return rows


def _draw_steps(rows: Sequence[dict[str, Any]]) -> Figure:
    """The likeliest tokens, step by step."""
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
    """What it says against how often it is right, on text it knows the kind of and on new wordings."""
    figure, charts = panels(columns=len(curves), height=2.8, width=7.2, titles=list(curves))
    for axes, curve in zip(charts, curves.values(), strict=True):
        axes.plot([0, 1], [0, 1], color=PALETTE[5], linewidth=1, linestyle="--", label="says what is so")
        x, y = [row["said"] for row in curve], [row["right"] for row in curve]
        axes.scatter(x, y, s=[10 + 200 * row["share"] for row in curve], color=PALETTE[0])
        axes.set(xlim=(0, 1.05), ylim=(0, 1.08), xlabel="probability it gives", ylabel="share right")
    charts[0].legend(frameon=False, fontsize=8)
    return figure
