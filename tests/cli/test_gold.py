"""slmkit gold: gold sets are frozen, checked, extended and compared; the keys of its commands are checked."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished, write

Slmkit = Callable[..., Finished]
ROWS = "text,label\n" + "".join(f"the {i} of {i * 7} cards is {i * 13},kind {i % 4}\n" for i in range(200))


def test_a_gold_set_is_frozen_checked_and_searched_for_leaks(slmkit: Slmkit, project: Path) -> None:
    write(project / "rows.csv", ROWS)
    folder = slmkit("gold", "freeze", "data=rows.csv", "--json").json["gold"]
    again = slmkit("gold", "freeze", "data=rows.csv")
    assert again.code == 0 and "40 examples" in again.out and "16 for" in again.out
    assert slmkit("gold", "freeze", "data=rows.csv", "--json").json["gold"] == folder
    clean = slmkit("gold", "check", folder, "--json")
    assert clean.code == 0
    assert clean.json["examples"] == 40
    assert any(finding["check"] == "power" for finding in clean.json["findings"])
    leaking = slmkit("gold", "check", folder, "data=rows.csv", "--json")
    assert leaking.code == 0  # a warning: prepare drops such rows
    leaks = [f["severity"] for f in leaking.json["findings"] if f["check"] == "leak"]
    assert leaks == ["warning", "note"]  # the note: rows that differ in their numbers alone
    write(project / "other.csv", "text,label\nnothing of the kind,kind 1\nnor this one,kind 2\n")
    other = slmkit("gold", "check", folder, "data=other.csv", "--json").json["findings"]
    assert [f["severity"] for f in other if f["check"] == "leak"] == ["note"]
    write(project / "rows.csv", ROWS + "one more row,kind 1\n")
    changed = slmkit("gold", "freeze", "data=rows.csv")  # keeps the frozen set, and says why
    assert changed.code == 0 and len(changed.err) > len(again.err)


def test_a_diff_lists_examples_added_removed_and_answered_differently(slmkit: Slmkit, project: Path) -> None:
    write(project / "a.csv", ROWS)
    write(project / "b.csv", ROWS.replace("kind 1", "kind 2"))
    for name in ("a", "b"):
        assert slmkit("gold", "freeze", f"data={name}.csv", f"gold={name}.csv").code == 0
    done = slmkit("gold", "diff", "a", "b", "--json")
    assert done.code == 2
    assert (len(done.json["removed"]), len(done.json["added"]), len(done.json["changed"])) == (0, 0, 50)
    assert slmkit("gold", "diff", "a", "a").code == 0


def test_new_examples_are_added_and_repeats_are_left_out(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    new = {"id": "x", "text": "a question nobody asked before", "label": "kind 1"}
    write(project / "agreed.jsonl", json.dumps(new) + "\n" + json.dumps({**new, "id": "y"}) + "\n")
    done = slmkit("gold", "add", "bank", "agreed.jsonl")
    assert done.code == 0, done.err
    assert "40 -> 41" in done.out and "agreed.jsonl:2" in done.out
    assert slmkit("gold", "check", "bank").code == 0  # the card has the new hash
    assert slmkit("gold", "add", "bank", "agreed.jsonl", "--json").code == 4
    assert slmkit("gold", "add", "bank", "agreed.jsonl", "dta=x").code == 3


def test_a_misspelt_gold_set_or_key_is_refused(slmkit: Slmkit) -> None:
    assert "'tickets'" in slmkit("gold", "check", "tickts").error_lines[-1]
    assert slmkit("gold", "check", "tickets", "dta=x").code == 3


def test_one_text_with_two_answers_is_not_added(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    new = "the same new text twice,kind 1\nthe same new text twice,kind 2\nanother new one,kind 3\n"
    write(project / "more.csv", "text,label\n" + new)
    done = slmkit("gold", "add", "bank", "more.csv", "--json").json
    assert done["added"] == 1 and list(done["left_out"].values()) == [2]


def test_a_misspelt_column_and_a_broken_card_are_refused(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    done = slmkit("gold", "freeze", "data=bank.csv", "labl_column=label")
    assert done.code == 3 and "label_column" in done.err
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    write(project / "gold/bank/card.yaml", "name: bank\nkind: [\n")
    done = slmkit("gold", "check", "bank")
    assert done.code == 3 and "card.yaml:" in done.error_lines[1]


def test_a_gold_set_can_be_named(slmkit: Slmkit, project: Path) -> None:
    write(project / "rows.csv", ROWS)
    assert slmkit("gold", "freeze", "data=rows.csv", "name=house_2", "--json").json["gold"] == "gold/house_2"
    assert (project / "gold/house_2/examples.jsonl").is_file()
    refused = slmkit("gold", "freeze", "data=rows.csv", "name=../out")
    assert refused.code == 3 and "'../out'" in refused.err


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (("loop", "data=d.csv", "encoding=1"), "encoding: 1", "encoding='\"1\"'"),
        (("loop", "data=5"), "data: 5", "string"),
        (("new", "zz", "data=d.csv", "encoding=3"), "encoding: 3", "string"),
        (("new", "zz", "data=d.csv", "name=3"), "'name'", "data"),
        (("new", "zz"), "'data'", "slmkit new zz data="),
        (("gold", "label", "zz", "data=d.csv", "port=abc"), "port: 'abc'", "integer"),
        (("gold", "label", "zz", "data=d.csv", "port=99999"), "port: 99999", "65535"),
        (("gold", "label", "zz", "data=d.csv", "limit=abc"), "limit: 'abc'", "integer"),
        (("gold", "label", "zz", "data=d.csv", "labels=a"), "labels: 'a'", "list"),
        (("gold", "freeze", "data=d.csv", "encoding=1"), "encoding: 1", "string"),
        (("gold", "add", "tickets", "d.csv", "encoding=1"), "encoding: 1", "string"),
        (("loop", "data=d.csv", "answers_are=x"), "answers_are: 'x'", "'alternatives'"),
        (("gold", "freeze", "data=d.csv", "text_column=1"), "text_column='1' is not a column", "text_column="),
        (("gold", "check", "tickets", "dat=d.csv"), "'dat'", "'data'"),
    ],
)
def test_keys_are_checked_before_any_work(
    slmkit: Slmkit, project: Path, words: tuple[str, ...], what: str, fix: str
) -> None:
    write(project / "d.csv", "text,label\n" + "".join(f"row {i} of words,{i % 2}\n" for i in range(30)))
    done = slmkit(*words)
    assert done.code == 3
    assert what in done.error_lines[0] and fix in done.error_lines[-1]
    assert [path.name for path in project.iterdir()] == ["d.csv"]
