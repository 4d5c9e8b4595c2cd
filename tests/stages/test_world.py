"""The world stage: rows with known answers, and the documents that contain them."""

from __future__ import annotations

import pytest
from project_files import read_jsonl

from slmkit.errors import SlmkitError
from slmkit.micro_world.families import FAMILIES
from slmkit.runs.run_folder import Run
from slmkit.stages.world import check, world


@pytest.mark.parametrize("family", [*FAMILIES, "chats"])
def test_every_family_can_be_drawn(family, tmp_path):
    run = Run(tmp_path)
    world(run, family=family, num_examples=20)
    assert run.metrics["rows"] == 20
    rows = read_jsonl(tmp_path / ("train.jsonl" if family == "chats" else "data.jsonl"))
    keys = {"pairs": {"id", "prompt", "chosen", "rejected"}, "chats": {"id", "messages"}}
    assert all(keys.get(family, {"id", "input", "target"}) <= set(row) for row in rows)
    assert len({row["id"] for row in rows}) == 20


def test_todays_documents_contain_the_answers_to_gold_questions(tmp_path):
    from slmkit.micro_world.gold_sets import draw

    world(Run(tmp_path), family="fresh", num_examples=20)
    documents = {row["id"]: row["text"] for row in read_jsonl(tmp_path / "documents.jsonl")}
    for example in draw("fresh", "gold", 50).examples:
        assert example.target in documents[example.relevant[0]]


def test_tickets_come_with_the_handbook(tmp_path):
    world(Run(tmp_path), num_examples=5)
    assert len(read_jsonl(tmp_path / "documents.jsonl")) == 20


def test_a_live_set_depends_on_the_seed_of_the_run(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        world(Run(tmp_path / name, seed=seed), family="reading", split="live", num_examples=10)
    a, b, c = ((tmp_path / name / "data.jsonl").read_text() for name in "abc")
    assert a == b != c


def test_an_unknown_family_is_refused_with_the_known_ones():
    with pytest.raises(SlmkitError, match="'poems'") as caught:
        check(family="poems")
    assert caught.value.where == "with.family"
    assert "tickets" in caught.value.fix
