"""TRL's SFTTrainer on labelled rows, with little work spent on padding and none on logits without a label.

One batch of the data loader is one optimizer step. Rows of similar length form its micro-batches, and logits are
computed only at labelled positions. Losses and gradients equal TRL's on the same rows.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from slmkit.models.memory import MicroBatch
from slmkit.rows.batching import cut, cut_for_workers, pad, shifted_mask
from slmkit.rows.loss_mask import IGNORED, Row
from slmkit.training.fsdp import is_fsdp_requested
from slmkit.training.longest_micro_batch import remaining_seconds, try_longest_micro_batch
from slmkit.training.side_by_side import add_gradients, draws_random_numbers, side_by_side
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded

if TYPE_CHECKING:
    import torch


def sft_trainer(
    *,
    model: Any,
    tokenizer: Any,
    arguments: dict[str, Any],
    rows: Sequence[Row],
    validation: Sequence[Row],
    shuffle: Shuffle,
    micro_batch: MicroBatch,
    in_bfloat16: bool = False,
    on_step: OnStep,
    on_log: OnLog,
) -> Any:
    """A guarded SFTTrainer that cuts each step into micro-batches of similar length."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    if is_fsdp_requested():
        arguments = {**arguments, "save_strategy": "no"}

    def dataset(rows: Sequence[Row]) -> Any:
        return Dataset.from_list([asdict(row) for row in rows])

    return guarded(micro_batched(SFTTrainer))(
        model=model,
        processing_class=tokenizer,
        args=SFTConfig(**arguments, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=dataset(rows),
        eval_dataset=dataset(validation) if validation else None,
        shuffle=shuffle,
        on_step=on_step,
        on_log=on_log,
        max_tokens=micro_batch.max_tokens,
        overhead=micro_batch.overhead_tokens,
        workers=micro_batch.workers,
        in_bfloat16=in_bfloat16,
    )


def micro_batched(trainer_class: type) -> type:
    """SFTTrainer with steps cut into micro-batches of similar length, and logits only at labelled positions.

    One batch of the data loader is one optimizer step of all processes; gradients accumulate inside it, over
    micro-batches of at most per_device_train_batch_size rows and `max_tokens` tokens (`overhead`: see batching.cut).
    On a CPU, `workers` of them are computed side by side; their gradients are added in the order of the micro-batches.
    """

    class MicroBatched(trainer_class):  # type: ignore[misc]
        loss_is_scaled_for_ga = True  # compute_loss divides by the labelled tokens of the whole step

        def __init__(
            self,
            *,
            args: Any,
            max_tokens: int,
            overhead: int,
            workers: int = 1,
            in_bfloat16: bool = False,
            **kwargs: Any,
        ) -> None:
            max_rows = args.per_device_train_batch_size
            self.limits = {"max_tokens": max_tokens, "max_rows": max_rows, "overhead": overhead}
            self.keep = threading.local()  # its mask: (B, T) positions whose logits this thread computes
            args.per_device_train_batch_size *= args.gradient_accumulation_steps
            args.gradient_accumulation_steps = 1
            self.in_bfloat16 = in_bfloat16  # on a CPU, of training steps; evaluations are in float32
            self.seconds_per_token = 0.0  # as the trial step measured it
            self.is_sharded = is_fsdp_requested()  # then all processes must run the same number of forwards
            super().__init__(args=args, data_collator=self._collate, **kwargs)
            self.model.get_output_embeddings().register_forward_pre_hook(self._keep_labelled)
            self.workers = 1 if self.args.world_size > 1 or self.is_sharded else workers
            if self.workers > 1 and draws_random_numbers(self.model):
                self.workers = 1

        def get_train_dataloader(self) -> Any:
            """With several processes, each reads the whole step and takes its share of it, so no row is repeated."""
            from torch.utils.data import DataLoader

            if self.args.world_size == 1:
                return super().get_train_dataloader()
            return DataLoader(
                self.train_dataset,
                batch_size=self.args.per_device_train_batch_size,
                sampler=self._get_train_sampler(),
                collate_fn=self._collate,
            )

        def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
            world, rank = self.args.world_size, self.args.process_index
            by_length = sorted(rows, key=lambda row: len(row["input_ids"]))
            shares = [by_length[i::world] for i in range(world)] if world > 1 else [rows]
            groups = [self._cut(share) for share in shares]
            mine, fill = shares[rank], self.processing_class.pad_token_id or 0
            micro_batches = [pad([mine[i] for i in group], pad_token_id=fill) for group in groups[rank]]
            count = max(map(len, groups)) if self.is_sharded else 1
            micro_batches += [_without_labels(pad(by_length[:1], pad_token_id=fill))] * (count - len(micro_batches))
            num_tokens = sum(len(row["input_ids"]) for row in mine)
            return {"micro_batches": micro_batches, "ids": [row["id"] for row in mine], "num_tokens": num_tokens}

        def _cut(self, rows: Sequence[dict[str, Any]]) -> list[list[int]]:
            return cut_for_workers([len(row["input_ids"]) for row in rows], workers=self.workers, **self.limits)

        def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> torch.Tensor | None:
            """The labelled tokens of one optimizer step over all ranks."""
            micro_batches = [batch for sample in batch_samples for batch in sample["micro_batches"]]
            if not micro_batches:
                return None
            num_items = sum(shifted_mask(batch["labels"]).sum() for batch in micro_batches).to(device)
            return self.accelerator.gather(num_items).sum() if self.args.world_size > 1 else num_items

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
            import torch

            self.row_ids = inputs["ids"]
            total = torch.zeros((), device=self.args.device)
            if self.workers > 1 and len(inputs["micro_batches"]) > 1:
                model.train()
                for loss in self.gradients(inputs["micro_batches"], num_items_in_batch):
                    total += loss
                return total
            for i, batch in enumerate(inputs["micro_batches"]):
                last = i == len(inputs["micro_batches"]) - 1  # ranks exchange gradients once per step
                with nullcontext() if last else self.accelerator.no_sync(model):
                    total += super().training_step(model, batch, num_items_in_batch)
            return total

        def gradients(self, batches: Sequence[dict[str, Any]], num_items: Any) -> Iterator[torch.Tensor]:
            """The loss of each micro-batch, computed side by side; the gradients are added in their order."""
            import torch

            trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]

            def loss_and_gradients(batch: dict[str, Any]) -> tuple[torch.Tensor, tuple[torch.Tensor | None, ...]]:
                batch = self._prepare_inputs(batch)
                with self.compute_loss_context_manager():
                    loss = self.compute_loss(self.model, batch, num_items_in_batch=num_items)
                return loss.detach(), torch.autograd.grad(loss, trained, allow_unused=True)

            for loss, gradients in side_by_side(loss_and_gradients, batches, workers=self.workers):
                add_gradients(trained, gradients)
                yield loss

        def trial_step(self) -> None:
            self.seconds_per_token = try_longest_micro_batch(self)

        def remaining_seconds(self) -> float:
            return remaining_seconds(self, self.seconds_per_token)

        def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
            import torch

            num_tokens = torch.tensor(inputs["num_tokens"], device=self.args.device)
            if self.args.world_size > 1:
                num_tokens = self.accelerator.gather(num_tokens).sum()
            self.state.num_input_tokens_seen += int(num_tokens)

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> torch.Tensor:
            """Summed cross-entropy over the labelled tokens of the whole step: 1 x 8 rows equal 8 x 1."""
            import torch
            from torch.nn import functional as F

            labels = inputs["labels"]
            model_inputs = {name: inputs[name] for name in ("input_ids", "position_ids") if name in inputs}
            if labels.is_cuda:  # TRL's fused head scores only labelled positions there
                loss = model(
                    **model_inputs,
                    use_cache=False,  # with a cache, packed documents would see each other
                    labels=labels,
                    fused_lm_head=True,
                    num_items_in_batch=num_items_in_batch,
                ).loss
            else:
                mask = shifted_mask(labels)
                self.keep.mask = F.pad(mask, (0, 1))  # position t predicts token t + 1
                in_bfloat16 = self.in_bfloat16 and self.model.training
                try:
                    with torch.autocast("cpu", torch.bfloat16, enabled=in_bfloat16):
                        logits = model(**model_inputs, use_cache=False).logits  # (N, V)
                finally:
                    self.keep.mask = None
                loss = F.cross_entropy(logits.float(), labels[:, 1:][mask], reduction="sum") / num_items_in_batch
            # Gradients are averaged over the ranks, but the labelled tokens were summed.
            return loss * self.accelerator.num_processes if self.model.training else loss

        def _keep_labelled(self, head: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            mask = getattr(self.keep, "mask", None)
            return None if mask is None else (args[0][mask],)

        def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
            """The mean loss per labelled token of the dataset, independent of the micro-batches."""
            import torch

            rows = list(eval_dataset if eval_dataset is not None else self.eval_dataset)
            groups = cut([len(row["input_ids"]) for row in rows], **self.limits)
            sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)  # loss, tokens
            was_training = self.model.training
            self.model.eval()
            fill = self.processing_class.pad_token_id or 0
            batches = [pad([rows[i] for i in group], pad_token_id=fill) for group in groups]
            if self.is_sharded:
                batches += [_without_labels(batches[0])] * (-len(batches) % self.args.world_size)

            def loss_of(batch: dict[str, Any]) -> torch.Tensor:
                with torch.no_grad(), self.compute_loss_context_manager():
                    loss: torch.Tensor = self.compute_loss(
                        self.model, self._prepare_inputs(batch), num_items_in_batch=1
                    )
                return loss

            mine = batches[self.args.process_index :: self.args.world_size]
            for batch, loss in zip(mine, side_by_side(loss_of, mine, workers=self.workers), strict=True):
                sums[0] += loss
                sums[1] += shifted_mask(batch["labels"]).sum()
            self.model.train(was_training)
            if self.is_sharded:  # otherwise an optimizer made now would hold all weights outside the layers, unsharded
                self.model.reshard()
            if self.args.world_size > 1:
                sums = self.accelerator.reduce(sums, "sum")
            metrics = {"eval_loss": (sums[0] / sums[1]).item()}
            self.log(dict(metrics))
            # Without this the trainer takes the evaluation for still to be done, and repeats it when an epoch ends.
            self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

    return MicroBatched


def trained_tokens(rows: Sequence[Row], shuffle: Shuffle, *, steps: int, rows_per_step: int) -> int:
    """The number of tokens included in the loss in `steps` steps, by replaying the order of the rows."""
    total, left = 0, steps
    counts = [row.num_trained for row in rows]
    while left > 0:
        shuffle.epoch = (steps - left) // max(1, math.ceil(len(shuffle) / rows_per_step))
        order = list(shuffle)[: left * rows_per_step]
        total += sum(counts[i] for i in order)
        left -= math.ceil(len(order) / rows_per_step)
    return total


def _without_labels(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The micro-batch with no labels: it adds no gradient, but keeps a process in step with the others."""
    return {**batch, "labels": batch["labels"].new_full(batch["labels"].shape, IGNORED)}
