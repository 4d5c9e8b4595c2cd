"""The trial step of SFT: the longest micro-batch of each worker, before training; it shows memory and time at once."""

from __future__ import annotations

import time
from typing import Any

from slmkit.errors import is_out_of_memory, out_of_memory
from slmkit.rows.batching import pad, shifted_mask
from slmkit.training.time_estimate import LONG
from slmkit.training.trial_step import evaluate, forward_and_backward


def try_longest_micro_batch(trainer: Any) -> float:
    """Seconds per token of one forward and backward on the longest micro-batch, by all workers at once.

    A micro-batch that does not fit is halved: a step then has the same rows in more micro-batches. Validation rows are
    tested only if they are longer: an evaluation takes less memory.
    Raises: FailedError if not even the longest row fits.
    """
    rows = sorted(trainer.train_dataset, key=lambda row: -len(row["input_ids"]))[: trainer.limits["max_rows"]]
    longest = len(rows[0]["input_ids"])
    count = max(1, min(len(rows), trainer.limits["max_tokens"] // longest))
    if trainer.workers > 1:  # they share the rows of a step
        count = min(count, -(-trainer.args.per_device_train_batch_size // trainer.workers))
    while True:
        batch = pad(rows[:count], pad_token_id=trainer.processing_class.pad_token_id or 0)
        try:
            seconds = _timed(trainer, batch)
            if remaining_seconds(trainer, seconds) > LONG:  # the first time is also the first use of the memory
                seconds = min(seconds, _timed(trainer, batch))
            _evaluate_longer(trainer, longest)
            return seconds
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        trainer.model.zero_grad(set_to_none=True)
        if count == 1:
            fix = "adapter: qlora, gradient_checkpointing: true, or a smaller max_length"
            raise out_of_memory(f"testing a step with the longest row, {longest:,} tokens", fix)
        count //= 2
        trainer.limits["max_tokens"] = count * longest
        trainer.note(f"micro-batches of up to {count * longest:,} tokens: twice as many did not fit into memory")


def remaining_seconds(trainer: Any, seconds_per_token: float) -> float:
    """The time that the remaining steps will take at this speed."""
    lengths = [len(row["input_ids"]) for row in trainer.train_dataset]
    tokens = sum(lengths) / len(lengths) * trainer.args.per_device_train_batch_size / trainer.args.world_size
    return float(seconds_per_token * tokens * (trainer.args.max_steps - trainer.state.global_step))


def _timed(trainer: Any, batch: dict[str, Any]) -> float:
    """Seconds per token of a training step on the batch, once per worker; the gradients are discarded."""
    started = time.monotonic()
    num_items = shifted_mask(batch["labels"]).sum()
    if trainer.workers > 1:
        trainer.model.train()
        for _ in trainer.gradients([batch] * trainer.workers, num_items):
            pass
        trainer.model.zero_grad(set_to_none=True)
    else:
        forward_and_backward(trainer, trainer._prepare_inputs(batch), num_items_in_batch=num_items)
    return float((time.monotonic() - started) / (trainer.workers * batch["input_ids"].numel()))


def _evaluate_longer(trainer: Any, tested: int) -> None:
    """An evaluation of the longest validation row, if it has more than `tested` tokens."""
    row = max(trainer.eval_dataset or [], key=lambda row: len(row["input_ids"]), default=None)
    if row is not None and len(row["input_ids"]) > tested:
        batch = pad([row], pad_token_id=trainer.processing_class.pad_token_id or 0)
        evaluate(trainer, trainer._prepare_inputs(batch), num_items_in_batch=1)
