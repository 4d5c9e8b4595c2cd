"""What every TRL trainer gains here: checkpoints that are whole or absent, a stop at the first non-finite number, and
steps laid out in micro-batches with little padding. The loop, the optimizer and the methods are TRL's.

The classes are made by functions because their bases need torch and TRL, which only a training stage imports.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError
from slmkit.models.batching import cut, pad
from slmkit.models.checkpoints import PARTIAL, publish
from slmkit.models.guards import check_gradients
from slmkit.models.labels import IGNORED, Row
from slmkit.models.memory import Plan

if TYPE_CHECKING:
    import torch

_NOT_CURVES = ("epoch", "num_tokens", "num_input_tokens_seen", "total_flos", "train_loss", "entropy", "step_time")

OnStep = Callable[[int, float, int], None]  # step, loss, tokens in it: after every optimizer step
OnLog = Callable[[int, dict[str, float]], None]  # step, values of the curves: every logging_steps, and evaluations


def sft_trainer(
    *,
    model: Any,
    tokenizer: Any,
    arguments: dict[str, Any],
    rows: Sequence[Row],
    validation: Sequence[Row],
    shuffle: Shuffle,
    micro_batch: Plan,
    on_step: OnStep,
    on_log: OnLog,
) -> Any:
    """TRL's SFTTrainer on rows that are labelled already, guarded and lean."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    def dataset(some: Sequence[Row]) -> Any:
        return Dataset.from_list([asdict(row) for row in some])

    return guarded(lean(SFTTrainer))(
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
    )


class Shuffle:
    """A sampler whose order depends on seed and epoch alone, so a resumed run sees the rows the killed one would have.

    The first `num_rows` indices all come once an epoch; `num_extra` more are drawn from the `extra_pool` rows after
    them, another draw each epoch: that is how replay rows are mixed in.
    """

    def __init__(self, num_rows: int, *, seed: int, num_extra: int = 0, extra_pool: int = 0) -> None:
        self.num_rows, self.seed, self.epoch = num_rows, seed, 0
        self.num_extra, self.extra_pool = num_extra, extra_pool

    def __len__(self) -> int:
        return self.num_rows + self.num_extra

    def __iter__(self) -> Iterator[int]:
        source = random.Random(f"{self.seed}/{self.epoch}")
        order = list(range(self.num_rows))
        for _ in range(0, self.num_extra, max(1, self.extra_pool)):  # a small pool comes round more than once
            extra = list(range(self.num_rows, self.num_rows + self.extra_pool))
            source.shuffle(extra)
            order += extra[: len(self) - len(order)]
        source.shuffle(order)
        return iter(order)


def guarded(trainer_class: type) -> type:
    """`trainer_class` with atomic checkpoints, exact data order, and a stop at the first non-finite loss or gradient.

    The class takes four more arguments: `shuffle`, the order of the rows (None: TRL's own, for a method that needs its
    prompts repeated), `may_stand_still`, for a method whose step can rightly have no gradient, and the callbacks
    `on_step` and `on_log`.
    """
    from transformers import TrainerCallback

    class Guarded(trainer_class):  # type: ignore[misc]
        def __init__(
            self,
            *args: Any,
            on_step: OnStep,
            on_log: OnLog,
            shuffle: Shuffle | None = None,
            may_stand_still: bool = False,
            **kwargs: Any,
        ) -> None:
            from transformers.trainer_callback import PrinterCallback

            self.shuffle, self.may_stand_still = shuffle, may_stand_still
            self.order: Any = None  # the sampler in use
            self.row_ids: list[str] = []  # of the current step, for messages
            self.step_loss, self.tokens_before = 0.0, 0
            super().__init__(*args, **kwargs)
            if "ref" in getattr(self.model, "peft_config", {}):  # TRL's copy of the fresh adapter: off is the same
                self.model.delete_adapter("ref")
            for parameter in self.model.parameters():
                if parameter.requires_grad:  # TRL rounds those on 4-bit weights to bfloat16: small updates get lost
                    parameter.data = parameter.data.float()
            self.remove_callback(PrinterCallback)
            self.add_callback(_callback(TrainerCallback, self, on_step, on_log))

        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            self.order = self.shuffle or super()._get_train_sampler(*args, **kwargs)
            return self.order

        def _get_output_dir(self, trial: Any) -> str:
            """Where transformers writes a checkpoint; `_save_checkpoint` moves it into place when it is whole."""
            return str(Path(self.args.output_dir) / PARTIAL)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                publish(Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}")
            self.accelerator.wait_for_everyone()

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Nothing: the run's own report says more, and a checkpoint needs no card."""

        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss = super().training_step(*args, **kwargs)
            self.step_loss = loss.item()
            if not math.isfinite(self.step_loss):
                raise self._not_finite(f"loss is {self.step_loss}")
            return loss

        def _clip_grad_norm(self, model: Any) -> Any:
            if self.state.global_step == 0:
                check_gradients(self.model, may_stand_still=self.may_stand_still)
            norm = super()._clip_grad_norm(model)
            if not math.isfinite(norm):
                raise self._not_finite(f"gradient norm is {float(norm)}")
            return norm

        def _not_finite(self, what: str) -> FailedError:
            rows = ", ".join(self.row_ids[:8]) + (" …" if len(self.row_ids) > 8 else "")
            return FailedError(
                f"{what} at step {self.state.global_step + 1}; the last good checkpoint is kept",
                where=f"rows {rows}" if rows else f"epoch {self.state.epoch or 0:.2f}",
                fix="lower learning_rate, or set dtype: float32; then look at these rows",
            )

    return Guarded


def lean(trainer_class: type) -> type:
    """SFTTrainer with steps cut into micro-batches, and logits only where a label stands.

    One batch of the data loader is one optimizer step; gradients accumulate inside it, over micro-batches of at most
    per_device_train_batch_size rows and `max_tokens` tokens (for `overhead` see batching.cut).
    """

    class Lean(trainer_class):  # type: ignore[misc]
        loss_is_scaled_for_ga = True  # compute_loss divides by the trained tokens of the whole step

        def __init__(self, *, args: Any, max_tokens: int, overhead: int, **kwargs: Any) -> None:
            max_rows = args.per_device_train_batch_size
            self.limits = {"max_tokens": max_tokens, "max_rows": max_rows, "overhead": overhead}
            self.keep: torch.Tensor | None = None  # (B, T) positions whose logits are wanted
            args.per_device_train_batch_size *= args.gradient_accumulation_steps
            args.gradient_accumulation_steps = 1
            super().__init__(args=args, data_collator=self._collate, **kwargs)
            self.model.get_output_embeddings().register_forward_pre_hook(self._keep_labelled)

        def _collate(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
            groups = cut([len(row["input_ids"]) for row in rows], **self.limits)
            fill = self.processing_class.pad_token_id or 0
            micro_batches = [pad([rows[i] for i in group], pad_token_id=fill) for group in groups]
            num_tokens = sum(len(row["input_ids"]) for row in rows)
            return {"micro_batches": micro_batches, "ids": [row["id"] for row in rows], "num_tokens": num_tokens}

        def _get_num_items_in_batch(self, batch_samples: list[dict[str, Any]], device: Any) -> torch.Tensor | None:
            """The trained tokens of one optimizer step over all ranks."""
            micro_batches = [batch for sample in batch_samples for batch in sample["micro_batches"]]
            if not micro_batches:
                return None
            num_items = sum(_shifted_mask(batch["labels"]).sum() for batch in micro_batches).to(device)
            return self.accelerator.gather(num_items).sum() if self.args.world_size > 1 else num_items

        def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> torch.Tensor:
            import torch

            self.row_ids = inputs["ids"]
            total = torch.zeros((), device=self.args.device)
            for i, batch in enumerate(inputs["micro_batches"]):
                last = i == len(inputs["micro_batches"]) - 1  # ranks exchange gradients once a step
                with nullcontext() if last else self.accelerator.no_sync(model):
                    total += super().training_step(model, batch, num_items_in_batch)
            return total

        def _track_num_input_tokens(self, inputs: dict[str, Any]) -> None:
            import torch

            num_tokens = torch.tensor(inputs["num_tokens"], device=self.args.device)
            if self.args.world_size > 1:
                num_tokens = self.accelerator.gather(num_tokens).sum()
            self.state.num_input_tokens_seen += int(num_tokens)

        def compute_loss(
            self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> torch.Tensor:
            """Cross-entropy summed over trained tokens, divided by those of the whole step: 1 x 8 equals 8 x 1."""
            from torch.nn import functional as F

            labels = inputs["labels"]
            if labels.is_cuda:  # TRL's fused head scores only labelled positions there
                outputs = model(
                    input_ids=inputs["input_ids"],
                    labels=labels,
                    fused_lm_head=True,
                    num_items_in_batch=num_items_in_batch,
                )
                loss = outputs.loss
            else:
                mask = _shifted_mask(labels)
                self.keep = F.pad(mask, (0, 1))  # position t predicts token t + 1
                try:
                    logits = model(input_ids=inputs["input_ids"], use_cache=False).logits  # (N, V)
                finally:
                    self.keep = None
                loss = F.cross_entropy(logits.float(), labels[:, 1:][mask], reduction="sum") / num_items_in_batch
            # The gradients of the ranks are averaged, the trained tokens were summed over them.
            return loss * self.accelerator.num_processes if self.model.training else loss

        def _keep_labelled(self, head: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            return None if self.keep is None else (args[0][self.keep],)

        def evaluate(self, eval_dataset: Any = None, *args: Any, **kwargs: Any) -> dict[str, float]:
            """The mean loss of a trained token over the dataset, whatever the micro-batches."""
            import torch

            rows = list(eval_dataset if eval_dataset is not None else self.eval_dataset)
            groups = cut([len(row["input_ids"]) for row in rows], **self.limits)
            sums = torch.zeros(2, dtype=torch.float64, device=self.args.device)  # loss, tokens
            was_training = self.model.training
            self.model.eval()
            for group in groups[self.args.process_index :: self.args.world_size]:
                batch = pad([rows[i] for i in group], pad_token_id=self.processing_class.pad_token_id or 0)
                batch = self._prepare_inputs(batch)
                with torch.no_grad(), self.compute_loss_context_manager():
                    sums[0] += self.compute_loss(self.model, batch, num_items_in_batch=1)
                sums[1] += _shifted_mask(batch["labels"]).sum()
            self.model.train(was_training)
            if self.args.world_size > 1:
                sums = self.accelerator.reduce(sums, "sum")
            metrics = {"eval_loss": (sums[0] / sums[1]).item()}
            self.log(dict(metrics))
            return metrics

    return Lean


def trained_tokens(rows: Sequence[Row], shuffle: Shuffle, *, steps: int, rows_per_step: int) -> int:
    """Tokens that carried loss in `steps` steps, counted by going through the same order again."""
    total, left = 0, steps
    counts = [row.num_trained for row in rows]
    while left > 0:
        shuffle.epoch = (steps - left) // max(1, math.ceil(len(shuffle) / rows_per_step))
        order = list(shuffle)[: left * rows_per_step]
        total += sum(counts[i] for i in order)
        left -= math.ceil(len(order) / rows_per_step)
    return total


def _shifted_mask(labels: torch.Tensor) -> torch.Tensor:
    return labels[:, 1:] != IGNORED


def _callback(base: type, trainer: Any, on_step: OnStep, on_log: OnLog) -> Any:
    """Sets the epoch of the order before each epoch, and hands what happens to the two callbacks."""

    import torch

    class Watch(base):  # type: ignore[misc]
        def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            epoch = int((state.epoch or 0) + 1e-6)
            if trainer.shuffle is not None:
                trainer.shuffle.epoch = epoch
            elif isinstance(getattr(trainer.order, "generator", None), torch.Generator):
                trainer.order.generator.manual_seed(args.seed + epoch)

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            on_step(state.global_step, trainer.step_loss, state.num_input_tokens_seen - trainer.tokens_before)
            trainer.tokens_before = state.num_input_tokens_seen

        def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float], **kwargs: Any) -> None:
            values = {_curve(name): value for name, value in logs.items() if isinstance(value, (int, float))}
            values = {name: value for name, value in values.items() if name and not name.startswith("train_")}
            if "loss" in values:
                values["tokens"] = float(state.num_input_tokens_seen or logs.get("num_tokens", 0))
            if values:
                on_log(state.global_step, values)

    return Watch()


def _curve(name: str) -> str:
    """The name of a curve here for TRL's: "eval_rewards/margins" -> "validation_rewards_margins"; "" for a clock."""
    if name in _NOT_CURVES or name.endswith(("_runtime", "_per_second", "_num_tokens", "_entropy", "_time")):
        return ""
    return name.replace("eval_", "validation_").replace("/", "_")
