"""The user's own data: gold is frozen once, found again by every verb, and `slmkit new` writes a project."""

from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished, write

Slmkit = Callable[..., Finished]
WORDS = ["pay", "card", "lost", "fee", "cash", "bank", "send", "late", "app", "code"]
ROWS = "text,label\n" + "".join(f"my {WORDS[i % 10]} thing {i} is {WORDS[i // 10]},kind {i % 4}\n" for i in range(100))


def test_a_dry_run_of_the_loop_freezes_nothing(slmkit: Slmkit, project: Path) -> None:
    write(project / "tickets.csv", ROWS)
    first = slmkit("prepare", "data=tickets.csv", "gold=tickets.csv", "--dry-run")
    assert first.code == 3  # `prepare` does not freeze: it needs a frozen folder
    done = slmkit("loop", "data=tickets.csv", "--dry-run")
    assert ["freeze", "gold/tickets"] in [line.split()[:2] for line in done.out.splitlines()]
    assert not (project / "gold").exists()


def test_another_file_of_the_same_name_does_not_replace_its_gold(slmkit: Slmkit, project: Path) -> None:
    from slmkit.gold.own_gold import freeze_gold_of

    write(project / "tickets.csv", ROWS)
    frozen = freeze_gold_of({"data": "tickets.csv"})
    assert frozen["gold"] == "gold/tickets"
    examples = (project / "gold/tickets/examples.jsonl").read_bytes()
    write(project / "tickets.csv", ROWS + "a new row,kind 1\n")
    freeze_gold_of({"data": "tickets.csv"})
    assert (project / "gold/tickets/examples.jsonl").read_bytes() == examples
    write(project / "elsewhere/tickets.csv", ROWS.replace("thing", "matter"))
    refused = slmkit("loop", "data=elsewhere/tickets.csv", "--dry-run")
    assert refused.code == 3
    assert "gold/tickets" in refused.err


def test_a_file_with_a_generic_name_gets_its_folders_name(project: Path) -> None:
    from slmkit.gold.own_gold import gold_name

    assert gold_name(write(project / "Bank 77/train.csv", ROWS)) == "bank-77-train"
    assert gold_name(write(project / "My Tickets.csv", ROWS)) == "my-tickets"


def test_new_writes_a_project_that_binds_and_can_be_edited(
    slmkit: Slmkit, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(project / "tickets.csv", ROWS)
    made = slmkit("new", "mine", "data=tickets.csv", "label_column=label")
    assert made.code == 0
    assert {p.relative_to(project / "mine").as_posix() for p in (project / "mine").rglob("*") if p.is_file()} == {
        "README.md",
        "gold/tickets/card.yaml",
        "gold/tickets/dev.jsonl",
        "gold/tickets/examples.jsonl",
        *(f"recipes/loop/{name}.yaml" for name in ("prepare", "train", "eval", "compare")),
    }
    monkeypatch.chdir(project / "mine")
    shown = slmkit("show", "loop/prepare", "--json").json
    assert shown["with"]["data"] == "../tickets.csv"
    assert shown["with"]["gold"] == "gold/tickets"
    assert shown["origins"]["label_column"].startswith("recipes/loop/prepare.yaml:")
    assert slmkit("loop", "--dry-run").code == 0
    assert slmkit("prepare").code == 0


@pytest.mark.parametrize("verb", ["train", "eval", "compare"])
def test_every_verb_finds_the_gold_of_the_data(slmkit: Slmkit, project: Path, verb: str) -> None:
    write(project / "tickets.csv", ROWS)
    assert slmkit("gold", "freeze", "data=tickets.csv").code == 0
    planned, loop = (
        {row["name"]: row["dir"] for row in slmkit(word, "data=tickets.csv", "--dry-run", "--json").json["steps"]}
        for word in (verb, "loop")
    )
    assert planned["loop/prepare"] == loop["loop/prepare"]  # the same rows, without that gold
    assert f"loop/{verb}" in planned


def test_new_refuses_an_existing_folder_and_an_unknown_key(slmkit: Slmkit, project: Path) -> None:
    write(project / "tickets.csv", ROWS)
    write(project / "mine/keep.txt", "keep")
    assert slmkit("new", "mine", "data=tickets.csv").code == 3
    assert slmkit("new", "other", "data=tickets.csv", "lable_column=x").code == 3
    assert not (project / "other").exists()
    assert (project / "mine/keep.txt").read_text() == "keep"


def test_a_dry_run_reads_the_data_and_refuses_what_a_run_refuses(slmkit: Slmkit, project: Path) -> None:
    write(project / "whole/train.csv", ROWS)
    write(project / "head.csv", "text,label\n")
    write(project / "open.csv", ROWS + 'one more "thing,"and no end\n')
    done = slmkit("loop", "data=whole", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert [step["name"] for step in done.json["steps"]] == ["loop/prepare", "loop/train", "loop/compare"]
    assert "gold/whole" in done.err
    for name in ("head.csv", "open.csv"):
        refused = slmkit("loop", f"data={name}", "--dry-run")
        assert refused.code == 3, refused.out
        assert name in refused.err
    assert not (project / "gold").exists()


def test_new_lists_its_files_as_json_and_prints_brackets_unchanged(slmkit: Slmkit, project: Path) -> None:
    write(project / "tickets.csv", ROWS)
    done = slmkit("new", "mine", "data=tickets.csv", "--json").json
    assert done["project"] == "mine" and "mine/recipes/loop/train.yaml" in done["files"]
    assert "my[x]proj/" in slmkit("new", "my[x]proj", "data=tickets.csv").out


def test_a_model_is_evaluated_on_own_data_although_nothing_is_trained_on_it(slmkit: Slmkit, project: Path) -> None:
    write(project / "mine.csv", "text,label\n" + "".join(f"text number {i},{i % 2}\n" for i in range(60)))
    done = slmkit("eval", "data=mine.csv", "label_column=label", "system.model=nano", "limit=5", "--json")
    assert done.code in (0, 2), done.err
    assert done.json["ran"] == ["loop/eval"]
    assert (project / "gold/mine/card.yaml").is_file()
