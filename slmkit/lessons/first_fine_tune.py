"""Your first fine-tune: the same model untouched, with a LoRA adapter, and with a QLoRA adapter.

The recipes named by `tuned` and `tuned_4bit` train the adapters (slmkit/stages/sft.py, with TRL and PEFT). Here the
three models answer the same questions, and their trained weights and bytes are counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.evaluation.lesson_arms import arm_rows, ask_arms
from slmkit.files import read_jsonl
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype, load_model
from slmkit.models.model_folder import model_folder
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions
from slmkit.systems.prompt import prompt
from slmkit.types import Input, Model, ModelRef, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def first_fine_tune(
    run: Run,
    *,
    model: Model,
    tuned: Model | None,
    tuned_4bit: Model | None,
    gold: Input,
    limit: PositiveInt | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Compares a model untouched, with a LoRA adapter and with a QLoRA adapter; None skips an adapter."""
    chat = ChatOptions(device=device, dtype=dtype, show_labels=False)
    ask = partial(prompt, chat=chat)
    arms = ask_arms(
        run,
        read_gold(gold),
        {
            "untouched": partial(ask, model=model),
            "LoRA": partial(ask, model=tuned or model),
            "QLoRA": partial(prompt, model=tuned_4bit or model, chat=replace(chat, load_in_4bit=True)),
        },
        limit=limit,
    )
    untouched, lora, qlora = (arm.score for arm in arms.values())
    weights, adapter = count_weights(model, device), count_adapter(tuned)
    full_bytes, bytes_4bit = (frozen_bytes(model, device, load_in_4bit=in_4bit) for in_4bit in (False, True))
    run.table("arms", arm_rows(arms, reference="untouched"))
    run.table("answers", (row for name, arm in arms.items() for row in arm.rows(name)))
    run.table(
        "what_is_trained",
        [
            {
                "way": "LoRA",
                "weights trained": adapter,
                "weights frozen": weights,
                "bytes of frozen weights": full_bytes,
            },
            {
                "way": "QLoRA",
                "weights trained": adapter,
                "weights frozen": weights,
                "bytes of frozen weights": bytes_4bit,
            },
        ],
    )
    run.figure("arms", charts.arms(arm_rows(arms)))
    if curves := loss_curves({"LoRA": tuned, "QLoRA": tuned_4bit}):
        run.figure("loss_while_training", _curves(curves))
    run.metric(
        lora_gain=lora.value - untouched.value,
        qlora_difference=abs(qlora.value - lora.value),
        trained_share=adapter / (weights + adapter),
        frozen_bytes_ratio=bytes_4bit / full_bytes,
        untouched=untouched,
        lora=lora,
        qlora=qlora,
    )


def count_weights(model: ModelRef, device: Device) -> int:
    """The number of weights of the untouched model."""
    return sum(parameter.numel() for parameter in load_model(model, device=device).model.parameters())


def count_adapter(adapter: ModelRef | None) -> int:
    """The number of weights in an adapter: r * (D_out + D_in) for each matrix of D_out x D_in."""
    folder = model_folder(adapter) if adapter else None
    if folder is None or not (folder / "adapter_model.safetensors").exists():
        return 0
    from safetensors import safe_open

    with safe_open(folder / "adapter_model.safetensors", framework="np") as file:
        return sum(file.get_tensor(name).size for name in file.keys())  # noqa: SIM118 - not a dict


def frozen_bytes(model: ModelRef, device: Device, *, load_in_4bit: bool) -> int:
    """The bytes of the frozen weights: in float32, or in NF4 with one scale per block of 64."""
    loaded = load_model(model, device=device, dtype="float32", load_in_4bit=load_in_4bit)
    return int(loaded.model.get_memory_footprint())


def loss_curves(adapters: Mapping[str, ModelRef | None]) -> dict[str, list[tuple[int, float]]]:
    """The (step, loss) pairs that each training run logged."""
    found = {}
    for name, adapter in adapters.items():
        log = Path(adapter.path) / "log.jsonl" if adapter else None
        if log is not None and log.is_file():
            rows = read_jsonl(log)
            found[name] = [(row["step"], row["loss"]) for row in rows if "loss" in row]
    return found


def _curves(curves: Mapping[str, list[tuple[int, float]]]) -> Figure:
    figure, axes = charts.blank(height=2.6)
    for colour, (name, points) in zip(charts.PALETTE, curves.items(), strict=False):
        axes.plot(*zip(*points, strict=True), color=colour, label=name)
    axes.set(xlabel="step", ylabel="loss (nats per token)", yscale="log")
    axes.legend(frameon=False, fontsize=9)
    return figure
