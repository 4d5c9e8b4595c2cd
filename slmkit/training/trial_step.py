"""One real step before the first, on the longest rows, so that what does not fit is known at once; it leaves no trace.

The trainer is TRL's, guarded; sft has its own trial of its micro-batches, in lean.py, and shares the rest.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_COUNTED = ("_metrics", "_stored_metrics", "_logs", "_total_train_tokens", "_buffered_inputs")  # what TRL counts


@contextmanager
def unchanged(trainer: Any) -> Iterator[None]:
    """Puts random numbers, train or eval mode, and what the trainer counts back to what they were before the block."""
    import numpy as np
    import torch

    counted = {name: copy.deepcopy(vars(trainer)[name]) for name in _COUNTED if name in vars(trainer)}
    tokens, states = trainer.state.num_input_tokens_seen, (random.getstate(), np.random.get_state())
    modes = [(module, module.training) for module in trainer.model.modules()]
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        for module, is_training in modes:
            module.training = is_training
        vars(trainer).update(counted)
        trainer.state.num_input_tokens_seen = tokens


def try_step(trainer: Any, longest_prompt: dict[str, Any] | None) -> None:
    """Forward and backward of a micro-batch of the longest rows, then one evaluation batch where there are such rows.

    A trainer whose model answers by itself has `longest_prompt`: it is answered as often as a step asks, each answer
    of the greatest length, rewarded, and the first micro-batch trained on. Where memory runs out torch's error
    passes; fit says what to change.
    """
    args = trainer.args
    trainer.model.train()  # else TRL takes its rows for an evaluation's
    trainer.current_gradient_accumulation_steps = args.gradient_accumulation_steps  # as the first step will set it
    if longest_prompt is None:
        batch = trainer._prepare_inputs(_longest(trainer, trainer.train_dataset, args.per_device_train_batch_size))
    else:
        number = args.per_device_train_batch_size * args.gradient_accumulation_steps
        trainer.generation_config.min_new_tokens = args.max_completion_length
        try:
            batch = trainer._prepare_inputs([longest_prompt] * number)
        finally:
            trainer.generation_config.min_new_tokens = None
    forward_and_backward(trainer, batch)
    if trainer.eval_dataset is not None:
        rows = _longest(trainer, trainer.eval_dataset, args.per_device_eval_batch_size)
        evaluate(trainer, trainer._prepare_inputs(rows))


def forward_and_backward(trainer: Any, batch: Any, *, num_items_in_batch: Any = None) -> None:
    """The work of a training step without the optimizer; no gradient is kept."""
    trainer.model.train()
    with trainer.compute_loss_context_manager():
        loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=num_items_in_batch)
    loss.backward()
    trainer.model.zero_grad(set_to_none=True)


def evaluate(trainer: Any, batch: Any, *, num_items_in_batch: Any = None) -> None:
    """The work of one evaluation batch."""
    import torch

    trainer.model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        trainer.compute_loss(trainer.model, batch, num_items_in_batch=num_items_in_batch)
    trainer.model.train()


def _longest(trainer: Any, dataset: Any, number: int) -> Any:
    ids = dataset.select_columns([name for name in dataset.column_names if name.endswith("_ids")])
    lengths = [_num_tokens(row) for row in ids]
    rows = sorted(range(len(dataset)), key=lambda i: -lengths[i])[:number]
    return trainer.data_collator([dataset[i] for i in rows])


def _num_tokens(ids: dict[str, list[int]]) -> int:
    """Tokens of the longer answer with its prompt, which some trainers keep apart as prompt_ids, some do not."""
    lengths = {name: len(value) for name, value in ids.items()}
    return lengths.pop("prompt_ids", 0) + max(lengths.values())
