"""A gold set is frozen once, chosen by hash, without duplicates; a changed set or another source is refused."""

import json

import pytest
from ruamel.yaml import YAML

from slmkit.errors import FailedError, RefusedError, SlmkitError
from slmkit.gold.diff import gold_diff
from slmkit.gold.freeze import freeze_gold, freeze_once
from slmkit.gold.gold_set import read_examples, read_gold
from slmkit.types import Example, Task


def table(path, count=100, start=0):
    lines = [f"question about thing {i},label_{i % 4}" for i in range(start, start + count)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def freeze(tmp_path, data, **options):
    return freeze_once(data, folder=tmp_path / "gold" / "mine", **options)


def test_a_fifth_of_the_rows_is_frozen_with_a_card(tmp_path):
    gold = freeze(tmp_path, table(tmp_path / "train.csv"))
    assert (len(gold.examples), len(gold.dev)) == (20, 8)
    assert not {e.input for e in gold.examples} & {e.input for e in gold.dev}
    card = YAML(typ="safe").load((gold.folder / "card.yaml").read_text())
    assert card["labels"] == ["label_0", "label_1", "label_2", "label_3"]
    assert (card["kind"], card["count"], card["source"]) == ("classification", 20, "../train.csv")
    assert gold.task.instruction


def test_the_frozen_set_is_read_again_after_the_data_has_grown(tmp_path):
    data = table(tmp_path / "train.csv")
    first = freeze(tmp_path, data)
    table(data, 300)
    assert freeze(tmp_path, data) == first


def test_all_rows_of_a_given_file_become_gold(tmp_path):
    gold = freeze(tmp_path, table(tmp_path / "train.csv"), gold=table(tmp_path / "test.csv", 50, start=100))
    assert len(gold.examples) == 50
    assert len(gold.dev) == 10
    inputs = [example.input for example in gold.examples]
    assert inputs != sorted(inputs)  # in the order of hashes: the first n are a random sample


def test_the_test_file_of_a_folder_becomes_gold(tmp_path):
    folder = tmp_path / "set"
    folder.mkdir()
    table(folder / "train.csv")
    table(folder / "test.csv", 30, start=100)
    assert len(freeze(tmp_path, folder).examples) == 30


def test_the_test_rows_of_one_file_become_gold_and_its_training_rows_do_not(tmp_path):
    parts = {"train": 60, "validation": 10, "test": 25}
    rows = {part: [{"text": f"{part} {i} of it", "label": f"l{i % 3}"} for i in range(n)] for part, n in parts.items()}
    (tmp_path / "all.json").write_text(json.dumps(rows))
    notes = []
    gold = freeze_once(tmp_path / "all.json", folder=tmp_path / "gold", on_note=notes.append)
    assert {example.input.split()[0] for example in gold.examples} == {"test"} and len(gold.examples) == 25
    assert {example.input.split()[0] for example in gold.dev} == {"validation"} and len(gold.dev) == 5
    assert any("train 60" in note and "test 25" in note for note in notes)


def test_a_frozen_folder_is_used_unchanged(tmp_path):
    data = table(tmp_path / "train.csv")
    gold = freeze(tmp_path, data)
    again = freeze_once(data, gold=gold.folder, folder=tmp_path / "unused")
    assert again == gold
    assert not (tmp_path / "unused").exists()


def test_duplicates_and_ambiguous_texts_are_removed_and_counted(tmp_path):
    test = tmp_path / "test.csv"
    test.write_text("text,label\none thing,a\nOne thing!,a\ntwo things,a\ntwo things,b\nthree,b\nThree,c\n")
    gold = freeze(tmp_path, table(tmp_path / "train.csv"), gold=test)
    assert sorted(e.input for e in gold.examples) == ["Three", "one thing", "three"]
    assert gold.card["removed"] == {"duplicate": 1, "ambiguous": 2}


def test_without_labels_all_answers_to_a_text_are_correct(tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"input": f"q {i // 2}", "target": f"answer {i}"}) + "\n" for i in range(60)))
    example = freeze(tmp_path, data).examples[0]
    number = int(example.input.split()[1])
    assert (example.target, example.aliases) == (f"answer {number * 2}", (f"answer {number * 2 + 1}",))


def test_a_changed_example_is_refused(tmp_path):
    gold = freeze(tmp_path, table(tmp_path / "train.csv"))
    path = gold.folder / "examples.jsonl"
    path.write_text(path.read_text().replace("label_1", "label_2", 1))
    with pytest.raises(RefusedError, match=gold.sha256[:12]) as caught:
        read_gold(gold.folder)
    assert caught.value.exit_code == 4
    assert caught.value.where == str(path)


def test_another_source_is_refused(tmp_path):
    freeze(tmp_path, table(tmp_path / "train.csv"))
    with pytest.raises(SlmkitError, match=r"train\.csv.*other\.csv"):
        freeze(tmp_path, table(tmp_path / "other.csv", 80))


def test_a_moved_source_is_recognised_by_its_content(tmp_path):
    data = table(tmp_path / "train.csv")
    first = freeze(tmp_path, data)
    assert freeze(tmp_path, data.rename(tmp_path / "moved.csv")) == first


def test_too_few_rows_are_refused(tmp_path):
    with pytest.raises(SlmkitError, match="12") as caught:
        freeze(tmp_path, table(tmp_path / "train.csv", 12))
    assert caught.value.where.endswith("train.csv")


def test_a_failed_write_leaves_no_gold_behind(tmp_path):
    data = table(tmp_path / "train.csv")
    (tmp_path / "gold").write_text("a file where the folder should go")
    with pytest.raises(FailedError):
        freeze(tmp_path, data)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gold", "train.csv"]


def test_documents_become_questions_marked_as_synthetic(tmp_path):
    folder = tmp_path / "docs"
    folder.mkdir()
    for i in range(40):
        (folder / f"{i}.md").write_text(
            f"# Page {i}\n\nThe tower number {i} was finished by the builders in {1800 + i}.\n"
        )
    gold = freeze(tmp_path, folder)
    assert gold.card["synthetic"] is True
    assert "____" in gold.examples[0].input
    assert gold.examples[0].target.isdigit()
    assert gold.examples[0].relevant


def test_the_shared_sets_freeze(tmp_path, shared_data):
    banking = shared_data / "banking77"
    gold = freeze(tmp_path, banking / "train.csv", gold=banking / "test.csv")
    assert len(gold.examples) == 3079  # one of 3,080 is a duplicate
    assert len(gold.task.labels) == 77
    snips = freeze_once(shared_data / "snips", folder=tmp_path / "snips")
    assert snips.task.kind == "extraction"
    assert json.loads(snips.examples[0].target)["slots"]


def test_a_diff_lists_added_removed_and_differently_answered_examples(tmp_path):
    task = Task("mine")
    old = [Example(f"e{i}", f"question {i}?", f"answer {i}") for i in range(5)]
    new = [*old[1:3], Example("x", "question 3?", "another"), Example("y", "new question", "new")]
    named = {"a": old, "b": new}
    sets = [freeze_gold(tmp_path / name, examples=named[name], task=task, source="x") for name in named]
    diff = gold_diff(*sets)
    assert [example.input for example in diff.added] == ["new question"]
    assert [example.id for example in diff.removed] == ["e0", "e4"]
    assert [(a.target, b.target) for a, b in diff.answered] == [("answer 3", "another")]
    assert diff.same == 2
    assert "2 the same, 1 added, 2 removed, 1 with" in str(diff)
    assert "5 examples" in str(gold_diff(sets[0], sets[0]))


def test_two_examples_with_the_same_id_are_refused_when_frozen_and_when_read(tmp_path):
    twice = [Example("a", "one?", "1"), Example("a", "two?", "2")]
    with pytest.raises(SlmkitError, match="'a'"):
        freeze_gold(tmp_path / "gold" / "mine", examples=twice, task=Task("mine"), source="made by this test")
    assert not (tmp_path / "gold" / "mine").exists()
    path = tmp_path / "examples.jsonl"
    path.write_text("".join(json.dumps(one.to_dict()) + "\n" for one in twice))
    with pytest.raises(SlmkitError, match="'a'") as caught:
        read_examples(path)
    assert caught.value.where == f"{path}:2"


def test_columns_that_give_other_questions_than_the_frozen_ones_are_refused(tmp_path):
    rows = [{"text": f"question {i}?", "label": f"label_{i % 4}", "answer": f"answer {i}"} for i in range(60)]
    data = tmp_path / "mine.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gold = freeze(tmp_path, data)
    assert gold.card["read_as"] == "texts in 'text', labels in 'label'"
    assert freeze(tmp_path, data, label_column="label") == gold
    with pytest.raises(SlmkitError, match="inputs in 'text', answers in 'answer'") as caught:
        freeze(tmp_path, data, label_column="answer")
    assert "slmkit gold freeze" in caught.value.fix


def test_a_file_instead_of_a_gold_set_is_refused_with_the_command_to_freeze_it(tmp_path):
    with pytest.raises(SlmkitError) as caught:
        read_gold(table(tmp_path / "test.csv"))
    assert "gold freeze" in caught.value.fix


def test_a_set_that_another_process_froze_first_is_kept(tmp_path):
    from slmkit.gold.freeze import _write

    gold = freeze(tmp_path, table(tmp_path / "train.csv"))
    with pytest.raises(RefusedError) as caught:
        _write(gold.folder, {"card.yaml": "name: another"})
    assert caught.value.where == str(gold.folder)
    assert read_gold(gold.folder) == gold
    assert [path.name for path in gold.folder.parent.iterdir()] == [gold.folder.name]
