"""Adds to any TRL trainer: atomic checkpoints, a row order that survives a resume, a stop at a non-finite loss.

The loop, the optimizer and the methods are TRL's. A function makes the class, because its base needs torch and TRL,
which only training stages import.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError
from slmkit.training.best_checkpoint import curve_name
from slmkit.training.checkpoints import PARTIAL, publish
from slmkit.training.fsdp import is_fsdp_requested
from slmkit.training.guards import check_gradients
from slmkit.training.trial_step import trial_step, unchanged

if TYPE_CHECKING:
    import torch

OnStep = Callable[[int, float, int], None]  # step, loss, number of tokens: after every optimizer step
OnLog = Callable[[int, dict[str, float]], None]  # step, curve values: every logging_steps and at evaluations


class Shuffle:
    """A sampler whose order depends only on seed and epoch, so a resumed run sees the rows the killed one would have.

    Each epoch has the first `num_rows` indices once, and `num_extra` more drawn anew from the `extra_pool` indices
    after them; this mixes in replay rows.
    """

    def __init__(self, num_rows: int, *, seed: int, num_extra: int = 0, extra_pool: int = 0) -> None:
        self.num_rows, self.seed, self.epoch = num_rows, seed, 0
        self.num_extra, self.extra_pool = num_extra, extra_pool

    def __len__(self) -> int:
        return self.num_rows + self.num_extra

    def __iter__(self) -> Iterator[int]:
        source = random.Random(f"{self.seed}/{self.epoch}")
        order = list(range(self.num_rows))
        for _ in range(0, self.num_extra, max(1, self.extra_pool)):  # a small pool is used more than once
            extra = list(range(self.num_rows, self.num_rows + self.extra_pool))
            source.shuffle(extra)
            order += extra[: len(self) - len(order)]
        source.shuffle(order)
        return iter(order)


def guarded(trainer_class: type) -> type:
    """`trainer_class` with atomic checkpoints, exact data order, a trial step, and a stop at a non-finite number.

    The class takes five more arguments: `shuffle`, the order of the rows (None: TRL's own, for a method that repeats
    prompts); `allow_no_gradient`, for a method whose steps can rightly have no gradient; `longest_prompt`, for a
    method that generates answers (a row, for the trial step); and the callbacks `on_step` and `on_log`.
    """
    from transformers import TrainerCallback

    class Guarded(trainer_class):  # type: ignore[misc]
        def __init__(
            self,
            *args: Any,
            on_step: OnStep,
            on_log: OnLog,
            shuffle: Shuffle | None = None,
            allow_no_gradient: bool = False,
            longest_prompt: dict[str, Any] | None = None,
            **kwargs: Any,
        ) -> None:
            from transformers.trainer_callback import PrinterCallback

            self.longest_prompt = longest_prompt
            self.trial_step_done, self.is_trial_step = False, False
            self.shuffle, self.allow_no_gradient = shuffle, allow_no_gradient
            self.order: Any = None  # the sampler in use
            self.row_ids: list[str] = []  # of the current step, for messages
            self.step_loss, self.tokens_before = 0.0, 0
            self.best_step: int | None = None  # its checkpoint is kept besides the newest
            self.note: Callable[[str], None] = lambda text: None  # where automatic choices are noted
            self.on_trial: Callable[[float], None] = lambda seconds: None  # the time that all steps will take
            super().__init__(*args, **kwargs)
            if "ref" in getattr(self.model, "peft_config", {}):  # TRL's copy; switching the adapter off is equal
                self.model.delete_adapter("ref")
            for parameter in self.model.parameters():
                if parameter.requires_grad:  # on 4-bit weights TRL makes them bfloat16: small updates are lost
                    parameter.data = parameter.data.float()
            self.remove_callback(PrinterCallback)
            for callback in self.callback_handler.callbacks:
                if hasattr(callback, "tb_writer"):  # tensorboard would write into checkpoints/, which is deleted
                    callback.logging_dir = str(Path(self.args.output_dir).with_name("tensorboard"))
            self.add_callback(_callback(TrainerCallback, self, on_step, on_log))

        def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
            """Rows that slmkit has rendered and tokenized stay as they are."""
            if "prompt_ids" in dataset.column_names:
                return dataset
            return super()._prepare_dataset(dataset, *args, **kwargs)

        def _tokenize_prompts(self, prompts: list[str]) -> Any:
            """The tokens of prompts that slmkit has rendered, special tokens included; no images, no other fields."""
            return self.processing_class(text=prompts, add_special_tokens=False)["input_ids"], None, {}

        def _get_train_sampler(self, *args: Any, **kwargs: Any) -> Any:
            self.order = self.shuffle or super()._get_train_sampler(*args, **kwargs)
            return self.order

        def _get_output_dir(self, trial: Any) -> str:
            """Where transformers writes a checkpoint; `_save_checkpoint` moves it into place when it is complete."""
            return str(Path(self.args.output_dir) / PARTIAL)

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.is_world_process_zero():
                folder = Path(self._get_output_dir(trial)) / f"checkpoint-{self.state.global_step}"
                (folder / "training_args.bin").unlink(missing_ok=True)  # a pickle that nothing reads
                publish(folder, self.best_step)
            self.accelerator.wait_for_everyone()

        def create_model_card(self, *args: Any, **kwargs: Any) -> None:
            """Writes nothing: the run's report says more."""

        def get_batch_samples(self, *args: Any, **kwargs: Any) -> Any:
            """Runs the trial step before the first rows are drawn, also after a resume."""
            if not self.trial_step_done and not is_fsdp_requested():
                self.trial_step_done = self.is_trial_step = True
                with unchanged(self):
                    if hasattr(super(), "trial_step"):  # SFT's own
                        super().trial_step()
                    else:
                        trial_step(self, self.longest_prompt)
                self.is_trial_step = False
                if seconds := getattr(super(), "remaining_seconds", lambda: 0.0)():  # SFT's own
                    self.on_trial(seconds)
            return super().get_batch_samples(*args, **kwargs)

        def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
            loss = super().training_step(*args, **kwargs)
            self.step_loss = loss.item()
            if not math.isfinite(self.step_loss):
                raise self._not_finite(f"loss is {self.step_loss}")
            return loss

        def _clip_grad_norm(self, model: Any) -> Any:
            if self.state.global_step == 0:
                check_gradients(self.model, allow_no_gradient=self.allow_no_gradient)
            norm = super()._clip_grad_norm(model)
            norm = norm.full_tensor() if hasattr(norm, "full_tensor") else norm
            if self.state.global_step == 0 and self.accelerator.num_processes > 1:
                self._check_same_gradient(norm)
            if not math.isfinite(norm):
                raise self._not_finite(f"gradient norm is {float(norm)}")
            return norm

        def _check_same_gradient(self, norm: torch.Tensor) -> None:
            """Raises FailedError if the processes have different gradients: each would train a different model."""
            norms = self.accelerator.gather(norm.detach().reshape(1)).tolist()
            if max(norms) - min(norms) > 1e-3 * max(norms):
                values = ", ".join(f"{value:.4g}" for value in norms)
                raise FailedError(f"gradients differ between processes: their first norms are {values}")

        def _not_finite(self, what: str) -> FailedError:
            rows = ", ".join(self.row_ids[:8]) + (" …" if len(self.row_ids) > 8 else "")
            return FailedError(
                f"{what} at step {self.state.global_step + 1}; the last checkpoint is kept",
                where=f"rows {rows}" if rows else f"epoch {self.state.epoch or 0:.2f}",
                fix="lower learning_rate, or set dtype: float32. If it persists, inspect these rows",
            )

    return Guarded


def _callback(base: type, trainer: Any, on_step: OnStep, on_log: OnLog) -> Any:
    """Sets the sampler's epoch, and passes steps and logs on to the two callbacks."""
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
            values = {curve_name(name): value for name, value in logs.items() if isinstance(value, (int, float))}
            values = {name: value for name, value in values.items() if name and not name.startswith("train_")}
            if "loss" in values:
                values["tokens"] = float(state.num_input_tokens_seen or logs.get("num_tokens", 0))
            if values:
                on_log(state.global_step, values)

    return Watch()
