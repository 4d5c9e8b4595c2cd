"""A short fine-tune that measures whether a model learns the user's rows, and whether it is still improving.

Held-out loss is in bits per byte of the answers, so models with different tokenizers can be compared.
"""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.models.load import Loaded
from slmkit.models.lora import attach
from slmkit.models.memory import plan_micro_batch
from slmkit.models.precision import in_bfloat16
from slmkit.rows.loss_mask import Row
from slmkit.training.config import Training
from slmkit.training.predictions import predict
from slmkit.training.sft_trainer import sft_trainer
from slmkit.training.trainer import Shuffle

_ROWS_PER_STEP = 8


@dataclass(frozen=True)
class Probe:
    """Held-out bits per byte before and after training, and the change over the last doubling of the steps."""

    steps: int
    seconds: float
    before: float
    after: float
    slope: float  # bits per byte per doubling of the steps; below zero: more training would still help

    def __str__(self) -> str:
        return (
            f"{self.before:.2f} to {self.after:.2f} bits per byte of the held-out answers in {self.steps} steps, "
            f"{self.slope:+.2f} over the last doubling"
        )


def probe(
    loaded: Loaded,
    rows: Sequence[Row],
    held_out: Sequence[Row],
    *,
    held_out_bytes: int,
    steps: int,
    minutes: float,
    seed: int,
) -> Probe:
    """Trains a LoRA adapter for `steps` steps or `minutes`, whichever ends first; the adapter stays on the model.

    held_out_bytes: of all answers in `held_out`. The learning rate is the one that training would use, held constant,
    so that the slope reflects learning and not a schedule.
    """
    training = Training(lr_scheduler_type="constant", warmup_ratio=0.0, per_device_train_batch_size=_ROWS_PER_STEP)
    learning_rate = training.find_learning_rate(loaded.model, lambda text: None)
    tuned = attach(loaded.model, training.lora, adapter="lora", seed=seed)
    lengths = [len(row.input_ids) for row in (*rows, *held_out)]
    share = sum(row.num_trained for row in (*rows, *held_out)) / sum(lengths)
    micro_batch = plan_micro_batch(tuned, longest=max(lengths), labelled_share=share)
    losses = {0: _bits_per_byte(tuned, held_out, held_out_bytes)}

    def on_step(step: int, loss: float, tokens: int) -> None:
        if step & (step - 1) == 0:  # 1, 2, 4, 8, …
            losses[step] = _bits_per_byte(tuned, held_out, held_out_bytes)

    with tempfile.TemporaryDirectory() as folder:
        arguments = training.trainer_arguments(
            Path(folder),
            model=tuned,
            steps=steps,
            learning_rate=learning_rate,
            gradient_checkpointing=micro_batch.gradient_checkpointing,
            seed=seed,
        )
        trainer = sft_trainer(
            model=tuned,
            tokenizer=loaded.tokenizer,
            arguments={**arguments, "save_strategy": "no"},
            rows=rows,
            validation=[],
            shuffle=Shuffle(len(rows), seed=seed),
            micro_batch=micro_batch,
            in_bfloat16=in_bfloat16(tuned),
            on_step=on_step,
            on_log=lambda step, values: None,
        )
        start = time.monotonic()
        trainer.add_callback(_stop_after(start + 60 * minutes))
        trainer.train()
        seconds = time.monotonic() - start
    done = int(trainer.state.global_step)
    losses[done] = _bits_per_byte(tuned, held_out, held_out_bytes)
    earlier = max((step for step in losses if 0 < step <= done / 2), default=0)
    slope = (losses[done] - losses[earlier]) / (math.log2(done / earlier) if earlier else 1.0)
    return Probe(done, seconds, losses[0], losses[done], slope)


def _bits_per_byte(model: Any, rows: Sequence[Row], num_bytes: int) -> float:
    """The total loss of all answers, end of turn included, over their bytes."""
    losses = predict(model, rows).losses  # per row, the mean over its labelled tokens
    nats = sum(loss * row.num_trained for loss, row in zip(losses, rows, strict=True))
    return nats / math.log(2) / num_bytes


def _stop_after(deadline: float) -> Any:
    from transformers import TrainerCallback

    class Stop(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if time.monotonic() > deadline:
                control.should_training_stop = True

    return Stop()
