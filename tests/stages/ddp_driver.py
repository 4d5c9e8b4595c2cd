"""One rank of a distributed fine-tuning; started by torchrun in test_distributed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import slmkit
from slmkit.console import console, quiet_libraries
from slmkit.run import Run
from slmkit.signature import grouped
from slmkit.stages.sft import sft
from slmkit.types import ModelRef

if __name__ == "__main__":
    quiet_libraries()
    console.quiet = True
    world_size = int(os.environ["WORLD_SIZE"])
    assert world_size == int(sys.argv[3]), f"{world_size} processes train"
    run = Run(Path(sys.argv[1]), is_main=os.environ["RANK"] == "0")
    keys = {
        "data": Path(sys.argv[2]),
        "model": ModelRef("nano", str(Path(slmkit.__file__).parent / "assets" / "nano")),
        "per_device_train_batch_size": 8 // world_size,
        "max_steps": 8,
        "device": "cpu",
    }
    sft(run, **grouped(sft, keys))
