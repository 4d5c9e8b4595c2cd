"""More than one process: the launcher of the ecosystem starts them, each calls the stage, rank 0 writes.

On CPU torchrun does it (accelerate's launcher would train one process there, silently); on GPUs `accelerate launch`,
which does it with DDP. The parent holds the run's lock and has made the inputs, so the key and the folder are
those of a single-process run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from slmkit.errors import FailedError

if TYPE_CHECKING:
    from slmkit.plan import Plan, Step


def launch(plan: Plan, step: Step, num_processes: int) -> None:
    """Runs one step in num_processes processes on this machine; they are told the plan and make it again."""
    from slmkit.recipe import cuda_is_there

    request = {"name": step.name, "given": plan.given, "profile": plan.profile, "seed": plan.seed, "key": step.key}
    request["num_processes"] = num_processes
    worker = ["-m", "slmkit.launch", json.dumps(request)]
    if cuda_is_there():
        starter = ["accelerate.commands.launch", "--multi_gpu", f"--num_processes={num_processes}"]
    else:
        starter = ["torch.distributed.run", "--standalone", f"--nproc_per_node={num_processes}"]
    environment = {**os.environ, "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // num_processes))}
    finished = subprocess.run([sys.executable, "-m", *starter, *worker], env=environment, check=False)
    if finished.returncode != 0 or not (step.dir / "result.json").is_file():
        fix = "the messages above say why; `--num-processes 1` shows whether it is the launch or the stage"
        raise FailedError(f"one of {num_processes} processes failed", where=str(step.dir), fix=fix)


def work(request: dict[str, object]) -> None:
    """What each process does: the same plan, the same key, the stage called, the result written by rank 0."""
    from slmkit.console import console, quiet_libraries
    from slmkit.plan import make_plan
    from slmkit.run import Run
    from slmkit.runner import call_stage, write_result

    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if world != request["num_processes"]:
        raise RuntimeError(f"the launcher started {world} processes, {request['num_processes']} were asked for")
    console.quiet = rank != 0
    quiet_libraries()
    given, seed = request["given"], request["seed"]
    assert isinstance(given, dict) and isinstance(seed, int)
    plan = make_plan(str(request["name"]), given=given, profile=str(request["profile"]), seed=seed)
    if plan.target.key != request["key"]:
        raise RuntimeError("a file changed while the processes started; run the command again")
    start = time.monotonic()
    run = Run(plan.target.dir, seed=seed, name=plan.target.name, is_main=rank == 0)
    call_stage(plan, plan.target, run)
    if rank == 0:
        write_result(plan, plan.target, run, time.monotonic() - start)


if __name__ == "__main__":
    work(json.loads(sys.argv[1]))
