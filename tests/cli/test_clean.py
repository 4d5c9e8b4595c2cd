"""slmkit clean: the newest run of each recipe on each data stays."""

import json
import os
from collections.abc import Callable
from pathlib import Path

from project_files import Finished, write

Slmkit = Callable[..., Finished]


def run(folder: Path, *inputs: dict[str, str], age: int) -> Path:
    """A finished run; the records of a run are what `clean` reads."""
    keys = {"key": folder.name, "stage": "x", "profile": "tiny", "seed": 0, "with": {}, "command": "", "started": ""}
    path = write(folder / "recipe.json", json.dumps({"name": folder.parent.name, "inputs": list(inputs), **keys}))
    write(folder / "result.json", json.dumps({"metrics": {}, "files": {}}))
    os.utime(path, (10_000 - age, 10_000 - age))
    return folder


def data(name: str) -> dict[str, str]:
    return {"parameter": "data", "kind": "file", "name": name}


def made_from(folder: Path) -> dict[str, str]:
    return {"parameter": "data", "kind": "recipe", "name": "loop/prepare", "dir": str(folder)}


def test_the_newest_run_on_each_data_is_kept(slmkit: Slmkit, project: Path) -> None:
    runs = Path("runs/loop")
    old = run(runs / "prepare/old", data("mail.csv"), age=3)
    mail = run(runs / "prepare/mail", data("mail.csv"), age=2)
    bank = run(runs / "prepare/bank", data("bank.csv"), age=1)
    for age, made in ((3, old), (2, mail), (1, bank)):
        run(runs / "train" / made.name, made_from(made), age=age)
    assert slmkit("clean", "--json").json["removed"] == [str(old), "runs/loop/train/old"]
    assert sorted(path.name for path in runs.glob("*/*")) == ["bank", "bank", "mail", "mail"]
