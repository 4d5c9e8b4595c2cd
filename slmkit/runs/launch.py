"""More than one process: torchrun starts them, each calls the stage, the first one writes.

torchrun rather than accelerate's launcher, which on CPUs starts one process, silently. The parent holds the run's lock
and has made the inputs, so the key and the folder are those of a single-process run, and so is the result: the rows of
a step are those of the recipe, shared by the processes.

On several machines the same command is typed on each with its own --machine RANK/COUNT@HOST:PORT, in folders that hold
the same files; machine 0, at HOST, keeps the run.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from slmkit.cuda import cuda_is_available
from slmkit.errors import FailedError, RefusedError, SlmkitError
from slmkit.recipe.lookup import find

if TYPE_CHECKING:
    from slmkit.runs.plan import Plan, Step

ERROR_FILE = ".launch-error.json"  # in the run's folder: what a process has to say to a user
_SHARDED = "SLMKIT_FSDP"  # read by models/sharding.py: how the step runs, not what comes out
KINDS = {kind.__name__: kind for kind in (SlmkitError, RefusedError, FailedError)}


@dataclass(frozen=True)
class Launch:
    """How many processes run the last step, on which of how many machines, and whether they shard the weights."""

    num_processes: int = 1  # on this machine
    fsdp: bool = False
    machine_rank: int = 0
    num_machines: int = 1
    endpoint: str = ""  # host:port at which the machines meet

    @property
    def world_size(self) -> int:
        return self.num_processes * self.num_machines

    @property
    def is_main_machine(self) -> bool:
        """Whether the first process is on this machine."""
        return self.machine_rank == 0


def read_launch(num_processes: int, *, fsdp: bool, machine: str | None) -> Launch:
    """The options of a command, checked."""
    launch = Launch(num_processes, fsdp)
    if machine is not None:
        found = re.fullmatch(r"(\d+)/(\d+)@([^\s:]+:\d+)", machine)
        if found is None or not int(found[1]) < int(found[2]):
            fix = "--machine 0/2@10.0.0.1:29500 on the first of two machines, 1/2@10.0.0.1:29500 on the second"
            raise SlmkitError(f"--machine is {machine!r}", where="command line", fix=fix)
        launch = Launch(num_processes, fsdp, int(found[1]), int(found[2]), found[3])
    if fsdp and launch.world_size == 1:
        raise SlmkitError("one process has nothing to shard with", where="--fsdp", fix="--num-processes 2 --fsdp")
    return launch


def check_launch(step: Step, launch: Launch) -> None:
    """Refuses a stage that cannot run in several processes, or not sharded: it would run whole in each of them.

    A stage says what it can by DISTRIBUTED = ("ddp", "fsdp") in its module.
    """
    if launch.world_size == 1:
        return
    ways = getattr(importlib.import_module(step.call.function.__module__), "DISTRIBUTED", ())
    way = "fsdp" if launch.fsdp else "ddp"
    if way not in ways:
        stage = step.call.recipe.stage
        what = f"stage {stage!r} runs in one process" if not ways else f"stage {stage!r} cannot shard its weights"
        raise RefusedError(what, where=step.name, fix="leave out --fsdp" if ways else "leave out --num-processes")


def start(plan: Plan, step: Step, launch: Launch, *, verbose: bool = False) -> None:
    """Runs one step in the processes of this machine; they are told the plan and make it again."""
    path, found = step.call.recipe.path, find("recipes", step.name)
    name = step.name if found and found.samefile(path) else str(path)
    request = {"name": name, "overrides": plan.overrides, "profile": plan.profile, "seed": plan.seed, "key": step.key}
    request |= {"breaks": plan.breaks, "launch": asdict(launch)}
    meet = ["--standalone"]
    if launch.num_machines > 1:
        meet = [f"--nnodes={launch.num_machines}", f"--node_rank={launch.machine_rank}"]
        host, _, port = launch.endpoint.partition(":")
        meet += [f"--master_addr={host}", f"--master_port={port}"]
    torchrun = ["torchrun", *meet, f"--nproc_per_node={launch.num_processes}", "-m", "slmkit.runs._worker"]
    threads = str(max(1, (os.cpu_count() or 1) // launch.num_processes))
    environment = {"OMP_NUM_THREADS": threads, **os.environ, _SHARDED: "1" if launch.fsdp else "0"}
    if not cuda_is_available():
        environment["CUDA_VISIBLE_DEVICES"] = ""
    error_file = step.dir / ERROR_FILE
    error_file.unlink(missing_ok=True)
    finished = subprocess.run(
        [sys.executable, "-m", "slmkit.runs._worker", *torchrun, json.dumps(request)],
        env=environment,
        check=False,
        stdout=None if verbose else subprocess.DEVNULL,
    )
    if error_file.is_file():
        told = json.loads(error_file.read_text(encoding="utf-8"))
        error_file.unlink()
        raise KINDS[told["kind"]](told["what"], where=told["where"], fix=told["fix"])
    done = (step.dir / "result.json").is_file() or not launch.is_main_machine
    if finished.returncode != 0 or not done:
        fix = "the messages above say why; `--num-processes 1` shows whether it is the launch or the stage"
        raise FailedError(f"one of {launch.world_size} processes failed", where=str(step.dir), fix=fix)
