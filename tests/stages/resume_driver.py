"""Trains in a child process that dies at a chosen moment, then again to the end; run by test_sft_resume.

The heavy imports happen once; each training is a process of its own (fork), killed with SIGKILL from inside at an
exact point, which is as sudden as `kill -9` and hits the same moment on every machine.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import peft  # noqa: F401 - imported before the forks
import torch
import trl.trainer.sft_trainer  # noqa: F401

import slmkit
from slmkit.console import console, quiet_libraries
from slmkit.run import Run
from slmkit.stages.sft import sft
from slmkit.types import ModelRef

NANO = Path(slmkit.__file__).parent / "assets" / "nano"


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
        if self.checkpoint is not None and step == 7:  # in the second epoch, off the checkpoints' steps
            die()

    Run.log = dying  # type: ignore[method-assign]


def while_writing_a_checkpoint() -> None:
    save, calls = torch.save, [0]

    def dying(*args: object, **kwargs: object) -> None:
        calls[0] += 1
        save(*args, **kwargs)
        if calls[0] == 7:  # four files a checkpoint: in the middle of the second
            die()

    torch.save = dying


MOMENTS: dict[str, Callable[[], None]] = {
    "first": before_the_first_checkpoint,
    "between": between_checkpoints,
    "writing": while_writing_a_checkpoint,
}


def train(folder: Path, data: Path, moment: str | None) -> int:
    """One training in a child; returns its wait status."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        if moment:
            MOMENTS[moment]()
        try:
            sft(
                Run(folder),
                data=data,
                model=ModelRef("nano", str(NANO)),
                max_steps=12,
                per_device_train_batch_size=4,
                device="cpu",
            )
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    quiet_libraries()
    console.quiet = True
    root, data = Path(sys.argv[1]), Path(sys.argv[2])
    assert train(root / "whole", data, None) == 0
    for moment in MOMENTS:
        assert train(root / moment, data, moment) == signal.SIGKILL, f"{moment}: not killed"
        assert train(root / moment, data, None) == 0, f"{moment}: not finished"
