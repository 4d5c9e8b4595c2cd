"""Attention: each token looks at the tokens before it and takes information from those that matter.

Read from top to bottom: the formula in five lines against the model's own, the causal mask, and the heads that read
the notes: found by their attention weights, confirmed by switching them off.
After Vaswani et al. 2017, https://arxiv.org/abs/1706.03762.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.evaluation.score import accuracy
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Loaded, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Example, Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

Head = tuple[int, int]  # layer, head
NUM_RANDOM = 8  # random sets of other heads


def attention_by_hand(
    run: Run,
    *,
    model: Model,
    gold: Input,
    scale: bool = True,
    num_heads: PositiveInt = 2,
    limit: PositiveInt = 100,
    device: Device = "auto",
) -> None:
    """Compares attention by hand with the model's, then finds the heads that read the notes and switches them off.

    scale: divide the scores by the square root of the head's width. num_heads: the number of heads switched off.
    """
    import torch

    loaded = load_model(model, device=device, dtype="float32")
    loaded.model.set_attn_implementation("eager")  # the implementation that returns attention weights
    frozen = read_gold(gold)
    examples = random.Random(run.seed).sample(frozen.examples, min(limit, len(frozen.examples)))
    readings = [read for example in examples if (read := find_answer(loaded, example))]

    # 1. The formula, applied to the first layer of the model, gives the same output.
    theirs = seen_in_first_layer(loaded, readings[0].input_ids)
    with torch.inference_mode():
        first = loaded.model.model.layers[0].self_attn
        ours, weights = attention(first, theirs.hidden, *theirs.rotation, scale=scale)
    run.metric(
        attention_difference=float((ours - theirs.output).abs().max()),
        weights_sum_off=float((weights.sum(-1) - 1).abs().max()),
    )

    # 2. The causal mask: changing the last token changes nothing at the earlier positions.
    changed = readings[0].input_ids.clone()
    changed[0, -1] = (changed[0, -1] + 1) % len(loaded.tokenizer)
    with torch.inference_mode():
        before, after = loaded.model(readings[0].input_ids).logits, loaded.model(changed).logits
    run.metric(earlier_places_changed=float((before - after)[:, :-1].abs().max()))

    # 3. When the model starts to answer, which heads look at the answer in the notes?
    looks = torch.stack([looks_at_answer(loaded, reading) for reading in readings]).mean(0)  # (layers, H)
    order = looks.flatten().argsort(descending=True).tolist()
    ranked: list[Head] = [divmod(number, looks.shape[1]) for number in order]
    best, others = ranked[:num_heads], ranked[num_heads:]
    run.metric(best_head_looks=float(looks.max()))
    run.table("heads", [{"layer": i, "head": j, "weight on the answer": float(looks[i, j])} for i, j in ranked[:32]])

    # 4. Confirm it: switch these heads off, then the same number of other heads.
    def score_without(heads: Sequence[Head]) -> float:
        with switched_off(loaded, heads):
            return accuracy(loaded, frozen, limit=limit, seed=run.seed).value

    r = random.Random(run.seed)
    whole, without_best = score_without([]), score_without(best)
    without_others = [score_without(r.sample(others, num_heads)) for _ in range(NUM_RANDOM)]
    run.metric(
        accuracy=whole,
        lost_without_best=whole - without_best,
        lost_without_random=whole - sum(without_others) / NUM_RANDOM,
    )
    run.metric(best_against_random=run.metrics["lost_without_best"] - run.metrics["lost_without_random"])  # type: ignore

    run.figure("map", _draw_map(loaded, readings[0], best[0]))
    run.figure("heads", _draw_heads(looks, whole, without_best, without_others))
    names = " and ".join(f"{layer}.{head}" for layer, head in best)
    run.verdict(
        f"Without heads {names}, which look at the answer, correct answers fall from {whole:.0%} to "
        f"{without_best:.0%}; without {num_heads} random other heads, to {sum(without_others) / NUM_RANDOM:.0%} on "
        "average."
    )


def attention(layer: Any, hidden: Tensor, cos: Tensor, sin: Tensor, *, scale: bool) -> tuple[Tensor, Tensor]:
    """softmax(Q K' / sqrt(C)) V and its weights (H, T, T); hidden is (T, D), cos and sin (T, C) encode positions."""
    import torch

    T, C = len(hidden), layer.head_dim
    Q, K, V = (to(hidden).view(T, -1, C) for to in (layer.q_proj, layer.k_proj, layer.v_proj))  # (T, heads, C)
    if hasattr(layer, "q_norm"):  # as in Qwen3
        Q, K = layer.q_norm(Q), layer.k_norm(K)
    Q, K, V = rotate(Q.transpose(0, 1), cos, sin), rotate(K.transpose(0, 1), cos, sin), V.transpose(0, 1)
    K, V = (group.repeat_interleave(len(Q) // len(group), 0) for group in (K, V))  # grouped-query attention

    scores = Q @ K.transpose(1, 2) / (C**0.5 if scale else 1)  # (H, T, T): how well each query fits each key
    future = torch.ones(T, T, dtype=torch.bool, device=scores.device).triu(1)
    weights = scores.masked_fill(future, float("-inf")).softmax(-1)  # the causal mask
    mixed = weights @ V  # (H, T, C): the weighted sum of the values
    return layer.o_proj(mixed.transpose(0, 1).reshape(T, -1)), weights


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary position embedding: each pair of numbers is rotated by an angle that grows with the position."""
    import torch

    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


@dataclass(frozen=True)
class FirstLayer:
    """The input and output of the first layer's attention."""

    hidden: Tensor  # (T, D)
    rotation: tuple[Tensor, Tensor]  # cos and sin (T, C)
    output: Tensor  # (T, D)


def seen_in_first_layer(loaded: Loaded, input_ids: Tensor) -> FirstLayer:
    """Runs the model once and records the attention of its first layer."""
    import torch

    seen: list[FirstLayer] = []

    def listen(_: Any, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        hidden = named["hidden_states"] if "hidden_states" in named else arguments[0]
        cos, sin = named["position_embeddings"]
        seen.append(FirstLayer(hidden[0], (cos[0], sin[0]), output[0][0]))

    hook = loaded.model.model.layers[0].self_attn.register_forward_hook(listen, with_kwargs=True)
    with torch.inference_mode():
        loaded.model(input_ids)
    hook.remove()
    return seen[0]


@dataclass(frozen=True)
class Reading:
    """A question on notes as the model sees it, and the position of the answer in the notes."""

    input_ids: Tensor  # (1, T), up to where the answer starts
    answer: list[int]  # positions


def find_answer(loaded: Loaded, example: Example) -> Reading | None:
    """The rendered prompt and the positions of the answer's first mention; None if the notes do not contain it."""
    import torch

    from slmkit.models.chat_template import render_text

    [text] = render_text(loaded.tokenizer, [[{"role": "user", "content": example.input}]])
    found = re.search(rf"\b{re.escape(example.target)}\b", text)
    if found is None:
        return None
    encoding = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    spans = enumerate(encoding["offset_mapping"])
    positions = [i for i, (a, b) in spans if a < found.end() and b > found.start() and a < b]
    return Reading(torch.tensor([encoding["input_ids"]], device=loaded.model.device), positions)


def looks_at_answer(loaded: Loaded, reading: Reading) -> Tensor:
    """The attention weight of each head on the answer in the notes, from the last position (layers, H)."""
    import torch

    with torch.inference_mode():
        layers = loaded.model(reading.input_ids, output_attentions=True).attentions  # each (1, H, T, T)
    return torch.stack([weights[0, :, -1, reading.answer].sum(-1).cpu() for weights in layers])


@contextmanager
def switched_off(loaded: Loaded, heads: Sequence[Head]) -> Iterator[None]:
    """While active, the output of these heads is set to zero."""

    def silence(chosen: list[int], width: int) -> Any:
        def before(_: Any, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
            mixed = arguments[0].clone()  # (B, T, H * C)
            for head in chosen:
                mixed[..., head * width : (head + 1) * width] = 0
            return (mixed,)

        return before

    hooks = []
    for layer, block in enumerate(loaded.model.model.layers):
        chosen = [head for at, head in heads if at == layer]
        hooks.append(block.self_attn.o_proj.register_forward_pre_hook(silence(chosen, block.self_attn.head_dim)))
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _draw_map(loaded: Loaded, reading: Reading, head: Head) -> Figure:
    """The attention weights of one head, from each token (row) to each token (column)."""
    import torch

    with torch.inference_mode():
        weights = loaded.model(reading.input_ids, output_attentions=True).attentions[head[0]][0, head[1]].cpu()
    names = [loaded.tokenizer.decode([id]).strip().replace("$", r"\$") for id in reading.input_ids[0].tolist()]
    size = min(9.0, 1.5 + 0.14 * len(names))
    figure, [axes] = panels(columns=1, height=size, width=size, titles=(f"layer {head[0]}, head {head[1]}",))
    axes.imshow(weights.tolist(), cmap=clear_to(PALETTE[1]), vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
    axes.set_yticks(range(len(names)), names, fontsize=6)
    axes.set(xlabel="to this token", ylabel="attention from this token")
    axes.grid(visible=False)
    return figure


def _draw_heads(looks: Tensor, whole: float, without_best: float, without_others: Sequence[float]) -> Figure:
    """Attention weight on the answer per head, and accuracy without some heads."""
    titles = ("attention weight on the answer", "correct answers")
    figure, [left, right] = panels(columns=2, height=2.6, width=7.2, titles=titles)
    left.imshow(looks.tolist(), cmap=clear_to(PALETTE[0]), vmin=0, vmax=1, aspect="auto")
    if looks.numel() <= 64:
        for layer, row in enumerate(looks.tolist()):
            for head, weight in enumerate(row):
                left.text(head, layer, f"{weight:.2f}", ha="center", va="center", fontsize=8)
    left.set(xlabel="head", ylabel="layer")
    left.locator_params(integer=True)
    left.grid(visible=False)
    bars = {"all heads": whole, "without\nthese heads": without_best}
    bars["without\nother heads"] = sum(without_others) / len(without_others)
    drawn = right.bar(list(bars), list(bars.values()), color=PALETTE[:3], width=0.5)
    right.bar_label(drawn, [f"{value:.0%}" for value in bars.values()], padding=3)
    right.plot([2.36] * len(without_others), without_others, "o", color=PALETTE[2], markersize=3)  # each random set
    right.set(ylim=(0, 1.12), ylabel="share")
    return figure
