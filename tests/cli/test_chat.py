"""slmkit chat asks a trained model as eval does: the same system message, the same choice from labels."""

import hashlib
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished

from slmkit.runs.trained_task import trained_task
from slmkit.systems.prompt import prompt
from slmkit.types import Example, ModelRef

NANO = REPOSITORY / "slmkit" / "assets" / "nano"
INSTRUCTION = "say what the customer wants."
LABELS = ("card", "loan")


@pytest.fixture
def run(project: Path) -> Path:
    """A finished run with a model, its prepared rows, and their gold set; the model is the bundled one."""
    gold, data, folder = (project / name for name in ("gold/mine", "runs/prepare/1", "runs/train/2"))
    for path in (gold, data, folder):
        path.mkdir(parents=True)
    rows = [{"id": str(i), "input": f"where is it, {i}?", "target": LABELS[i % 2]} for i in range(4)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (gold / "examples.jsonl").write_text(text)
    card = {"name": "mine", "kind": "classification", "instruction": "another.", "labels": list(LABELS)}
    card |= {"count": 4, "sha256": hashlib.sha256(text.encode()).hexdigest(), "metric": "exact_match"}
    (gold / "card.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in card.items()))
    turns = [("system", INSTRUCTION), ("user", "my card?"), ("assistant", "card")]
    chat = {"messages": [{"role": role, "content": content} for role, content in turns]}
    (data / "train.jsonl").write_text(json.dumps(chat) + "\n")
    write_record(data, gold={"path": str(gold)})
    write_record(folder, data={"dir": str(data)})
    (folder / "model").symlink_to(NANO)
    return folder


def write_record(folder: Path, **inputs: dict[str, str]) -> None:
    rows = [{"parameter": name, **row} for name, row in inputs.items()]
    (folder / "recipe.json").write_text(json.dumps({"name": folder.parent.name, "inputs": rows}))
    (folder / "result.json").write_text(json.dumps({"metrics": {}}))


def test_the_answer_is_that_of_eval(run: Path, slmkit: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch):
    lines = ["where is my card?", "i need money"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(lines) + "\n\n"))
    done = slmkit("chat", str(run))
    assert done.code == 0
    task = trained_task(run)
    assert (task.kind, task.instruction, task.labels) == ("classification", INSTRUCTION, LABELS)
    answers = prompt(task, model=ModelRef("mine", str(run))).answer([Example(line, line, "") for line in lines])
    assert done.out.split("\n")[:2] == [f"{answer.text}  ({answer.confidence:.0%})" for answer in answers]
    assert f"run {run.name}" in done.err and INSTRUCTION in done.err


def test_an_own_instruction_and_free_answers(
    run: Path, slmkit: Callable[..., Finished], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "stdin", io.StringIO("where is my card?\n"))
    done = slmkit("chat", str(run), "--free", "--instruction", "be kind.", "--max-new-tokens", "3")
    assert done.code == 0
    assert "be kind." in done.err and INSTRUCTION not in done.err and "%" not in done.out


def test_rows_with_a_system_turn_each_have_no_common_instruction(run: Path, project: Path):
    chats = [
        {"messages": [{"role": "system", "content": f"of room {i}"}, {"role": "user", "content": "?"}]}
        for i in range(4)
    ]
    (project / "runs/prepare/1/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in chats))
    assert trained_task(run).instruction == ""
    (project / "runs/prepare/1/train.jsonl").unlink()
    assert trained_task(run).instruction == "another."
