"""Two gloo processes train as one does with the same rows a step."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import read_jsonl


@pytest.mark.slow
def test_two_processes_lose_as_one_does(tmp_path):
    source = random.Random(0)
    rows = tmp_path / "data"
    rows.mkdir()
    for name, number in (("train", 32), ("validation", 7)):
        with open(rows / f"{name}.jsonl", "w", encoding="utf-8") as file:
            for _ in range(number):
                colour = source.choice(("red", "blue"))
                asked = {"role": "user", "content": " ".join(["the", colour, "cup"] * source.randint(1, 6))}
                file.write(json.dumps({"messages": [asked, {"role": "assistant", "content": colour}]}) + "\n")
    driver = Path(__file__).with_name("ddp_driver.py")
    curves = []
    for processes in (1, 2):
        run = tmp_path / str(processes)
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
        done = subprocess.run(
            [*launcher, str(driver), str(run), str(rows), str(processes)],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2000:]
        log = read_jsonl(run / "log.jsonl")
        curves.append([row.get("loss", row.get("validation_loss")) for row in log])
        assert (run / "model" / "adapter_model.safetensors").exists()
    assert len(curves[0]) == len(curves[1])
    assert curves[1] == pytest.approx(curves[0], abs=1e-4)
