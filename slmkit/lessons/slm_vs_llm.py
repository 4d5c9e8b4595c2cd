"""A small model that was taught one task against a larger one that is asked: score, work, bytes and time."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.evaluation.lesson_arms import Arm, ask_arms
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype, Loaded, load_model
from slmkit.runs.run import Run
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model, NonNegativeInt, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_NUM_ALONE = 10  # answers asked one at a time, after the first


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
    """Asks both the narrow task and a broad one, and counts what an answer to the narrow one costs each.

    small: trained on the narrow task. large: shown num_shots solved `examples` of it instead.
    """
    ask = partial(prompt, device=device, dtype=dtype, show_labels=False)
    tuned, shown = partial(ask, model=small), partial(ask, model=large, num_shots=num_shots, examples=examples)
    on_narrow = ask_arms(run, read_gold(narrow), {"small, taught": tuned, "large, shown": shown}, limit=limit)
    asked = partial(ask, model=large)
    on_broad = ask_arms(run, read_gold(broad), {"small, taught": tuned, "large, shown": asked}, limit=limit)
    loaded = {
        "small, taught": load_model(small, device=device, dtype=dtype),
        "large, shown": load_model(large, device=device, dtype=dtype),
    }
    work = {name: flops(loaded[name], tokens(arm)) for name, arm in on_narrow.items()}
    rows = [
        {
            "model": name,
            "parameters": parameters(loaded[name]),
            "narrow task": arm.score.value,
            "broad task": on_broad[name].score.value,
            "tokens an answer": tokens(arm),
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
        flops_ratio=work["small, taught"] / work["large, shown"],
        times_larger=parameters(loaded["large, shown"]) / parameters(loaded["small, taught"]),
    )


def parameters(loaded: Loaded) -> int:
    """Weights, each once."""
    return sum(parameter.numel() for parameter in loaded.model.parameters())


def tokens(arm: Arm) -> int:
    """Tokens that an answer takes, read and written, on average."""
    return round(statistics.mean(answer.prompt_tokens + answer.completion_tokens for answer in arm.answers))


def latency(arm: Arm) -> float:
    """The middle of the seconds that an answer took when it was asked alone."""
    return statistics.median(answer.seconds for answer in arm.answers[1 : 1 + _NUM_ALONE])


def flops(loaded: Loaded, num_tokens: int) -> int:
    """Multiplications and additions, counted by torch while so many tokens pass through the model once.

    With a key-value cache an answer costs just that: each token, read or written, goes through the matrices once.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    input_ids = torch.ones((1, num_tokens), dtype=torch.long, device=loaded.model.device)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        loaded.model(input_ids)
    return int(counter.get_total_flops())


def _chart(narrow: Mapping[str, Arm], broad: Mapping[str, Arm], work: Mapping[str, int]) -> Figure:
    figure, axes = charts.blank(height=3.2)
    for colour, name in zip(charts.PALETTE, narrow, strict=False):
        for arms, marker, task in ((narrow, "o", "narrow"), (broad, "s", "broad")):
            score = arms[name].score
            axes.plot([work[name] / 1e6] * 2, [score.low, score.high], color=colour, linewidth=1.5)
            axes.plot([work[name] / 1e6], [score.value], marker, color=colour, label=f"{name}: {task} task")
    axes.set(xscale="log", xlabel="million FLOPs for an answer to the narrow task")
    axes.set(ylabel="right answers", ylim=(-0.03, 1.03))
    axes.margins(x=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure
