"""Sampling and decoding: the model gives probabilities; how the next token is drawn from them is up to you.

Read from top to bottom: four filters of a few lines each, what temperature does, and what variety costs.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, panels
from slmkit.evaluation.measure import default_metric
from slmkit.gold.gold_set import read_gold
from slmkit.inference.generate import Sampling, generate
from slmkit.models.load import Device, load_model
from slmkit.runs.run import Run
from slmkit.types import Answer, Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Filter = Callable[["Tensor"], "Tensor"]
TEMPERATURES = (0.0, 0.3, 0.7, 1.0, 1.5, 2.0)
NUM_CONTINUATIONS = 40
NEVER = float("-inf")  # a score that becomes probability 0


def sampling(
    run: Run,
    *,
    model: Model,
    gold: Input,
    sort: bool = True,
    open_prompt: str = "say the name of a friend.",
    limit: PositiveInt = 200,
    device: Device = "auto",
) -> None:
    """Temperature, top-k, top-p and min-p by hand and by transformers; then accuracy against variety.

    sort: False lets top-p add up the probabilities in the order of the vocabulary. open_prompt: what has many answers.
    """
    from slmkit.models.chat_template import render

    loaded = load_model(model, device=device, dtype="float32")
    frozen = read_gold(gold)
    examples = random.Random(run.seed).sample(frozen.examples, min(limit, len(frozen.examples)))
    prompts = render(loaded.tokenizer, [[{"role": "user", "content": e.input}] for e in examples])

    # 1. Four filters by hand, and the library's, on the scores of real prompts: the same to the last bit.
    scores = last_scores(loaded.model, prompts[:50])  # (N, V)
    ours: dict[str, Filter] = {
        "temperature 0.7": lambda s: temperature(s, 0.7),
        "top-k 5": lambda s: top_k(s, 5),
        "top-p 0.9": lambda s: top_p(s, 0.9, sort=sort),
        "min-p 0.05": lambda s: min_p(s, 0.05),
    }
    run.metric(filters_differ=sum(not bool((ours[name](scores) == theirs).all()) for name, theirs in library(scores)))

    # 2. A higher temperature makes the choice more open, always; towards zero it is greedy.
    entropies = [entropy(temperature(scores, t)) for t in (0.3, 0.5, 0.7, 1.0, 1.5, 2.0)]
    cold = generate(loaded, prompts[:50], max_new_tokens=8, sampling=Sampling(temperature=1e-4, seed=run.seed))
    greedy = generate(loaded, prompts[:50], max_new_tokens=8)
    run.metric(
        smallest_rise_of_entropy=min(b - a for a, b in itertools.pairwise(entropies)),
        cold_differs_from_greedy=sum(a.text != b.text for a, b in zip(cold, greedy, strict=True)),
    )

    # 3. Facts want a cold model, ideas a warm one.
    [opening] = render(loaded.tokenizer, [[{"role": "user", "content": open_prompt}]])
    metric = default_metric(frozen)
    rows: list[dict[str, Any]] = []
    for t in TEMPERATURES:
        how = Sampling(temperature=t, seed=run.seed)
        said = generate(loaded, prompts, max_new_tokens=16, sampling=how)
        right = [metric(e, Answer(e.id, output.text)) for e, output in zip(examples, said, strict=True)]
        many = generate(loaded, [opening] * NUM_CONTINUATIONS, max_new_tokens=16, sampling=how)
        distinct = sorted({output.text for output in many})
        rows.append({"temperature": t, "accuracy": sum(right) / len(right), "distinct": len(distinct),
                     "such as": "; ".join(distinct[:4])})  # fmt: skip
    run.table("temperatures", rows)
    coldest, hottest = rows[0], rows[-1]
    run.metric(
        accuracy_greedy=coldest["accuracy"],
        accuracy_hot=hottest["accuracy"],
        accuracy_lost=coldest["accuracy"] - hottest["accuracy"],
        distinct_over_greedy=hottest["distinct"] / coldest["distinct"],
    )
    run.figure("filters", _draw_filters(scores, ours))
    run.figure("temperatures", _draw_trade([(r["temperature"], r["accuracy"], r["distinct"]) for r in rows]))
    run.verdict(
        f"From greedy to temperature {TEMPERATURES[-1]}, right answers fall from {coldest['accuracy']:.0%} to "
        f"{hottest['accuracy']:.0%} and one open question gets {hottest['distinct']} answers in place of "
        f"{coldest['distinct']}."
    )


def temperature(scores: Tensor, t: float) -> Tensor:
    """Scores drawn apart (t < 1: the likeliest wins more often) or together (t > 1: all get a chance)."""
    return scores / t


def top_k(scores: Tensor, k: int) -> Tensor:
    """The k likeliest tokens; all others never."""
    kth = scores.topk(k).values[:, -1:]
    return scores.masked_fill(scores < kth, NEVER)


def top_p(scores: Tensor, p: float, *, sort: bool = True) -> Tensor:
    """The fewest tokens that together reach p: from the unlikeliest on, dropped while at most 1 - p is lost."""
    import torch

    places = scores.argsort(-1) if sort else torch.arange(scores.shape[-1]).expand(scores.shape).to(scores.device)
    lost = scores.gather(-1, places).softmax(-1).cumsum(-1) <= 1 - p
    lost[:, -1] = False  # the likeliest stays
    return scores.masked_fill(torch.zeros_like(lost).scatter(-1, places, lost), NEVER)


def min_p(scores: Tensor, p: float) -> Tensor:
    """The tokens at least p times as likely as the likeliest."""
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), NEVER)


def library(scores: Tensor) -> list[tuple[str, Tensor]]:
    """The same four by transformers."""
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    warpers = {
        "temperature 0.7": TemperatureLogitsWarper(0.7),
        "top-k 5": TopKLogitsWarper(5),
        "top-p 0.9": TopPLogitsWarper(0.9),
        "min-p 0.05": MinPLogitsWarper(0.05),
    }
    return [(name, warper(None, scores.clone())) for name, warper in warpers.items()]


def entropy(scores: Tensor) -> float:
    """How open the choice is, in nats: 0 when one token has it all; the mean over the prompts."""
    log_p = scores.log_softmax(-1)
    return -float((log_p.exp() * log_p).sum(-1).mean())


def last_scores(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """What the model says at the end of each prompt, before it is made to sum to one (N, V)."""
    import torch

    with torch.inference_mode():
        rows = [model(torch.tensor([list(ids)], device=model.device)).logits[0, -1] for ids in prompts]
    return torch.stack(rows).float()


def _draw_filters(scores: Tensor, filters: dict[str, Filter]) -> Figure:
    """The twelve likeliest tokens of the most open prompt, before and after each filter."""
    log_p = scores.log_softmax(-1)
    openest = int((-(log_p.exp() * log_p).sum(-1)).argmax())
    shown = scores[openest].argsort(descending=True)[:12]
    before = scores.softmax(-1)[openest, shown].tolist()
    figure, charts = panels(columns=len(filters), height=2.3, width=8.4, titles=list(filters))
    for axes, change in zip(charts, filters.values(), strict=True):
        axes.bar(range(12), change(scores).softmax(-1)[openest, shown].tolist(), color=PALETTE[0], label="after")
        axes.step(range(12), before, where="mid", color=PALETTE[1], linewidth=1.2, label="before")
        axes.set(xticks=[])
    charts[0].set(ylabel="probability")
    charts[-1].legend(frameon=False, fontsize=8)
    return figure


def _draw_trade(rows: Sequence[tuple[float, float, int]]) -> Figure:
    """Right answers and different answers at each temperature."""
    titles = ("right answers to facts", f"different answers to one question, of {NUM_CONTINUATIONS}")
    figure, charts = panels(columns=2, height=2.4, width=7.2, titles=titles)
    temperatures, accuracies, distinct = zip(*rows, strict=True)
    for axes, values, colour in zip(charts, (accuracies, distinct), PALETTE, strict=False):
        axes.plot(temperatures, values, "o-", color=colour, markersize=4)
        axes.set(xlabel="temperature (0: greedy)", ylim=(0, None))
    return figure
