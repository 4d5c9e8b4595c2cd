"""group_column reaches the gold set: its groups are held out whole, and other sources of gold questions are found."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished, read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.gold.own_gold import freeze_gold_of, with_gold_folders
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare

Slmkit = Callable[..., Finished]
FIRST, SECOND = (
    ("red", "old", "wet", "big", "new", "hot", "dry", "low"),
    ("lamp", "door", "tree", "river", "stone", "salt"),
)
WORDS = [f"{one}{other}" for one in FIRST for other in SECOND]


def write(path: Path, rows: list[dict]) -> Path:
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def texts(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(draw.sample(WORDS, 7)) for _ in range(count)]


def by_user(path: Path) -> Path:
    return write(path, [{"text": t, "label": "ab"[i % 2], "user_id": i // 5} for i, t in enumerate(texts(100))])


def users(data: Path, asked: set[str]) -> set[int]:
    return {row["user_id"] for row in read_jsonl(data) if row["text"] in asked}


def test_gold_takes_whole_groups_and_prepare_keeps_out_the_rest_of_them(tmp_path):
    data = by_user(tmp_path / "a.jsonl")
    notes: list[str] = []
    gold = freeze_once(data, folder=tmp_path / "gold" / "a", group_column="user_id", on_note=notes.append)
    assert gold.card["columns"] == {"group_column": "user_id"}
    assert "whole groups stay together: 4 of 20 groups for gold and 1 for development" in " ".join(notes)
    with open(data, "a") as file:  # later data of a gold user, and user 0, who is a group like the others
        first = min(users(data, {example.input for example in gold.examples}))
        file.write(json.dumps({"text": "something else entirely", "label": "a", "user_id": first}) + "\n")
    run = Run(tmp_path / "run")
    prepare(run, data=data, gold=gold.folder, validation_size=0.2)
    sides = [{e.input for e in gold.examples}, {e.input for e in gold.dev}]
    sides += [
        {row["messages"][-2]["content"] for row in read_jsonl(run.path(f"{n}.jsonl"))} for n in ("train", "validation")
    ]
    of = [users(data, side) for side in sides]
    assert sum(map(len, of)) == len(set().union(*of)) == 20
    assert [row["line"] for row in read_jsonl(run.path("dropped.jsonl")) if row["reason"] == "in a gold group"] == [
        101
    ]


def test_a_set_chosen_row_by_row_is_not_used_for_groups(tmp_path):
    data = by_user(tmp_path / "a.jsonl")
    freeze_once(data, folder=tmp_path / "gold" / "a")
    with pytest.raises(SlmkitError, match="chosen row by row, so groups of 'user_id' are in it"):
        freeze_once(data, folder=tmp_path / "gold" / "a", group_column="user_id")


def test_group_column_is_a_key_of_gold_freeze(slmkit: Slmkit, project: Path) -> None:
    by_user(project / "a.jsonl")
    assert (
        slmkit("gold", "freeze", "data=a.jsonl", "group_column=user").error_lines[2].endswith("group_column=user_id?")
    )
    assert slmkit("gold", "freeze", "data=a.jsonl", "group_column=user_id", "--json").json["examples"] == 20


def test_one_large_group_gives_at_most_the_size_and_one_group_none(tmp_path):
    rows = [{"text": t, "label": "ab"[i % 2], "user": i % 2} for i, t in enumerate(texts(60))]
    gold = freeze_once(write(tmp_path / "a.jsonl", rows), folder=tmp_path / "gold" / "a", group_column="user")
    assert len(gold.examples) == 12 and not gold.dev  # of one of two users
    assert len(gold.apart) == 1


@pytest.mark.parametrize(
    "row", [{"chosen": "b", "rejected": "c"}, {"completion": "b", "label": True}], ids=["pairs", "judged"]
)
def test_preference_rows_take_the_questions_of_a_file(tmp_path, row):
    data = write(tmp_path / "pref.jsonl", [{"prompt": text, **row} for text in texts(30)])
    asked = write(tmp_path / "asked.jsonl", [{"question": text, "answer": "x"} for text in texts(25, seed=1)])
    with pytest.raises(SlmkitError, match="not questions with one correct answer"):
        freeze_once(data, folder=tmp_path / "gold" / "none")
    notes: list[str] = []
    gold = freeze_once(data, gold=asked, folder=tmp_path / "gold" / "pref", on_note=notes.append)
    assert (len(gold.examples), gold.dev) == (25, [])
    assert "none for development: the training rows are not questions with one correct answer" in notes[-1]


def test_an_unlabelled_test_file_is_refused_and_the_fix_uses_the_validation_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, name in enumerate(("train", "dev")):
        write(Path("d") / f"{name}.jsonl", [{"text": t, "label": "ab"[i % 2]} for i, t in enumerate(texts(40, seed))])
    write(Path("d/test.jsonl"), [{"text": text} for text in texts(20, seed=2)])
    with pytest.raises(SlmkitError, match=r"test\.jsonl: no answers, plain text in 'text'") as caught:
        freeze_gold_of({"data": "d"})
    assert caught.value.fix.endswith("gold=d/dev.jsonl uses the validation split")
    freeze_gold_of({"data": "d", "gold": "d/dev.jsonl"})
    assert freeze_gold_of({"data": "d"})["gold"] == "gold/d"


def test_a_gold_set_may_have_the_name_of_the_folder_of_its_data(project):
    write(project / "proj/train.jsonl", [{"text": t, "label": "ab"[i % 2]} for i, t in enumerate(texts(40))])
    freeze_gold_of({"data": "proj"})
    assert with_gold_folders({"gold": "proj", "more_gold": ["proj"]}) == {
        "gold": "gold/proj",
        "more_gold": ["gold/proj"],
    }


def test_labels_in_several_spellings_are_said_when_they_are_frozen(tmp_path):
    rows = [{"text": t, "label": ["refund", "Refund", "other"][i % 3]} for i, t in enumerate(texts(60))]
    notes: list[str] = []
    freeze_once(write(tmp_path / "a.jsonl", rows), folder=tmp_path / "gold" / "a", on_note=notes.append)
    assert any("differ only in case or whitespace: 'refund' × 20, 'Refund' × 20" in note for note in notes)


def test_rows_that_ask_few_questions_are_not_called_too_few_rows(tmp_path):
    rows = [{"question": ["who?", "when?"][i % 2], "answer": "a"} for i in range(30)]
    with pytest.raises(SlmkitError, match="30 usable rows ask only 2 different questions"):
        freeze_once(write(tmp_path / "a.jsonl", rows), folder=tmp_path / "gold" / "a", allow_loss=True)


def test_examples_that_are_added_keep_their_groups_out_of_training_too(tmp_path):
    from slmkit.gold.add import add_to_gold

    data = by_user(tmp_path / "a.jsonl")
    gold = freeze_once(data, folder=tmp_path / "gold" / "a", group_column="user_id")
    new = write(tmp_path / "new.jsonl", [{"text": "a question that nobody asked yet", "label": "a", "user_id": 99}])
    added = add_to_gold(gold.folder, new).gold
    assert len(added.apart - gold.apart) == 1
