"""One real step on the longest rows before training, so that running out of memory shows at once; it changes nothing.

The trainer is TRL's, guarded. SFT has its own trial step for its micro-batches (sft_trainer.py) and shares the rest.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_COUNTERS = ("_metrics", "_stored_metrics", "_logs", "_total_train_tokens", "_buffered_inputs")  # TRL's


@contextmanager
def unchanged(trainer: Any) -> Iterator[None]:
    """Restores random states, train or eval mode, and the trainer's counters after the block."""
    import numpy as np
    import torch

    counters = {name: copy.deepcopy(vars(trainer)[name]) for name in _COUNTERS if name in vars(trainer)}
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
        vars(trainer).update(counters)
        trainer.state.num_input_tokens_seen = tokens


def trial_step(trainer: Any, longest_prompt: dict[str, Any] | None) -> None:
    """Forward and backward on a micro-batch of the longest rows, then one evaluation batch if there are such rows.

    A method that generates answers passes `longest_prompt`: the model answers it as often as a step needs, each time
    with max_new_tokens; the answers are rewarded, and the first micro-batch runs. Out-of-memory errors are left to
    train_model, which says what to change.
    """
    args = trainer.args
    trainer.model.train()  # else TRL takes the rows for an evaluation batch
    trainer.current_gradient_accumulation_steps = args.gradient_accumulation_steps  # as the first step will set it
    if longest_prompt is None:
        batch = trainer._prepare_inputs(_longest(trainer, trainer.train_dataset, args.per_device_train_batch_size))
    else:
        num_rows = args.per_device_train_batch_size * args.gradient_accumulation_steps
        trainer.generation_config.min_new_tokens = args.max_completion_length
        try:
            batch = trainer._prepare_inputs([longest_prompt] * num_rows)
        finally:
            trainer.generation_config.min_new_tokens = None
    forward_and_backward(trainer, batch)
    if trainer.eval_dataset is not None:
        rows = _longest(trainer, trainer.eval_dataset, args.per_device_eval_batch_size)
        evaluate(trainer, trainer._prepare_inputs(rows))


def forward_and_backward(trainer: Any, batch: Any, *, num_items_in_batch: Any = None) -> None:
    """A training step without the optimizer's update; the gradients are discarded."""
    trainer.model.train()
    with trainer.compute_loss_context_manager():
        loss = trainer.compute_loss(trainer.model, batch, num_items_in_batch=num_items_in_batch)
    loss.backward()
    trainer.model.zero_grad(set_to_none=True)


def evaluate(trainer: Any, batch: Any, *, num_items_in_batch: Any = None) -> None:
    """One evaluation batch."""
    import torch

    trainer.model.eval()
    with torch.no_grad(), trainer.compute_loss_context_manager():
        trainer.compute_loss(trainer.model, batch, num_items_in_batch=num_items_in_batch)
    trainer.model.train()


def _longest(trainer: Any, dataset: Any, num_rows: int) -> Any:
    """A batch of the longest rows."""
    ids = dataset.select_columns([name for name in dataset.column_names if name.endswith("_ids")])
    lengths = [_num_tokens(row) for row in ids]
    rows = sorted(range(len(dataset)), key=lambda i: -lengths[i])[:num_rows]
    return trainer.data_collator([dataset[i] for i in rows])


def _num_tokens(ids: dict[str, list[int]]) -> int:
    """Tokens of the longer answer with its prompt; some trainers store the prompt separately, as prompt_ids."""
    lengths = {name: len(value) for name, value in ids.items()}
    return lengths.pop("prompt_ids", 0) + max(lengths.values())
