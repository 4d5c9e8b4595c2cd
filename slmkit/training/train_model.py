"""Runs a TRL trainer to the end for every method: resumes in place, logs curves, keeps the best checkpoint.

The stage makes the trainer; saving and checking the result is in save_and_check.py.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, is_out_of_memory, out_of_memory
from slmkit.training.best_checkpoint import BestCheckpoint
from slmkit.training.checkpoints import newest_whole, rewind_log
from slmkit.training.recorder import Recorder
from slmkit.training.side_by_side import kept_heap
from slmkit.training.time_estimate import time_note
from slmkit.training.trainer import OnLog, OnStep

_LEARNED = 0.005  # nats per label token: the model gives its answers a probability of 0.995 per token


@dataclass
class TrainedModel:
    """A trained model in its trainer, and the whole log, including that of the runs before a resume."""

    trainer: Any
    log: list[dict[str, float]] = field(default_factory=list)
    step: int = 0  # the step of the weights in the trainer: the last, or the best

    def curve(self, name: str) -> list[float]:
        """The logged values of one curve, in order."""
        return [row[name] for row in self.log if name in row]

    def first(self, name: str) -> float:
        """A curve's mean over its first tenth."""
        values = self.curve(name)
        head = values[: max(1, len(values) // 10)]
        return sum(head) / len(head)

    def last(self, name: str) -> float:
        """A curve's mean over its last tenth: the value of a single step is noise."""
        values = self.curve(name)
        tail = values[-max(1, len(values) // 10) :]
        return sum(tail) / len(tail)

    def validated(self, name: str) -> float:
        """A curve's value at the evaluation of these weights."""
        return next(row[name] for row in reversed(self.log) if name in row and row["step"] == self.step)


def train_model(
    run: Recorder,
    make_trainer: Callable[[OnStep, OnLog], Any],
    *,
    steps: int,
    best_checkpoint: BestCheckpoint | None = None,
    epoch_steps: int | None = None,
) -> TrainedModel:
    """Trains to the end, from the newest checkpoint if there is one, with an evaluation before and after.

    `best_checkpoint` may stop training early and restore the weights of the best evaluation. With `epoch_steps`, the
    steps of an epoch, training also stops when the loss of a whole epoch is next to nothing.
    """
    checkpoint = newest_whole(run.checkpoint, note=run.note, write=run.is_main)
    done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    log = rewind_log(run.path("log.jsonl"), checkpoint, write=run.is_main)
    seconds_before = log[-1].get("seconds", 0.0) if log else 0.0
    started = time.monotonic()

    waiting: list[int] = []  # the tokens of a step that may still be logged
    shown: dict[str, float] = {}

    with kept_heap(), run.progress(f"train from step {done}" if done else "train", steps - done) as bar:

        def show() -> None:
            """Shows the last step with the last logged loss: that of one micro-batch is another number."""
            while waiting:
                bar.advance(1, tokens=waiting.pop(), **shown)

        def on_step(step: int, loss: float, tokens: int) -> None:
            show()
            waiting.append(tokens)

        def on_log(step: int, values: dict[str, float]) -> None:
            if "loss" in values:
                shown["loss"] = values["loss"]
                show()
            values = {"seconds": round(seconds_before + time.monotonic() - started, 2), **values}
            log.append({"step": step, **values})
            run.log(step, **values)
            if epoch_steps and "loss" in values and _is_learned(log, epoch_steps):
                trainer.control.should_training_stop = True
            if best_checkpoint and any(name.startswith("validation_") for name in values):
                best_checkpoint.check(values)
                trainer.best_step = best_checkpoint.best_step(log) if best_checkpoint.restore else None
                trainer.control.should_training_stop |= best_checkpoint.should_stop(log)

        trainer = make_trainer(on_step, on_log)

        def on_trial(seconds: float) -> None:
            if note := time_note(seconds, steps=steps - done, on_cpu=trainer.args.device.type == "cpu"):
                run.note(note)

        trainer.note, trainer.on_trial = run.note, on_trial
        if best_checkpoint and trainer.eval_dataset is None:
            raise RefusedError(
                "there are no validation rows to choose the best checkpoint by",
                where="load_best_model_at_end, early_stopping_patience",
                fix="use data with a validation.jsonl, as prepare writes it; grpo and distill cannot validate",
            )
        started = time.monotonic()
        if trainer.eval_dataset is not None and checkpoint is None:
            _evaluate(trainer)
            _undo_accelerate_prepare(trainer)
        if done < steps and not (best_checkpoint and best_checkpoint.should_stop(log)):
            with _out_of_memory_explained(trainer, "training"):
                _train(trainer, checkpoint)
        else:  # killed after the last step; train() would do one more step unless that step ends an epoch
            trainer._load_from_checkpoint(str(checkpoint))
            trainer.state.global_step = done
        show()
        if trainer.eval_dataset is not None and not (log and "validation_loss" in log[-1]):
            _evaluate(trainer)
    step = int(trainer.state.global_step)
    if epoch_steps and step < steps and _is_learned(log, epoch_steps):
        run.note(f"stopped at step {step:,} of {steps:,}: the loss of a whole epoch was below {_LEARNED}")
    if best_checkpoint:
        step = _restore_best(run, trainer, best_checkpoint, log, steps=steps)
    return TrainedModel(trainer, log, step)


def _is_learned(log: list[dict[str, float]], epoch_steps: int) -> bool:
    """Whether the mean loss of the last `epoch_steps` steps is next to nothing: further steps would change nothing."""
    losses = [(row["step"], row["loss"]) for row in log if "loss" in row]
    if not losses or losses[-1][0] < epoch_steps:
        return False
    last = [loss for step, loss in losses if step > losses[-1][0] - epoch_steps]
    return sum(last) / len(last) < _LEARNED


def _evaluate(trainer: Any) -> None:
    with _out_of_memory_explained(trainer, "evaluating"):
        trainer.evaluate()


def _train(trainer: Any, checkpoint: Path | None) -> None:
    """Trains; only tensors and plain values are read from a checkpoint, since a pickle could run any code.

    Raises: RefusedError if torch's reader of plain values finds anything else.
    """
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except pickle.UnpicklingError as error:
        raise RefusedError(
            f"the checkpoint is damaged or contains more than tensors: {str(error).splitlines()[0][:100]}",
            where=str(checkpoint),
            fix="delete this folder and run the same command again: it starts from the beginning",
        ) from error


def _undo_accelerate_prepare(trainer: Any) -> None:
    """Lets train() wrap the model for several processes: accelerate skips a model that evaluate() has prepared.

    Without this, an evaluation before training makes every process train alone, silently.
    """
    if trainer.accelerator.num_processes > 1:
        trainer.accelerator._models.clear()
        trainer.model._is_accelerate_prepared = False


def _restore_best(
    run: Recorder, trainer: Any, best_checkpoint: BestCheckpoint, log: list[dict[str, float]], *, steps: int
) -> int:
    """Loads the best checkpoint's weights into the trainer if asked to; returns the step of the trainer's weights."""
    step, best = int(trainer.state.global_step), best_checkpoint.best_step(log)
    if step < steps:
        run.note(f"stopped at step {step:,} of {steps:,}: {best_checkpoint.metric} has not improved since step {best}")
    if not best_checkpoint.restore or best is None:
        return step
    if best != step:
        trainer._load_from_checkpoint(str(run.dir / "checkpoints" / f"checkpoint-{best}"))
    run.note(f"kept the checkpoint of step {best:,} (best {best_checkpoint.metric})")
    run.metric(best_step=float(best))
    return best


@contextmanager
def _out_of_memory_explained(trainer: Any, task: str) -> Iterator[None]:
    """Re-raises an out-of-memory error of the block, with the step and the parameters to change."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        task = "testing a step with the longest rows" if trainer.is_trial_step else task
        raise out_of_memory(
            f"{task}, at step {trainer.state.global_step + 1}", ", or ".join(_memory_savers(trainer))
        ) from error


def _memory_savers(trainer: Any) -> list[str]:
    """The parameters to change when memory runs out, the most effective first."""
    rows = trainer.args.per_device_train_batch_size
    fixes = ["a smaller max_new_tokens" if trainer.longest_prompt else "a smaller max_length"]
    if not getattr(trainer.model, "is_loaded_in_4bit", False):
        fixes.insert(0, "adapter: qlora")
    if not trainer.args.gradient_checkpointing:
        fixes.insert(0, "gradient_checkpointing: true")
    if rows > 1:  # a method that generates answers generates all of a step at once
        accumulate = "" if trainer.longest_prompt else " with twice the gradient_accumulation_steps"
        fixes.insert(0, f"per_device_train_batch_size: {rows // 2}{accumulate}")
    return fixes
