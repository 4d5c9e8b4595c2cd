"""A validation split of the data is the development set: validation rows of prepare, and dev questions of the gold."""

import json

import pytest
from project_files import read_jsonl

from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare

FRUITS = ["apple", "pear", "fig", "plum", "kiwi", "lime", "nut", "date", "oat", "rye", "corn", "rice"]


def rows_of(split, count=12):
    return [{"text": f"{split} asks how {fruit} grows", "label": f"label_{i % 3}"} for i, fruit in enumerate(FRUITS)][
        :count
    ]


def folder(path, *splits):
    path.mkdir()
    for split in splits:
        lines = [f"{row['text']},{row['label']}\n" for row in rows_of(split)]
        (path / f"{split}.csv").write_text("text,label\n" + "".join(lines))
    return path


def one_file(path, *splits):
    rows = [{**row, "split": split} for split in splits for row in rows_of(split)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def prepared(tmp_path, data, **options):
    run = Run(tmp_path / f"run{len(list(tmp_path.glob('run*')))}")
    prepare(run, data=data, **options)
    tables = {name: read_jsonl(run.path(f"{name}.jsonl")) for name in ("train", "validation", "dropped")}
    tables["notes"] = [row["text"] for row in read_jsonl(run.path("notes.jsonl"))]
    return tables


def asked(rows):
    return {row["messages"][-2]["content"] for row in rows}


@pytest.mark.parametrize("is_folder", [True, False])
def test_the_validation_split_is_used_and_said(tmp_path, is_folder):
    splits = ("train", "validation", "test")
    data = folder(tmp_path / "d", *splits) if is_folder else one_file(tmp_path / "d.jsonl", *splits)
    notes = []
    gold = freeze_once(data, folder=tmp_path / "gold" / "d", on_note=notes.append)
    assert {example.input for example in gold.examples} == {row["text"] for row in rows_of("test")}
    dev = {example.input for example in gold.dev}
    assert len(dev) == 6
    assert "the validation split gave 6 questions for development; prepare uses its other rows" in notes
    tables = prepared(tmp_path, data, gold=gold.folder)
    assert "validation rows: 6 of 12 rows of the validation split (6 in the gold set)" in tables["notes"]
    assert asked(tables["train"]) == {row["text"] for row in rows_of("train")}
    assert asked(tables["validation"]) == {row["text"] for row in rows_of("validation")} - dev


def test_a_validation_split_without_a_test_split_is_the_gold_set(tmp_path):
    data = folder(tmp_path / "d", "train", "validation")
    assert asked(prepared(tmp_path, data)["validation"]) == {row["text"] for row in rows_of("validation")}
    gold = freeze_once(data, folder=tmp_path / "gold" / "d")
    assert {example.input for example in gold.examples} == {row["text"] for row in rows_of("validation")}
    tables = prepared(tmp_path, data, gold=gold.folder)
    [dev] = gold.dev
    assert asked(tables["train"]) | asked(tables["validation"]) | {dev.input} == {
        row["text"] for row in rows_of("train")
    }
    assert not any("validation split" in note for note in tables["notes"])


def test_training_rows_that_ask_a_validation_question_are_dropped_whatever_they_answer(tmp_path):
    data = folder(tmp_path / "d", "train", "validation", "test")
    with open(data / "train.csv", "a") as file:
        file.write("validation asks how fig grows,label_0\n")
    tables = prepared(tmp_path, data, steps=[])
    assert [row["reason"] for row in tables["dropped"]] == ["in the validation split"]
    assert len(tables["validation"]) == 12


def test_without_validation_rows_wanted_the_split_is_not_read(tmp_path):
    tables = prepared(tmp_path, folder(tmp_path / "d", "train", "validation", "test"), validation_size=0)
    assert (len(tables["train"]), len(tables["validation"])) == (12, 0)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("question,answer\na,b\n", "'text'"),
        ("text,label\na,\n", "empty in every row"),
        ("prompt,completion\na long text,another\n", "unlike the training rows"),
    ],
)
def test_a_validation_split_that_cannot_be_used_is_said(tmp_path, content, why):
    data = folder(tmp_path / "d", "train", "test")
    (data / "validation.csv").write_text(content)
    columns = {"text_column": "text", "label_column": "label"} if why == "'text'" else {}
    tables = prepared(tmp_path, data, **columns)
    assert asked(tables["train"]) | asked(tables["validation"]) == {row["text"] for row in rows_of("train")}
    assert any("validation split is not used" in note and why in note for note in tables["notes"])


def test_a_test_split_without_a_usable_question_is_what_the_error_is_about(tmp_path):
    data = folder(tmp_path / "d", "train")
    (data / "test.csv").write_text("text,label\nsame,label_1\nsame,label_2\n")
    with pytest.raises(SlmkitError) as caught:
        freeze_once(data, folder=tmp_path / "gold" / "d", allow_loss=True)
    assert caught.value.what == "no usable question for evaluation: 2 ambiguous"
    assert caught.value.where.endswith("test.csv")


@pytest.mark.parametrize("separator", ["\n\n", "\n", " "])
def test_the_end_of_a_single_document_is_its_validation_row(tmp_path, separator):
    parts = [
        f"Part {i} says that the {fruit} grows in the garden behind our old house." for i, fruit in enumerate(FRUITS)
    ]
    parts = [part.replace("Part", f"Chapter {n} part") for n in range(3) for part in parts]
    (tmp_path / "a.txt").write_text(separator.join(parts))
    tables = prepared(tmp_path, tmp_path / "a.txt", text_as="text")
    [train], [validation] = tables["train"], tables["validation"]
    assert train["text"] + separator + validation["text"] == separator.join(parts)
    num_words = len(validation["text"].split())
    assert 0.1 <= num_words / len(separator.join(parts).split()) < 0.15
    assert f"the text is one document, so its last {num_words} words are the validation row" in tables["notes"]


def test_a_document_too_short_to_cut_is_said(tmp_path):
    (tmp_path / "a.txt").write_text("Some words to continue.")
    tables = prepared(tmp_path, tmp_path / "a.txt", text_as="text")
    assert (len(tables["train"]), len(tables["validation"])) == (1, 0)
    assert any("no validation rows: the text is one document of 4 words" in note for note in tables["notes"])


def test_a_group_that_holds_all_rows_leaves_none_for_validation_which_is_said(tmp_path):
    lines = [f"{row['text']},{row['label']},me\n" for row in rows_of("train")]
    (tmp_path / "a.csv").write_text("text,label,author\n" + "".join(lines))
    tables = prepared(tmp_path, tmp_path / "a.csv", group_column="author")
    assert len(tables["train"]) == 12
    assert any(note.startswith("no validation rows: all rows belong to one group") for note in tables["notes"])


def test_conversations_cut_at_several_turns_stay_on_one_side(tmp_path):
    def turns(*texts):
        return [{"role": ("user", "assistant")[i % 2], "content": text} for i, text in enumerate(texts)]

    words = ["pear", "plum", "fig", "lime", "kiwi", "date"]
    chats = [(f"may I plant {w} in {m}", "yes", f"and when is {w} of {m} ripe", m) for w in words for m in words]
    rows = [{"messages": turns(*chat[:n])} for chat in chats for n in (2, 4)]
    data = tmp_path / "a.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    tables = prepared(tmp_path, data, steps=[], validation_size=0.3)
    firsts = [{row["messages"][0]["content"] for row in tables[side]} for side in ("train", "validation")]
    assert not firsts[0] & firsts[1] and firsts[1]
    data.write_text("".join(json.dumps({"messages": turns("hello", "hi", *chat[2:])}) + "\n" for chat in chats))
    assert prepared(tmp_path, data, steps=[], validation_size=0.3)["validation"]  # though all begin alike
