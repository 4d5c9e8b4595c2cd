"""Runs a step in several processes: torchrun starts them, each calls the stage, the first one writes.

torchrun is used because accelerate's launcher silently starts a single process on CPUs. The parent process holds the
run's lock and has made the inputs, so key, folder and result are those of a single-process run: the rows of one
training step are divided among the processes.

On several machines, run the same command on each with --machine RANK/COUNT@HOST:PORT, in folders with the same files.
The run is on machine 0, which is HOST.
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

ERROR_FILE = ".launch-error.json"  # in the run's folder: a process's error for the user
# Read by training/fsdp.py. An environment variable may hold it, because it does not change the result.
_SHARDED = "SLMKIT_FSDP"
KINDS = {kind.__name__: kind for kind in (SlmkitError, RefusedError, FailedError)}


@dataclass(frozen=True)
class Launch:
    """The processes and machines that run the last step, and whether they shard the weights."""

    num_processes: int = 1  # on this machine
    fsdp: bool = False
    machine_rank: int = 0
    num_machines: int = 1
    endpoint: str = ""  # host:port of the main machine

    @property
    def world_size(self) -> int:
        return self.num_processes * self.num_machines

    @property
    def is_main_machine(self) -> bool:
        """Whether this machine runs the first process, which writes the run."""
        return self.machine_rank == 0


def read_launch(num_processes: int, *, fsdp: bool, machine: str | None) -> Launch:
    """The launch options of a command, validated."""
    launch = Launch(num_processes, fsdp)
    if machine is not None:
        found = re.fullmatch(r"(\d+)/(\d+)@([^\s:]+:\d+)", machine)
        if found is None or not int(found[1]) < int(found[2]):
            fix = "use RANK/COUNT@HOST:PORT: 0/2@10.0.0.1:29500 on machine 0 of two, 1/2@10.0.0.1:29500 on machine 1"
            raise SlmkitError(f"invalid value for --machine: {machine!r}", where="command line", fix=fix)
        launch = Launch(num_processes, fsdp, int(found[1]), int(found[2]), found[3])
    if fsdp and launch.world_size == 1:
        raise SlmkitError("--fsdp needs at least two processes", where="command line", fix="add --num-processes 2")
    return launch


def check_launch(step: Step, launch: Launch) -> None:
    """Refuses several processes, or sharding, for a stage that does not support it.

    A stage declares its support by DISTRIBUTED = ("ddp", "fsdp") in its module.
    """
    if launch.world_size == 1:
        return
    supported = getattr(importlib.import_module(step.call.function.__module__), "DISTRIBUTED", ())
    mode = "fsdp" if launch.fsdp else "ddp"
    if mode not in supported:
        stage = step.call.recipe.stage
        what = f"stage {stage!r} cannot {'shard its weights' if supported else 'run in several processes'}"
        raise RefusedError(what, where=step.name, fix=f"remove {'--fsdp' if supported else '--num-processes'}")


def launch_processes(plan: Plan, step: Step, launch: Launch, *, verbose: bool = False) -> None:
    """Runs one step in this machine's processes; each makes the plan again from the request it gets."""
    path, found = step.call.recipe.path, find("recipes", step.name)
    name = step.name if found and found.samefile(path) else str(path)
    request = {"name": name, "overrides": plan.overrides, "profile": plan.profile, "seed": plan.seed, "key": step.key}
    request |= {"breaks": plan.breaks, "launch": asdict(launch)}
    rendezvous = ["--standalone"]
    if launch.num_machines > 1:
        rendezvous = [f"--nnodes={launch.num_machines}", f"--node_rank={launch.machine_rank}"]
        host, _, port = launch.endpoint.partition(":")
        rendezvous += [f"--master_addr={host}", f"--master_port={port}"]
    torchrun = ["torchrun", *rendezvous, f"--nproc_per_node={launch.num_processes}", "-m", "slmkit.runs._worker"]
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
        error = json.loads(error_file.read_text(encoding="utf-8"))
        error_file.unlink()
        raise KINDS[error["kind"]](error["what"], where=error["where"], fix=error["fix"])
    done = (step.dir / "result.json").is_file() or not launch.is_main_machine
    if finished.returncode != 0 or not done:
        fix = "see the messages above; try --num-processes 1 to tell a launch problem from one of the stage"
        raise FailedError(f"one of {launch.world_size} processes failed", where=str(step.dir), fix=fix)
