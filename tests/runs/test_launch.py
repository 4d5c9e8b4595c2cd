import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from project_files import REPOSITORY, write

STAGE = """
DISTRIBUTED = ("ddp",)

def ranks(run, *, extra: int = 0):
    import torch
    import torch.distributed as distributed
    distributed.init_process_group("gloo")
    total = torch.ones(1) * (distributed.get_rank() + 1)
    distributed.all_reduce(total)
    run.metric(total=float(total) + extra, world=distributed.get_world_size())
    run.path(f"rank-{distributed.get_rank()}.txt").write_text(str(run.is_main))
    distributed.destroy_process_group()
"""


def launched(project: Path, *arguments: str, recipe: str = "ranks") -> dict[str, Any]:
    """The JSON outcome of a recipe run in two processes."""
    command = [sys.executable, "-m", "slmkit", "run", recipe, "--num-processes", "2", "--json", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outcome: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return outcome


@pytest.mark.slow
def test_two_processes_share_one_run_and_rank_0_writes_it(project: Path) -> None:
    write(project / "mine.py", STAGE)
    write(project / "recipes/ranks.yaml", "title: Ranks\nstage: ./mine.py:ranks\n")
    outcome = launched(project)
    assert outcome["metrics"] == {"total": 3.0, "world": 2}
    assert (Path(outcome["dir"]) / "rank-0.txt").read_text() == "True"
    assert (Path(outcome["dir"]) / "rank-1.txt").read_text() == "False"


@pytest.mark.slow
def test_break_reaches_all_processes(project: Path) -> None:
    write(project / "mine.py", STAGE)
    recipe = "stage: ./mine.py:ranks\nexpect: {total: [3, 3]}\nbreaks: {with: {extra: 1}, red: [total]}\n"
    write(project / "recipes/ranks.yaml", recipe)
    assert launched(project, "--break")["metrics"]["total"] == 4.0


@pytest.mark.slow
def test_a_recipe_outside_recipes_is_found_by_all_processes(project: Path) -> None:
    write(project / "mine.py", STAGE)
    write(project / "other/ranks.yaml", "title: Ranks\nstage: ./mine.py:ranks\n")
    assert launched(project, recipe="other/ranks.yaml")["metrics"]["world"] == 2
