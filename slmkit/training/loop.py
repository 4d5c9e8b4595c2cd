"""One way to train for every method: resume in place, curves and progress while it runs, a model checked after.

The trainer is TRL's, made by the stage; `Recorder` is what a run offers, so that nothing here knows the kernel.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from slmkit.errors import FailedError, RefusedError, is_out_of_memory, out_of_memory
from slmkit.models.lora import finish_saved, trainable_share
from slmkit.training.best_checkpoint import Selection
from slmkit.training.checkpoints import clear, newest_whole, rewind_log
from slmkit.training.fsdp import gathered, is_asked
from slmkit.training.guards import Said, check_saved
from slmkit.training.trainer import OnLog, OnStep
from slmkit.types import ModelRef

_ALIKE = 0.99  # share of probes on which a trained model and its base may not be the same


class Recorder(Protocol):
    """The part of a run that training writes to."""

    dir: Path
    is_main: bool

    @property
    def checkpoint(self) -> Path | None: ...
    def path(self, name: str) -> Path: ...
    def log(self, step: int, **values: float) -> None: ...
    def note(self, text: str) -> None: ...
    def metric(self, **values: float) -> None: ...
    def progress(
        self, description: str, total: int | None = None, unit: str = "steps"
    ) -> AbstractContextManager[Any]: ...


@dataclass
class Fitted:
    """A trained model in its trainer, and the whole log, that of the runs before a resume included."""

    trainer: Any
    log: list[dict[str, float]] = field(default_factory=list)
    step: int = 0  # whose weights the trainer holds: the last, or the best

    def curve(self, name: str) -> list[float]:
        """The logged values of one curve, in order."""
        return [row[name] for row in self.log if name in row]

    def first(self, name: str) -> float:
        """A curve's mean over its first tenth."""
        values = self.curve(name)
        head = values[: max(1, len(values) // 10)]
        return sum(head) / len(head)

    def last(self, name: str) -> float:
        """A curve's mean over its last tenth: one step's value is noise."""
        values = self.curve(name)
        tail = values[-max(1, len(values) // 10) :]
        return sum(tail) / len(tail)

    def validated(self, name: str) -> float:
        """What the evaluation of these weights gave for a curve."""
        return next(row[name] for row in reversed(self.log) if name in row and row["step"] == self.step)


def fit(
    run: Recorder,
    make_trainer: Callable[[OnStep, OnLog], Any],
    *,
    steps: int,
    selection: Selection | None = None,
) -> Fitted:
    """Trains to the end, from the newest checkpoint where there is one, with an evaluation before and after.

    Where `selection` says so, training ends early, and the weights are those of the best evaluation.
    """
    checkpoint = newest_whole(run.checkpoint, note=run.note, write=run.is_main)
    done = int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0
    log = rewind_log(run.path("log.jsonl"), checkpoint, write=run.is_main)
    seconds_before = log[-1].get("seconds", 0.0) if log else 0.0
    started = time.monotonic()

    with run.progress(f"train from step {done}" if done else "train", steps - done) as bar:

        def on_step(step: int, loss: float, tokens: int) -> None:
            bar.advance(1, tokens=tokens, loss=loss)

        def on_log(step: int, values: dict[str, float]) -> None:
            values = {"seconds": round(seconds_before + time.monotonic() - started, 2), **values}
            log.append({"step": step, **values})
            run.log(step, **values)
            if selection and any(name.startswith("validation_") for name in values):
                selection.check(values)
                trainer.best_step = selection.best_step(log) if selection.take_best else None
                trainer.control.should_training_stop |= selection.is_over(log)

        trainer = make_trainer(on_step, on_log)
        trainer.note = run.note
        if selection and trainer.eval_dataset is None:
            raise RefusedError(
                "there are no validation rows to choose the best model by",
                where="load_best_model_at_end, early_stopping_patience",
                fix="data with a validation.jsonl, as prepare writes it; grpo and distill have none",
            )
        started = time.monotonic()
        if trainer.eval_dataset is not None and checkpoint is None:
            with _memory_explained(trainer, "evaluating"):
                trainer.evaluate()
            _unprepare(trainer)
        if done < steps and not (selection and selection.is_over(log)):
            with _memory_explained(trainer, "training"):
                _train(trainer, checkpoint)
        else:  # killed after the last step; train() would do one more where that step ends no epoch
            trainer._load_from_checkpoint(str(checkpoint))
            trainer.state.global_step = done
        if trainer.eval_dataset is not None and not (log and "validation_loss" in log[-1]):
            with _memory_explained(trainer, "evaluating"):
                trainer.evaluate()
    step = int(trainer.state.global_step)
    if selection:
        step = _select(run, trainer, selection, log, steps=steps)
    return Fitted(trainer, log, step)


@contextmanager
def _memory_explained(trainer: Any, doing: str) -> Iterator[None]:
    """Memory that runs out in a step, or in trying one, names the step and the parameters to change."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        rows = trainer.args.per_device_train_batch_size
        changes = ["a smaller max_new_tokens" if trainer.longest_prompt else "a smaller max_length"]
        if not getattr(trainer.model, "is_loaded_in_4bit", False):
            changes.insert(0, "adapter: qlora")
        if not trainer.args.gradient_checkpointing:
            changes.insert(0, "gradient_checkpointing: true")
        if rows > 1:  # a model that answers by itself answers all rows of a step at once
            instead = "" if trainer.longest_prompt else " with as many more gradient_accumulation_steps"
            changes.insert(0, f"per_device_train_batch_size: {rows // 2}{instead}")
        doing = "trying a step with the longest rows" if trainer.is_trying else doing
        raise out_of_memory(f"{doing}, at step {trainer.state.global_step + 1}", ", or ".join(changes)) from error


def _train(trainer: Any, checkpoint: Path | None) -> None:
    """Trains; of a checkpoint only tensors and plain values are read, since a pickle could run any code.

    Raises: RefusedError where torch's reader of plain values finds anything else.
    """
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except pickle.UnpicklingError as error:
        raise RefusedError(
            f"the checkpoint is damaged or holds more than tensors: {str(error).splitlines()[0][:100]}",
            where=str(checkpoint),
            fix="delete this folder; the same command then starts from the beginning",
        ) from error


def _select(run: Recorder, trainer: Any, selection: Selection, log: list[dict[str, float]], *, steps: int) -> int:
    """Puts the best weights into the trainer where they are to be taken; returns the step they are from."""
    step, best = int(trainer.state.global_step), selection.best_step(log)
    if step < steps:
        run.note(f"stopped at step {step:,} of {steps:,}: {selection.metric} is no better than at step {best}")
    if not selection.take_best or best is None:
        return step
    if best != step:
        trainer._load_from_checkpoint(str(run.dir / "checkpoints" / f"checkpoint-{best}"))
    run.note(f"the model is that of step {best:,}, which has the best {selection.metric}")
    run.metric(best_step=float(best))
    return best


def _unprepare(trainer: Any) -> None:
    """Lets train() wrap the model for several processes: accelerate wraps none that evaluate() has prepared.

    Without this every process trains alone, silently, wherever an evaluation comes before training.
    """
    if trainer.accelerator.num_processes > 1:
        trainer.accelerator._models.clear()
        trainer.model._is_accelerate_prepared = False


def finish(run: Recorder, fitted: Fitted, ref: ModelRef, *, say: Callable[[Any], Said], before: Said) -> None:
    """Saves the model to model/, reads it back, compares it with its base, and records what every method records.

    `say` asks a model the same rows each time; `before` is what the base said.
    """
    trainer, folder = fitted.trainer, run.path("model")
    if is_asked():
        trainer.model, trainer.is_distributed_loading_by_transformers = gathered(trainer.model), False
    if run.is_main:
        trainer.save_model(str(folder))
    else:
        return
    finish_saved(folder, ref)
    check_saved(trainer.model, folder, say)
    after = say(trainer.model)
    if sum(a == b for a, b in zip(before.losses, after.losses, strict=True)) >= _ALIKE * len(before.losses):
        raise FailedError(
            "the trained model answers exactly as its base does",
            where=f"{len(before.losses)} rows compared",
            fix="raise learning_rate or num_train_epochs",
        )
    same = sum(a == b for a, b in zip(before.tokens, after.tokens, strict=True)) / len(before.losses)
    if same >= _ALIKE:
        run.note(
            f"warning: {same:.0%} of {len(before.losses)} answers are as the base gives them; train longer or faster"
        )
    seconds = next(row["seconds"] for row in reversed(fitted.log) if "loss" in row)
    run.metric(
        train_loss=fitted.last("loss"),
        train_seconds=seconds,
        steps=float(fitted.log[-1]["step"]),
        unchanged_answers=same,
        trainable_share=trainable_share(trainer.model),
    )
    if tokens := fitted.curve("tokens"):
        run.metric(tokens_per_second=tokens[-1] / max(seconds, 1e-9))
    if validation := fitted.curve("validation_loss"):
        run.metric(validation_loss_before=validation[0], validation_loss=fitted.validated("validation_loss"))
    clear(run.dir / "checkpoints")
