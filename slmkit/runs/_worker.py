"""The process that torchrun starts: it makes the same plan, checks its key, and calls the stage; rank 0 writes.

torchrun runs this module once per process; `launch` starts torchrun.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time

from slmkit.console import console, quiet_libraries
from slmkit.cuda import cuda_is_available
from slmkit.errors import SlmkitError
from slmkit.files import write_json
from slmkit.runs.execute import call_stage
from slmkit.runs.launch import ERROR_FILE, KINDS, Launch
from slmkit.runs.plan import Plan, make_plan
from slmkit.runs.record import write_result
from slmkit.runs.run_folder import Run


def work(request: dict[str, object]) -> None:
    """Makes the plan of the request and calls the stage of its target; rank 0 writes the result."""
    launch = Launch(**request["launch"])  # type: ignore[arg-type]
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    if world != launch.world_size:
        raise RuntimeError(f"the launcher started {world} processes instead of {launch.world_size}")
    console.quiet = rank != 0
    quiet_libraries()
    overrides, seed = request["overrides"], request["seed"]
    assert isinstance(overrides, dict) and isinstance(seed, int)
    profile, breaks = str(request["profile"]), bool(request["breaks"])
    plan = make_plan(str(request["name"]), overrides=overrides, profile=profile, seed=seed, breaks=breaks)
    if plan.target.key != request["key"]:
        raise RuntimeError("a file changed while the processes were starting; run the command again")
    run = Run(plan.target.dir, seed=seed, name=plan.target.name, is_main=rank == 0)
    try:
        _work(plan, run)
    except SlmkitError as error:
        plan.target.dir.mkdir(parents=True, exist_ok=True)
        record = {"kind": type(error).__name__, "what": error.what, "where": error.where, "fix": error.fix}
        write_json(
            plan.target.dir / ERROR_FILE, record if record["kind"] in KINDS else {**record, "kind": "FailedError"}
        )
        sys.stderr.flush()
        os._exit(error.exit_code)  # at once: threads of open connections would keep the process alive


def _work(plan: Plan, run: Run) -> None:
    started = time.monotonic()
    if cuda_is_available():
        import torch

        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    call_stage(plan, plan.target, run)
    if run.is_main:
        write_result(plan, plan.target, run, time.monotonic() - started)


def _torchrun(arguments: list[str]) -> None:
    """torchrun without its own failure report: the failed process has already reported the error."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main

    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    try:
        main(arguments)
    except ChildFailedError:
        sys.exit(1)


if __name__ == "__main__":
    if sys.argv[1] == "torchrun":
        _torchrun(sys.argv[2:])
    else:
        work(json.loads(sys.argv[1]))
