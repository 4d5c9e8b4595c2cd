"""The keys of every training stage, and what follows from them: steps, learning rate, a TRL trainer's config.

A stage takes them as one parameter, `training: Keys[Training]`; in YAML each field is a key of the stage.
"""

from __future__ import annotations

import importlib.util
import math
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.check_model import check_model
from slmkit.models.load import Device, Dtype, Loaded, load_model
from slmkit.models.lora import Adapter, Lora, auto_learning_rate
from slmkit.models.model_folder import model_folder
from slmkit.training.best_checkpoint import BestCheckpoint, curve_name
from slmkit.training.budget import auto_epochs, num_evaluations
from slmkit.types import Fraction, LearningRate, ModelRef, NonNegativeFloat, PositiveFloat, PositiveInt

Tracker = Literal["none", "trackio", "tensorboard", "wandb", "mlflow"]
Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]
Scheduler = Literal["linear", "cosine", "constant", "constant_with_warmup"]


@dataclass(frozen=True, kw_only=True)
class Training:
    """The settings that all training methods share."""

    adapter: Adapter = "lora"
    lora: Lora = Lora()
    learning_rate: LearningRate | Literal["auto"] = "auto"
    num_train_epochs: PositiveFloat | Literal["auto"] = 1.0
    max_steps: int = -1
    per_device_train_batch_size: PositiveInt = 8
    gradient_accumulation_steps: PositiveInt = 1
    max_length: PositiveInt | Literal["auto"] = "auto"
    lr_scheduler_type: Scheduler = "linear"
    warmup_ratio: Fraction = 0.03
    weight_decay: NonNegativeFloat = 0.0
    max_grad_norm: NonNegativeFloat = 1.0
    gradient_checkpointing: bool | Literal["auto"] = "auto"
    load_in_4bit: bool = False
    device: Device = "auto"
    dtype: Dtype = "auto"
    attn_implementation: Attention = "auto"
    load_best_model_at_end: bool = False  # by the validation split; otherwise keep the model after the last step
    metric_for_best_model: str = "loss"  # on the validation split; anything but a loss is better when higher
    early_stopping_patience: PositiveInt | None = None  # evaluations without improvement before training stops
    report_to: Tracker = "none"  # where curves are sent besides the report
    allow_gold: bool = False  # train on frozen gold questions, to show what a leak does

    @property
    def rows_per_step(self) -> int:
        """Rows per optimizer step over all processes, so a recipe trains the same on any number of them."""
        return self.per_device_train_batch_size * self.gradient_accumulation_steps

    @property
    def quantized(self) -> bool:
        return self.load_in_4bit or self.adapter == "qlora"

    def check(self, model: ModelRef, *data: Path | None, needs_chat_template: bool = True) -> None:
        """Refuses what cannot or must not be trained, before anything is loaded; data that do not exist yet pass."""
        check_model(model, needs_chat_template=needs_chat_template)
        if self.load_in_4bit and self.adapter == "full":
            raise SlmkitError("4-bit weights cannot be trained", where="load_in_4bit, adapter", fix="adapter: qlora")
        folder = model_folder(model)
        if self.quantized and folder and (folder / "adapter_config.json").exists():
            raise SlmkitError(
                f"model {model.name!r} is an adapter; a second adapter cannot be added to it on 4-bit weights",
                where="load_in_4bit, adapter",
                fix="adapter: lora, or merge the first adapter and train on the merged model",
            )
        if self.max_steps == 0 or self.max_steps < -1:
            fix = "a positive max_steps, or max_steps: -1 to train for num_train_epochs"
            raise SlmkitError(f"max_steps is {self.max_steps}: nothing to train", where="max_steps", fix=fix)
        if self.attn_implementation == "flash_attention_2" and importlib.util.find_spec("flash_attn") is None:
            what, fix = "attn_implementation is 'flash_attention_2', which is not installed", "pip install flash-attn"
            raise SlmkitError(what, where="attn_implementation", fix=f"{fix}, or set attn_implementation: auto")
        if self.report_to != "none" and importlib.util.find_spec(self.report_to) is None:
            what, fix = f"report_to is {self.report_to!r}, which is not installed", f"pip install {self.report_to}"
            raise SlmkitError(what, where="report_to", fix=fix)
        self.refuse_gold(*data)

    @property
    def best_checkpoint(self) -> BestCheckpoint | None:
        """How the best checkpoint is picked and training stopped early; None if neither is asked for."""
        if not self.load_best_model_at_end and self.early_stopping_patience is None:
            return None
        return BestCheckpoint(
            metric=curve_name(f"eval_{self.metric_for_best_model.removeprefix('eval_')}"),
            patience=self.early_stopping_patience,
            restore=self.load_best_model_at_end,
        )

    def refuse_gold(self, *data: Path | None) -> None:
        """Refuses rows that are in a frozen gold set, unless allow_gold."""
        if not self.allow_gold:
            from slmkit.gold.guard import refuse_gold

            refuse_gold(*data)

    def load(self, model: ModelRef, note: Callable[[str], None]) -> Loaded:
        """The model to train: in float32 if all weights train, in `dtype` under an adapter."""
        dtype = "float32" if self.adapter == "full" else self.dtype
        loaded = load_model(model, device=self.device, dtype=dtype, load_in_4bit=self.quantized)
        if self.attn_implementation != "auto":
            loaded.model.set_attn_implementation(self.attn_implementation)
        attention = loaded.model.config.get_text_config()._attn_implementation
        reasons = {"sdpa": "torch's fused kernels, nothing to install", "eager": "this model has no fused attention"}
        reason = "as requested" if attention == self.attn_implementation else reasons.get(attention, "model default")
        note(f"attention {attention}: {reason}")
        return loaded

    def max_row_tokens(self, loaded: Loaded) -> int:
        """The most tokens a row can have: max_length, but at most the model's context."""
        context = loaded.context_length
        return context if self.max_length == "auto" else min(self.max_length, context)

    def num_steps(self, num_rows: int) -> int:
        """Optimizer steps: max_steps if set, otherwise num_train_epochs over the rows."""
        if self.max_steps > 0:
            return self.max_steps
        assert self.num_train_epochs != "auto", "with_epochs was called"
        return math.ceil(self.num_train_epochs * math.ceil(num_rows / self.rows_per_step))

    def with_epochs(self, model: Any, num_rows: int, note: Callable[[str], None]) -> Training:
        """The same with num_train_epochs "auto" replaced by a number for this model and these rows."""
        if self.num_train_epochs != "auto":
            return self
        epochs, why = auto_epochs(sum(parameter.numel() for parameter in model.parameters()), num_rows)
        if self.max_steps <= 0:
            note(f"num_train_epochs {epochs:g}: {why}")
        return replace(self, num_train_epochs=epochs)

    def with_micro_batch(self, max_rows: int, note: Callable[[str], None]) -> Training:
        """The same rows per step, in micro-batches of at most `max_rows` rows whose gradients accumulate."""
        rows = self.per_device_train_batch_size * self.gradient_accumulation_steps
        most = min(max_rows, self.per_device_train_batch_size)
        size = next(size for size in range(max(1, most), 0, -1) if rows % size == 0)
        if size == self.per_device_train_batch_size:
            return self
        note(
            f"micro-batches of {size} rows, {rows // size} per step: "
            f"{self.per_device_train_batch_size} rows do not fit into memory"
        )
        return replace(self, per_device_train_batch_size=size, gradient_accumulation_steps=rows // size)

    def find_learning_rate(self, model: Any, note: Callable[[str], None], *, rate_at_2048: float = 2e-4) -> float:
        """The learning rate; "auto" scales the method's rate for an adapter at width 2,048 to this model."""
        if self.learning_rate != "auto":
            return self.learning_rate
        width = model.config.get_text_config().hidden_size
        rate = auto_learning_rate(width, adapter=self.adapter, rate_at_2048=rate_at_2048)
        note(f"learning_rate {rate:g}: the default for {self.adapter} at width {width:,}")
        return rate

    def trainer_arguments(
        self,
        checkpoints: Path,
        *,
        model: Any,
        steps: int,
        learning_rate: float,
        gradient_checkpointing: bool,
        seed: int,
        num_validation: int = 0,
    ) -> dict[str, Any]:
        """The keyword arguments that the configs of all TRL trainers share.

        Ten checkpoints per run, at logged steps, so that a resumed curve has no gap. At most ten evaluations, and
        fewer if they would take more than a tenth of the time; but one per checkpoint if they pick the best one.
        """
        import torch

        logging_steps = max(1, steps // 200)
        save_steps = logging_steps * math.ceil(steps / 10 / logging_steps)
        affordable = num_evaluations(num_validation, trained_rows=steps * self.rows_per_step)
        evaluations = 10 if self.best_checkpoint else affordable
        return {
            "output_dir": str(checkpoints),
            "max_steps": steps,
            "per_device_train_batch_size": self.per_device_train_batch_size,
            "per_device_eval_batch_size": self.per_device_train_batch_size,
            "gradient_accumulation_steps": self.gradient_accumulation_steps,
            "learning_rate": learning_rate,
            "lr_scheduler_type": self.lr_scheduler_type,
            "warmup_steps": int(self.warmup_ratio * steps),
            "weight_decay": self.weight_decay,
            "max_grad_norm": self.max_grad_norm,
            "gradient_checkpointing": gradient_checkpointing,
            "bf16": model.device.type == "cuda" and torch.cuda.is_bf16_supported(),
            "fp16": model.dtype == torch.float16,
            "use_cpu": model.device.type == "cpu",
            "dataloader_pin_memory": model.device.type == "cuda",
            "logging_steps": logging_steps,
            "save_strategy": "steps",
            "eval_strategy": "steps" if num_validation else "no",
            "save_steps": save_steps,
            "eval_steps": save_steps
            if self.best_checkpoint
            else logging_steps * math.ceil(steps / evaluations / logging_steps),
            "seed": seed,
            "ddp_find_unused_parameters": False,  # every trainable weight is used in every step
            "include_num_input_tokens_seen": "non_padding",
            "remove_unused_columns": False,
            "disable_tqdm": True,
            "log_level": "error",
            "report_to": self.report_to,
            "project": "slmkit",
            "run_name": "/".join(checkpoints.parent.parts[-3:]),
        }


def per_process(arguments: dict[str, Any]) -> dict[str, Any]:
    """The trainer's arguments for one of several processes that share the rows of a step equally.

    If an epoch's last step is not full, accelerate repeats some rows.
    Raises: RefusedError if the rows of a step cannot be shared equally.
    """
    rows = arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"]
    each, left = divmod(rows, world_size())
    if left or not each:
        raise RefusedError(
            f"{world_size()} processes cannot share the {rows} rows of a step equally",
            where="per_device_train_batch_size, gradient_accumulation_steps",
            fix=f"per_device_train_batch_size: {world_size() * max(1, each)}",
        )
    most = min(each, arguments["per_device_train_batch_size"])
    size = next(size for size in range(most, 0, -1) if each % size == 0)
    return {**arguments, "per_device_train_batch_size": size, "gradient_accumulation_steps": each // size}


def world_size() -> int:
    """The number of processes that train together, as set by the launcher."""
    return int(os.environ.get("WORLD_SIZE", "1"))
