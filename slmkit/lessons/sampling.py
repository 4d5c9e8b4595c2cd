"""Sampling and decoding: the model gives probabilities; you choose how to draw the next token from them.

Read from top to bottom: four filters of a few lines each, what temperature does, and what variety costs.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, panels
from slmkit.evaluation.score import default_metric
from slmkit.gold.gold_set import read_gold
from slmkit.inference.generate import Sampling, generate
from slmkit.models.load import Device, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Answer, Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Filter = Callable[["Tensor"], "Tensor"]
TEMPERATURES = (0.0, 0.3, 0.7, 1.0, 1.5, 2.0)
NUM_CONTINUATIONS = 40
NEVER = float("-inf")  # a logit that becomes probability 0


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
    """Compares temperature, top-k, top-p and min-p by hand with transformers, and measures accuracy against variety.

    sort: False makes top-p add up the probabilities in vocabulary order. open_prompt: a question with many answers.
    """
    from slmkit.models.chat_template import render

    loaded = load_model(model, device=device, dtype="float32")
    frozen = read_gold(gold)
    examples = random.Random(run.seed).sample(frozen.examples, min(limit, len(frozen.examples)))
    prompts = render(loaded.tokenizer, [[{"role": "user", "content": e.input}] for e in examples])

    # 1. Four filters by hand and the library's, on the logits of real prompts: equal to the last bit.
    scores = last_scores(loaded.model, prompts[:50])  # (N, V)
    ours: dict[str, Filter] = {
        "temperature 0.7": lambda s: temperature(s, 0.7),
        "top-k 5": lambda s: top_k(s, 5),
        "top-p 0.9": lambda s: top_p(s, 0.9, sort=sort),
        "min-p 0.05": lambda s: min_p(s, 0.05),
    }
    run.metric(filters_differ=sum(not bool((ours[name](scores) == theirs).all()) for name, theirs in library(scores)))

    # 2. A higher temperature always raises the entropy; near zero, sampling is greedy decoding.
    entropies = [entropy(temperature(scores, t)) for t in (0.3, 0.5, 0.7, 1.0, 1.5, 2.0)]
    cold = generate(loaded, prompts[:50], max_new_tokens=8, sampling=Sampling(temperature=1e-4, seed=run.seed))
    greedy = generate(loaded, prompts[:50], max_new_tokens=8)
    run.metric(
        smallest_rise_of_entropy=min(b - a for a, b in itertools.pairwise(entropies)),
        cold_differs_from_greedy=sum(a.text != b.text for a, b in zip(cold, greedy, strict=True)),
    )

    # 3. Facts need a low temperature, variety a high one.
    [opening] = render(loaded.tokenizer, [[{"role": "user", "content": open_prompt}]])
    metric = default_metric(frozen)
    rows: list[dict[str, Any]] = []
    for t in TEMPERATURES:
        how = Sampling(temperature=t, seed=run.seed)
        outputs = generate(loaded, prompts, max_new_tokens=16, sampling=how)
        right = [metric(e, Answer(e.id, output.text)) for e, output in zip(examples, outputs, strict=True)]
        many = generate(loaded, [opening] * NUM_CONTINUATIONS, max_new_tokens=16, sampling=how)
        distinct = sorted({output.text for output in many})
        rows.append({"temperature": t, "accuracy": sum(right) / len(right), "distinct": len(distinct),
                     "examples": "; ".join(distinct[:4])})  # fmt: skip
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
        f"From greedy to temperature {TEMPERATURES[-1]}, correct answers fall from {coldest['accuracy']:.0%} to "
        f"{hottest['accuracy']:.0%}, and {NUM_CONTINUATIONS} answers to one open question go from "
        f"{coldest['distinct']} to {hottest['distinct']} different ones."
    )


def temperature(scores: Tensor, t: float) -> Tensor:
    """Logits spread apart (t < 1: the most likely token wins more often) or drawn together (t > 1)."""
    return scores / t


def top_k(scores: Tensor, k: int) -> Tensor:
    """Keeps the k most likely tokens."""
    kth = scores.topk(k).values[:, -1:]
    return scores.masked_fill(scores < kth, NEVER)


def top_p(scores: Tensor, p: float, *, sort: bool = True) -> Tensor:
    """Keeps the fewest tokens whose probabilities add up to p: drops the least likely while their sum is <= 1 - p."""
    import torch

    order = scores.argsort(-1) if sort else torch.arange(scores.shape[-1]).expand(scores.shape).to(scores.device)
    dropped = scores.gather(-1, order).softmax(-1).cumsum(-1) <= 1 - p
    dropped[:, -1] = False  # the most likely token always stays
    return scores.masked_fill(torch.zeros_like(dropped).scatter(-1, order, dropped), NEVER)


def min_p(scores: Tensor, p: float) -> Tensor:
    """Keeps the tokens at least p times as likely as the most likely one."""
    probabilities = scores.softmax(-1)
    return scores.masked_fill(probabilities < p * probabilities.amax(-1, keepdim=True), NEVER)


def library(scores: Tensor) -> list[tuple[str, Tensor]]:
    """The same four filters from transformers."""
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    warpers = {
        "temperature 0.7": TemperatureLogitsWarper(0.7),
        "top-k 5": TopKLogitsWarper(5),
        "top-p 0.9": TopPLogitsWarper(0.9),
        "min-p 0.05": MinPLogitsWarper(0.05),
    }
    return [(name, warper(None, scores.clone())) for name, warper in warpers.items()]


def entropy(scores: Tensor) -> float:
    """The mean entropy over the prompts, in nats: 0 when one token has all the probability."""
    log_p = scores.log_softmax(-1)
    return -float((log_p.exp() * log_p).sum(-1).mean())


def last_scores(model: Any, prompts: Sequence[Sequence[int]]) -> Tensor:
    """The logits after the last token of each prompt (N, V)."""
    import torch

    with torch.inference_mode():
        rows = [model(torch.tensor([list(ids)], device=model.device)).logits[0, -1] for ids in prompts]
    return torch.stack(rows).float()


def _draw_filters(scores: Tensor, filters: dict[str, Filter]) -> Figure:
    """The twelve most likely tokens of the prompt with the highest entropy, before and after each filter."""
    log_p = scores.log_softmax(-1)
    prompt = int((-(log_p.exp() * log_p).sum(-1)).argmax())
    shown = scores[prompt].argsort(descending=True)[:12]
    before = scores.softmax(-1)[prompt, shown].tolist()
    figure, charts = panels(columns=len(filters), height=2.3, width=8.4, titles=list(filters))
    for axes, change in zip(charts, filters.values(), strict=True):
        axes.bar(range(12), change(scores).softmax(-1)[prompt, shown].tolist(), color=PALETTE[0], label="after")
        axes.step(range(12), before, where="mid", color=PALETTE[1], linewidth=1.2, label="before")
        axes.set(xticks=[])
    charts[0].set(ylabel="probability")
    charts[-1].legend(frameon=False, fontsize=8)
    return figure


def _draw_trade(rows: Sequence[tuple[float, float, int]]) -> Figure:
    """Accuracy and number of different answers at each temperature."""
    titles = ("correct answers to facts", f"different answers out of {NUM_CONTINUATIONS} to one question")
    figure, charts = panels(columns=2, height=2.4, width=7.2, titles=titles)
    temperatures, accuracies, distinct = zip(*rows, strict=True)
    for axes, values, colour in zip(charts, (accuracies, distinct), PALETTE, strict=False):
        axes.plot(temperatures, values, "o-", color=colour, markersize=4)
        axes.set(xlabel="temperature (0: greedy)", ylim=(0, None))
    return figure
