import os
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import REPOSITORY, write

STAGE = """
DISTRIBUTED = ("ddp",)

def ranks(run):
    import torch
    import torch.distributed as distributed
    distributed.init_process_group("gloo")
    total = torch.ones(1) * (distributed.get_rank() + 1)
    distributed.all_reduce(total)
    run.metric(total=float(total), world=distributed.get_world_size())
    run.path(f"rank-{distributed.get_rank()}.txt").write_text(str(run.is_main))
    distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_share_one_run_and_rank_0_writes_it(project: Path) -> None:
    import json

    write(project / "mine.py", STAGE)
    write(project / "recipes/ranks.yaml", "title: Ranks\nstage: ./mine.py:ranks\n")
    command = [sys.executable, "-m", "slmkit", "run", "ranks", "--num-processes", "2", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["metrics"] == {"total": 3.0, "world": 2}
    assert (Path(told["dir"]) / "rank-0.txt").read_text() == "True"
    assert (Path(told["dir"]) / "rank-1.txt").read_text() == "False"
