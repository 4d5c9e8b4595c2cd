"""New examples are added to a gold set under a new hash; other rows are skipped with a reason."""

import pytest

from slmkit.errors import RefusedError, SlmkitError
from slmkit.gold.add import add_to_gold
from slmkit.gold.freeze import freeze_gold, freeze_once
from slmkit.gold.gold_set import read_gold
from slmkit.types import Example, Task


@pytest.fixture
def gold(tmp_path):
    examples = [Example(f"e{i}", f"question {i} about {chr(97 + i) * 5}", ("yes", "no")[i % 2]) for i in range(8)]
    task = Task("mine", "classification", "", ("no", "yes"))
    return freeze_gold(tmp_path / "mine", examples=examples[:6], dev=examples[6:], task=task, source="here")


def rows(tmp_path, *lines):
    path = tmp_path / "new.csv"
    path.write_text("text,label\n" + "".join(f"{line}\n" for line in lines))
    return path


def test_new_examples_are_added_and_duplicates_and_leaks_left_out(tmp_path, gold):
    train = tmp_path / "train.csv"
    train.write_text("text,label\nsomething trained on long ago,yes\nanother thing,no\n")
    new = rows(
        tmp_path, "is it new?,yes", "IS IT NEW,yes", "question 0 about AAAAA,yes", "question 1 about bbbbb,yes",
        "question 7 about hhhhh,no", "something trained on long ago!,yes", "without a label,",
    )  # fmt: skip
    done = add_to_gold(gold.folder, new, data=train)
    assert [example.input for example in done.added] == ["is it new?"]
    assert done.reasons == {
        "empty label": 1, "already in the gold set": 2, "duplicate in this file": 1,
        "in the gold set with a different answer": 1, "in the training data": 1,
    }  # fmt: skip
    again = read_gold(gold.folder)
    assert (len(again.examples), again.card["count"], again.dev) == (7, 7, gold.dev)
    assert again.sha256 != gold.sha256 == again.card["history"][0]["sha256"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "new.csv", "train.csv"]


def test_answers_are_added_as_they_are_frozen(tmp_path):
    def table(name, *lines):
        text = "context,question,answer\n" + "".join(f"{line}\n" for line in lines)
        (tmp_path / name).write_text(text)
        return tmp_path / name

    data = table("data.csv", *(f"Passage {i} is long,What is {chr(97 + i) * 4} in it?,word {i}" for i in range(26)))
    new = [
        "The tower was finished by Eiffel,Who built the tall tower?,Eiffel",
        "The tower was finished by Eiffel,Who built the tall tower?,Gustave Eiffel",
    ]
    given = {"text_column": "question", "label_column": "answer", "passage_column": "context"}
    frozen = freeze_once(data, gold=table("new.csv", *new), folder=tmp_path / "all", **given).examples
    kept = freeze_once(data, folder=tmp_path / "mine", **given)
    assert kept.task.kind == "generation"
    done = add_to_gold(kept.folder, tmp_path / "new.csv")
    assert done.added == frozen and done.left_out == []
    assert done.added[0].aliases == ("Gustave Eiffel",) and done.added[0].relevant


def test_an_unknown_label_or_no_new_example_leaves_the_set_unchanged(tmp_path, gold):
    with pytest.raises(SlmkitError, match="'perhaps'") as caught:
        add_to_gold(gold.folder, rows(tmp_path, "one more,yes", "is it new?,perhaps"))
    assert caught.value.where.endswith("new.csv:3")
    with pytest.raises(RefusedError, match="2 already in the gold set") as refused:
        add_to_gold(gold.folder, rows(tmp_path, "question 0 about aaaaa,yes", "question 1 about bbbbb,no"))
    assert refused.value.where.endswith("new.csv")
    assert read_gold(gold.folder) == gold


def test_freezing_reports_a_single_label_and_unusable_rows(tmp_path):
    data = rows(tmp_path, *(f"question {i} of mine,yes" for i in range(40)), "without one,")
    notes = []
    freeze_once(data, folder=tmp_path / "gold", on_note=notes.append, label_column="label", text_column="text")
    assert any("'yes'" in note for note in notes)
    assert any("1 empty label" in note for note in notes)
