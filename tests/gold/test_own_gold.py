"""The user's own data: gold is frozen once, found again by every verb, and `slmkit new` writes a project."""

import json
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
    assert ["freeze", "gold/own-tickets"] in [line.split()[:2] for line in done.out.splitlines()]
    assert not (project / "gold").exists()


def test_another_file_of_the_same_name_does_not_replace_its_gold(slmkit: Slmkit, project: Path) -> None:
    from slmkit.gold.own_gold import freeze_gold_of

    write(project / "tickets.csv", ROWS)
    frozen = freeze_gold_of({"data": "tickets.csv"})
    assert frozen["gold"] == "gold/own-tickets"
    examples = (project / "gold/own-tickets/examples.jsonl").read_bytes()
    write(project / "tickets.csv", ROWS + "a new row,kind 1\n")
    freeze_gold_of({"data": "tickets.csv"})
    assert (project / "gold/own-tickets/examples.jsonl").read_bytes() == examples
    write(project / "elsewhere/tickets.csv", ROWS.replace("thing", "matter"))
    refused = slmkit("loop", "data=elsewhere/tickets.csv", "--dry-run")
    assert refused.code == 3
    assert "gold/own-tickets" in refused.err


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
        "gold/own-tickets/card.yaml",
        "gold/own-tickets/dev.jsonl",
        "gold/own-tickets/examples.jsonl",
        *(f"recipes/loop/{name}.yaml" for name in ("prepare", "train", "eval", "compare")),
    }
    monkeypatch.chdir(project / "mine")
    shown = slmkit("show", "loop/prepare", "--json").json
    assert shown["with"]["data"] == "../tickets.csv"
    assert shown["with"]["gold"] == "gold/own-tickets"
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


TWO_LABELS = "id,body,topic,mood\n" + "".join(
    f"{i},my {WORDS[i % 10]} thing {i} is {WORDS[i // 10]},kind {i % 4},mood {i % 3}\n" for i in range(100)
)


def test_gold_checks_read_the_columns_that_the_set_was_frozen_with(slmkit: Slmkit, project: Path) -> None:
    """Guessed again, the label would be another column, and every row with its gold question another answer."""
    write(project / "mail.csv", TWO_LABELS)
    columns = ["text_column=body", "label_column=mood"]
    assert slmkit("gold", "freeze", "data=mail.csv", *columns).code == 0
    given = slmkit("gold", "check", "mail", "data=mail.csv", *columns, "--json").json["findings"]
    assert slmkit("gold", "check", "mail", "data=mail.csv", "--json").json["findings"] == given
    write(project / "new.csv", "body,topic,mood\nis there a new branch in town,kind 1,mood 2\n")
    added = slmkit("gold", "add", "mail", "new.csv", "--json")
    assert added.json["added"] == 1, added.err
    assert '"mood 2"' in (project / "gold/mail/examples.jsonl").read_text()


def test_prepare_reads_the_columns_that_the_gold_was_frozen_with(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", TWO_LABELS)
    assert slmkit("gold", "freeze", "data=mail.csv", "text_column=body", "label_column=mood").code == 0
    done = slmkit("prepare", "data=mail.csv", "--json").json
    rows = [json.loads(line) for line in (project / done["dir"] / "train.jsonl").read_text().splitlines()]
    assert {row["messages"][-1]["content"] for row in rows} == {"mood 0", "mood 1", "mood 2"}


def test_data_without_the_frozen_columns_is_read_by_its_own_and_this_is_said(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", TWO_LABELS)
    assert slmkit("gold", "freeze", "data=mail.csv", "text_column=body", "label_column=mood").code == 0
    write(project / "shots.csv", "text,label\nwhere is the nearest branch,mood 1\nwho opens the door,mood 2\n")
    findings = slmkit("gold", "check", "mail", "shots=shots.csv", "--json").json["findings"]
    [said] = [finding["text"] for finding in findings if finding["check"] == "columns"]
    assert "shots.csv" in said and "text_column=body" in said and "'label'" in said


def test_an_encoding_given_when_freezing_is_used_when_checking(slmkit: Slmkit, project: Path) -> None:
    rows = ROWS.replace("thing", "café").encode("cp1250")
    (project / "cafe.csv").write_bytes(rows)
    assert slmkit("gold", "freeze", "data=cafe.csv", "encoding=cp1250").code == 0
    given = slmkit("gold", "check", "cafe", "data=cafe.csv", "encoding=cp1250", "--json").json
    assert slmkit("gold", "check", "cafe", "data=cafe.csv", "--json").json == given


def test_other_data_of_the_same_name_is_asked_about_and_both_answers_work(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", ROWS)
    write(project / "bank.csv", ROWS.replace("thing", "money"))
    write(project / "other/mail.csv", ROWS.replace("thing", "matter"))
    for name in ("mail", "bank"):
        assert slmkit("gold", "freeze", f"data={name}.csv").code == 0
    for verb in ("loop", "prepare", "train"):
        asked = slmkit(verb, "data=other/mail.csv", "--dry-run")
        assert asked.code == 3
        assert "gold=mail (or bank)" in asked.err
        assert "`slmkit gold freeze data=other/mail.csv name=other-mail`, then add gold=other-mail" in asked.err
    assert slmkit("loop", "data=other/mail.csv", "gold=mail", "--dry-run").code == 0
    assert slmkit("gold", "freeze", "data=other/mail.csv", "name=other-mail").code == 0
    for verb in ("loop", "prepare", "train"):
        assert slmkit(verb, "data=other/mail.csv", "gold=other-mail", "--dry-run").code == 0


def test_questions_in_a_file_can_be_given_after_the_first_freeze(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", ROWS)
    write(project / "questions.csv", ROWS.replace("thing", "matter"))
    assert slmkit("loop", "data=mail.csv", "--dry-run").code == 0
    assert slmkit("gold", "freeze", "data=mail.csv").code == 0
    refused = slmkit("loop", "data=mail.csv", "gold=questions.csv", "--dry-run")
    assert refused.code == 3 and "omit gold=questions.csv" in refused.err
    command = refused.err.split("`slmkit ")[1].split("`")[0]
    assert slmkit(*command.split()).code == 0
    name = command.split("name=")[1]
    assert slmkit("loop", "data=mail.csv", f"gold={name}", "--dry-run").code == 0


def test_data_whose_gold_came_from_a_file_need_that_file_once(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", ROWS)
    write(project / "questions.csv", ROWS.replace("thing", "matter"))
    assert slmkit("gold", "freeze", "data=mail.csv", "gold=questions.csv").code == 0
    assert slmkit("loop", "data=mail.csv", "--dry-run").code == 0
    assert slmkit("prepare", "data=mail.csv", "--dry-run").code == 0


def test_the_names_of_shipped_gold_sets_stay_theirs(slmkit: Slmkit, project: Path) -> None:
    """Otherwise `slmkit loop` without data would ask the user's questions of a model trained on the shipped rows."""
    write(project / "tickets.csv", ROWS)
    refused = slmkit("gold", "freeze", "data=tickets.csv", "name=tickets")
    assert refused.code == 3 and "name=own-tickets" in refused.err
    assert slmkit("gold", "freeze", "data=tickets.csv", "name=own-tickets").code == 0


def test_a_frozen_set_is_not_frozen_again(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", ROWS)
    assert slmkit("gold", "freeze", "data=mail.csv").code == 0
    for gold in ("mail", "gold/mail"):
        refused = slmkit("gold", "freeze", "data=mail.csv", f"gold={gold}", "name=other")
        assert refused.code == 3 and "already a frozen gold set" in refused.err


def test_a_broken_gold_set_blocks_only_its_own_data(slmkit: Slmkit, project: Path) -> None:
    write(project / "mail.csv", ROWS)
    write(project / "bank.csv", ROWS.replace("thing", "money"))
    for name in ("mail", "bank"):
        assert slmkit("gold", "freeze", f"data={name}.csv").code == 0
    write(project / "gold/mail/card.yaml", "name: [mail\n")
    assert slmkit("prepare", "data=bank.csv").code == 0
    train = slmkit("train", "data=bank.csv", "--dry-run")
    assert train.code == 0, train.err
    assert "gold/mail cannot be read" in train.err
    assert slmkit("loop", "data=mail.csv", "--dry-run").code == 3


def test_rows_in_the_gold_set_of_other_data_are_dropped_by_more_gold(slmkit: Slmkit, project: Path) -> None:
    for name in ("mail", "copy"):
        write(project / f"{name}.csv", ROWS if name == "mail" else "text,label\n" + "\n".join(ROWS.splitlines()[21:]))
        assert slmkit("gold", "freeze", f"data={name}.csv").code == 0
    assert slmkit("prepare", "data=copy.csv", "steps=[]").code == 0
    refused = slmkit("train", "data=copy.csv", "steps=[]", "--dry-run")
    assert refused.code == 4 and "more_gold=[mail]" in refused.err
    assert slmkit("prepare", "data=copy.csv", "steps=[]", "more_gold=[mail]").code == 0
    assert slmkit("train", "data=copy.csv", "steps=[]", "more_gold=[mail]", "--dry-run").code == 0


@pytest.mark.parametrize(
    ("bad", "rows", "reason"),
    [(60, 40, "empty label"), (0, 1, "duplicate")],
)
def test_a_file_of_which_most_rows_are_lost_is_refused(
    slmkit: Slmkit, project: Path, bad: int, rows: int, reason: str
) -> None:
    lines = ["text,label", *(f"text {i} of {WORDS[i % 10]},\n".strip() for i in range(bad))]
    lines += [f"good text {i % rows},kind {i % 2 if rows > 1 else 0}" for i in range(40)]
    write(project / "mail.csv", "\n".join(lines) + "\n")
    for words in (["gold", "freeze"], ["prepare"]):
        refused = slmkit(*words, "data=mail.csv")
        assert refused.code == 4, refused.err
        assert reason in refused.err and "allow_loss=true" in refused.err
    assert slmkit("prepare", "data=mail.csv", "allow_loss=true").code == 0


def test_data_that_ships_with_slmkit_are_said_where_none_are_given(slmkit: Slmkit, project: Path) -> None:
    assert "data world/tickets, which ships with slmkit; data=FILE reads" in slmkit("train", "--dry-run").err
    write(project / "mail.csv", ROWS)
    assert slmkit("prepare", "data=mail.csv").code == 0
    assert "data=mail.csv reads your own" in slmkit("train", "--dry-run").err
    assert "ships with slmkit" not in slmkit("train", "data=mail.csv", "--dry-run").err
    assert "data world/" not in slmkit("run", "world/tickets", "--dry-run").err
