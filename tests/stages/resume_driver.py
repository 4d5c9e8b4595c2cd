"""Trains in a child process that is killed at a chosen moment, then again to the end; run by test_resume.py.

The slow imports and the uninterrupted training happen once; each other training is a fork that kills itself with
SIGKILL, as sudden as `kill -9`, and at the same moment on every machine.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["CUDA_VISIBLE_DEVICES"] = ""  # no GPU, no threads of autograd: a process that has trained can be forked

import peft  # noqa: F401 - imported before the forks
import torch
import trl.trainer.dpo_trainer
import trl.trainer.grpo_trainer
import trl.trainer.sft_trainer  # noqa: F401

import slmkit.stages.dpo
import slmkit.stages.grpo
import slmkit.stages.sft
from slmkit.console import console, quiet_libraries
from slmkit.recipe.signature import call_arguments
from slmkit.runs.run_folder import Run
from slmkit.stages.dpo import dpo
from slmkit.stages.grpo import grpo
from slmkit.stages.sft import sft
from slmkit.types import Answer, Example, ModelRef


def vowels(example: Example, answer: Answer) -> float:
    """A reward that differs between the answers of an untrained model."""
    return sum(letter in "aeiou" for letter in answer.text) / max(1, len(answer.text))


METHODS: dict[str, tuple[Callable[..., None], dict[str, Any]]] = {
    "sft": (sft, {"per_device_train_batch_size": 4}),
    "sft_best": (sft, {"per_device_train_batch_size": 4, "load_best_model_at_end": True, "learning_rate": 0.02}),
    "sft_packed": (sft, {"per_device_train_batch_size": 2, "packing": True, "max_length": 64}),
    "dpo": (dpo, {"per_device_train_batch_size": 4, "learning_rate": 1e-3}),
    "grpo": (grpo, {"rewards": [vowels], "num_generations": 4, "max_new_tokens": 4, "learning_rate": 1e-3}),
}


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def before_the_first_checkpoint() -> None:
    log = Run.log

    def dying(self: Run, step: int, **values: float) -> None:
        log(self, step, **values)
        if step == 1:
            die()

    Run.log = dying  # type: ignore[method-assign]


def between_checkpoints() -> None:
    log = Run.log

    def dying(self: Run, step: int, **values: float) -> None:
        log(self, step, **values)
        if self.checkpoint is not None and step == 5:  # in the second epoch, before the step's checkpoint
            die()

    Run.log = dying  # type: ignore[method-assign]


def while_writing_a_checkpoint() -> None:
    save, calls = torch.save, [0]

    def dying(*args: object, **kwargs: object) -> None:
        calls[0] += 1
        save(*args, **kwargs)
        if calls[0] == 7:  # four files per checkpoint: in the middle of the second
            die()

    torch.save = dying


def after_the_last_step() -> None:
    for module in (slmkit.stages.sft, slmkit.stages.dpo, slmkit.stages.grpo):
        module.save_and_check = lambda *args, **kwargs: die()  # type: ignore[attr-defined]


MOMENTS: dict[str, Callable[[], None]] = {
    "first": before_the_first_checkpoint,
    "between": between_checkpoints,
    "writing": while_writing_a_checkpoint,
    "last": after_the_last_step,
}


def train(method: str, folder: Path, keys: dict[str, Any]) -> None:
    stage, own = METHODS[method]
    stage(Run(folder), **call_arguments(stage, own | keys))


def train_in_child(method: str, folder: Path, keys: dict[str, Any], moment: str | None) -> int:
    """Trains in a child process; returns its wait status."""
    child = os.fork()
    if child == 0:
        if moment:
            MOMENTS[moment]()
        try:
            train(method, folder, keys)
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    quiet_libraries()
    console.quiet = True
    torch.set_num_threads(1)
    method, root, data, steps, model = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    keys = {"data": data, "model": ModelRef("model", model), "max_steps": steps, "device": "cpu"}
    train(method, root / "whole", keys)
    for moment in sys.argv[6:]:
        assert train_in_child(method, root / moment, keys, moment) == signal.SIGKILL, f"{moment}: not killed"
        assert train_in_child(method, root / moment, keys, None) == 0, f"{moment}: not finished"
