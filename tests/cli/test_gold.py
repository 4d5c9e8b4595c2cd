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
    assert "nothing changed" in again.err and "40 examples, 16 for development" in again.out
    clean = slmkit("gold", "check", folder, "--json")
    assert clean.code == 0
    assert clean.json["examples"] == 40
    assert any(finding["check"] == "power" for finding in clean.json["findings"])
    leaking = slmkit("gold", "check", folder, "data=rows.csv", "--json")
    assert leaking.code == 0  # a warning: prepare drops such rows
    assert [f["severity"] for f in leaking.json["findings"] if f["check"] == "leak"] == ["warning"]
    write(project / "other.csv", "text,label\nnothing of the kind,kind 1\nnor this one,kind 2\n")
    told = slmkit("gold", "check", folder, "data=other.csv")
    assert "none of 2 training rows stands in gold" in told.out
    write(project / "rows.csv", ROWS + "one more row,kind 1\n")
    assert "the data have changed since" in slmkit("gold", "freeze", "data=rows.csv").err


def test_a_diff_names_what_was_added_removed_and_answered_differently(slmkit: Slmkit, project: Path) -> None:
    write(project / "a.csv", ROWS)
    write(project / "b.csv", ROWS.replace("kind 1", "kind 2"))
    for name in ("a", "b"):
        assert slmkit("gold", "freeze", f"data={name}.csv", f"gold={name}.csv").code == 0
    told = slmkit("gold", "diff", "a", "b", "--json")
    assert told.code == 2
    assert (len(told.json["removed"]), len(told.json["added"]), len(told.json["changed"])) == (0, 0, 50)
    assert slmkit("gold", "diff", "a", "a").code == 0


def test_what_two_people_agreed_on_is_added_and_the_change_is_told(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    new = {"id": "x", "text": "a question nobody asked before", "label": "kind 1"}
    write(project / "agreed.jsonl", json.dumps(new) + "\n" + json.dumps({**new, "id": "y"}) + "\n")
    told = slmkit("gold", "add", "bank", "agreed.jsonl")
    assert told.code == 0, told.err
    assert "40 -> 41 examples" in told.out and "in gold already: agreed.jsonl:2" in told.out
    assert slmkit("gold", "check", "bank").code == 0  # the hash of the card is the new one
    assert slmkit("gold", "add", "bank", "agreed.jsonl", "--json").code == 4
    assert slmkit("gold", "add", "bank", "agreed.jsonl", "dta=x").code == 3


def test_a_misspelt_gold_set_and_key_are_refused(slmkit: Slmkit) -> None:
    assert "did you mean 'tickets'?" in slmkit("gold", "check", "tickts").err
    assert slmkit("gold", "check", "tickets", "dta=x").code == 3


def test_two_answers_of_one_file_to_one_text_both_stay_out(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    new = "the same new text twice,kind 1\nthe same new text twice,kind 2\nanother new one,kind 3\n"
    write(project / "more.csv", "text,label\n" + new)
    told = slmkit("gold", "add", "bank", "more.csv", "--json").json
    assert told["added"] == 1 and told["left_out"] == {"ambiguous: the file has another answer too": 2}


def test_a_misspelt_key_and_a_broken_card_are_said(slmkit: Slmkit, project: Path) -> None:
    write(project / "bank.csv", ROWS)
    told = slmkit("gold", "freeze", "data=bank.csv", "labl_column=label")
    assert told.code == 3 and "label_column" in told.err
    assert slmkit("gold", "freeze", "data=bank.csv").code == 0
    write(project / "gold/bank/card.yaml", "name: bank\nkind: [\n")
    told = slmkit("gold", "check", "bank")
    assert told.code == 3 and "card.yaml:" in told.err and "not valid YAML" in told.err


def test_a_gold_set_can_be_named(slmkit: Slmkit, project: Path) -> None:
    write(project / "rows.csv", ROWS)
    assert slmkit("gold", "freeze", "data=rows.csv", "name=house_2", "--json").json["gold"] == "gold/house_2"
    assert (project / "gold/house_2/examples.jsonl").is_file()
    refused = slmkit("gold", "freeze", "data=rows.csv", "name=../out")
    assert refused.code == 3 and "cannot name a gold set" in refused.err


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (("loop", "data=d.csv", "text_column=1"), "text_column is 1", "text_column='\"1\"' is text"),
        (("loop", "data=5"), "data is 5", "give a valid string"),
        (("new", "zz", "data=d.csv", "label_column=3"), "label_column is 3", "give a valid string"),
        (("new", "zz", "data=d.csv", "name=3"), "`new zz` takes no 'name'", "one of data"),
        (("new", "zz"), "no data named", "slmkit new zz data="),
        (("gold", "label", "zz", "data=d.csv", "port=abc"), "port is 'abc'", "valid integer"),
        (("gold", "label", "zz", "data=d.csv", "port=99999"), "port is 99999", "at most 65535"),
        (("gold", "label", "zz", "data=d.csv", "limit=abc"), "limit is 'abc'", "valid integer"),
        (("gold", "label", "zz", "data=d.csv", "labels=a"), "labels is 'a'", "valid list"),
        (("gold", "freeze", "data=d.csv", "text_column=1"), "text_column is 1", "give a valid string"),
        (("gold", "add", "tickets", "d.csv", "text_column=1"), "text_column is 1", "give a valid string"),
        (("gold", "check", "tickets", "dat=d.csv"), "`gold check` takes no 'dat'", "did you mean 'data'?"),
    ],
)
def test_a_key_of_a_command_is_checked_before_any_work(
    slmkit: Slmkit, project: Path, words: tuple[str, ...], what: str, fix: str
) -> None:
    write(project / "d.csv", "text,label\n" + "".join(f"row {i} of words,{i % 2}\n" for i in range(30)))
    done = slmkit(*words)
    assert done.code == 3
    assert what in done.error_lines[0] and fix in done.error_lines[-1]
    assert [path.name for path in project.iterdir()] == ["d.csv"]
