"""The gold set of a chat file asks what the file asks: system turn, history and tools, in every prompt."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project_files import Finished, read_jsonl, write

from slmkit.gold.gold_set import read_gold
from slmkit.systems._chat import opening_of
from slmkit.systems._shots import chats_of

Slmkit = Callable[..., Finished]
SYSTEM = "You file reports for the harbour."
TOOL = {"type": "function", "function": {"name": "berth", "parameters": {"type": "object", "properties": {}}}}


def chat(i: int, *, system: str, tools: bool) -> dict[str, Any]:
    turns = [
        {"role": "system", "content": system},
        {"role": "user", "content": f"Ship {i} asks for a berth"},
        {"role": "assistant", "content": f"Which size is ship {i}?"},
        {"role": "user", "content": f"It is {i} metres long"},
        {"role": "assistant", "content": f"berth {'A' if i % 3 else 'B'}"},
    ]
    return {"messages": turns, **({"tools": [TOOL]} if tools else {})}


@pytest.mark.parametrize(
    ("system", "tools"), [(SYSTEM, False), (SYSTEM + " Today is day {i}.", False), (SYSTEM, True)]
)
def test_gold_asks_the_whole_conversation_and_the_score_is_the_count(
    slmkit: Slmkit, project: Path, system: str, tools: bool
) -> None:
    rows = [chat(i, system=system.format(i=i), tools=tools) for i in range(60)]
    write(project / "port.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    assert slmkit("gold", "freeze", "data=port.jsonl").code == 0
    gold = read_gold(project / "gold/port")
    by_question = {json.dumps(row["messages"][:-1]): row for row in rows}
    chats = chats_of(gold.examples, None, opening_of(gold.task, None, show_labels=False))
    asked = [by_question[json.dumps(messages)] for messages in chats]  # nothing added, nothing left out
    assert [row["messages"][-1]["content"] for row in asked] == [example.target for example in gold.examples]
    assert [list(example.tools) for example in gold.examples] == [row.get("tools", []) for row in asked]
    if tools:  # which the bundled model's template cannot show
        return
    prepared = slmkit("prepare", "data=port.jsonl", "--json").json["dir"]
    trained = {json.dumps(row["messages"][:-1]) for row in read_jsonl(project / prepared / "train.jsonl")}
    assert trained <= by_question.keys() - {json.dumps(messages) for messages in chats}
    done = slmkit(
        "eval", "data=port.jsonl", "system={use: majority, train: loop/prepare}", "metric=exact_match", "--json"
    )
    right = sum(example.target == "berth A" for example in gold.examples)
    assert done.json["metrics"]["score"]["value"] == pytest.approx(right / len(gold.examples))
