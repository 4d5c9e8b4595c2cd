"""A small model fine-tuned on one task against a larger few-shot model: score, FLOPs and latency."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.evaluation.lesson_arms import LessonArm, ask_arms
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype, Loaded, load_model
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions, FewShot
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model, NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUM_ALONE = 10  # questions asked one at a time, after a warm-up


def slm_vs_llm(
    run: Run,
    *,
    small: Model,
    large: Model,
    narrow: Input,
    broad: Input,
    examples: Input,
    num_shots: NonNegativeInt = 4,
    limit: PositiveInt | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Compares both models on a narrow and a broad task, and counts the cost of an answer to the narrow one.

    small: fine-tuned on the narrow task. large: prompted with num_shots solved `examples` of it.
    """
    ask = partial(prompt, chat=ChatOptions(device=device, dtype=dtype, show_labels=False))
    tuned = partial(ask, model=small)
    shown = partial(ask, model=large, few_shot=FewShot(num_shots=num_shots, examples=examples))
    on_narrow = ask_arms(run, read_gold(narrow), {"small, fine-tuned": tuned, "large, few-shot": shown}, limit=limit)
    asked = partial(ask, model=large)
    on_broad = ask_arms(run, read_gold(broad), {"small, fine-tuned": tuned, "large, few-shot": asked}, limit=limit)
    loaded = {
        "small, fine-tuned": load_model(small, device=device, dtype=dtype),
        "large, few-shot": load_model(large, device=device, dtype=dtype),
    }
    work = {name: flops(loaded[name], tokens(arm)) for name, arm in on_narrow.items()}
    rows = [
        {
            "model": name,
            "parameters": parameters(loaded[name]),
            "narrow task": arm.score.value,
            "broad task": on_broad[name].score.value,
            "tokens per answer": tokens(arm),
            "million FLOPs": round(work[name] / 1e6),
            "p50 ms": round(1000 * latency(arm), 1),
        }
        for name, arm in on_narrow.items()
    ]
    run.table("small_and_large", rows)
    run.table("answers", (row for name, arm in on_narrow.items() for row in arm.rows(name)))
    run.figure("score_against_work", _chart(on_narrow, on_broad, work))
    taught, few_shot = on_narrow.values()
    narrowed, general = on_broad.values()
    run.metric(
        ahead_on_narrow=taught.score.value - few_shot.score.value,
        behind_on_broad=general.score.value - narrowed.score.value,
        flops_ratio=work["small, fine-tuned"] / work["large, few-shot"],
        times_larger=parameters(loaded["large, few-shot"]) / parameters(loaded["small, fine-tuned"]),
    )


def parameters(loaded: Loaded) -> int:
    """The number of weights."""
    return sum(parameter.numel() for parameter in loaded.model.parameters())


def tokens(arm: LessonArm) -> int:
    """The mean number of tokens per answer, prompt included."""
    return round(statistics.mean(answer.prompt_tokens + answer.completion_tokens for answer in arm.answers))


def latency(arm: LessonArm) -> float:
    """The median seconds per answer, asked one at a time."""
    return statistics.median(answer.seconds for answer in arm.answers[1 : 1 + _NUM_ALONE])


def flops(loaded: Loaded, num_tokens: int) -> int:
    """Floating-point operations of one forward pass over num_tokens tokens, counted by torch.

    With a KV cache this is the cost of an answer: each token, read or written, goes through the model once.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    input_ids = torch.ones((1, num_tokens), dtype=torch.long, device=loaded.model.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        loaded.model(input_ids)
    return int(counter.get_total_flops())


def _chart(narrow: Mapping[str, LessonArm], broad: Mapping[str, LessonArm], work: Mapping[str, int]) -> Figure:
    figure, axes = charts.blank(height=3.2)
    for colour, name in zip(charts.PALETTE, narrow, strict=False):
        for arms, marker, task in ((narrow, "o", "narrow"), (broad, "s", "broad")):
            score = arms[name].score
            axes.plot([work[name] / 1e6] * 2, [score.low, score.high], color=colour, linewidth=1.5)
            axes.plot([work[name] / 1e6], [score.value], marker, color=colour, label=f"{name}: {task} task")
    axes.set(xscale="log", xlabel="million FLOPs per answer to the narrow task")
    axes.set(ylabel="correct answers", ylim=(-0.03, 1.03))
    axes.margins(x=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
