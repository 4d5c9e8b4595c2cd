"""Tables of passages, questions and answers: read as SQuAD is, with whole passages on one side of every split."""

import json
from pathlib import Path

import pytest
from project_files import read_jsonl

from slmkit.data.documents import passage_id
from slmkit.data.read_canonical import read_canonical
from slmkit.gold.choose import Groups, choose
from slmkit.gold.freeze import freeze_once
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare
from slmkit.types import Example

TOWNS = ["Aalen", "Bonn", "Celle", "Dresden", "Emden", "Fulda", "Gera", "Hanau", "Ilmenau", "Jena", "Kiel", "Lahr"]
ASKED = (
    "Which river runs through {}?", "How old is the bridge of {}?",
    "Who leads the choir in {}?", "What is sold in {}?",
)  # fmt: skip


def passage(town):
    return (
        f"{town} lies on the {town[:2]}ra. The bridge of {town} is {ord(town[0])} years old and carries trams. "
        f"Ms {town[:3]}mann leads the choir. On Mondays the market sells {town.lower()} cheese."
    )


def asked(town):
    answers = (f"{town[:2]}ra", f"{ord(town[0])} years", f"Ms {town[:3]}mann", f"{town.lower()} cheese")
    return [(question.format(town), answer) for question, answer in zip(ASKED, answers, strict=True)]


def table(path: Path) -> Path:
    rows = [{"context": passage(t), "question": q, "answer": a} for t in TOWNS for q, a in asked(t)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def squad(path: Path) -> Path:
    paragraphs = [
        {"context": passage(t), "qas": [{"question": q, "answers": [{"text": a}]} for q, a in asked(t)]} for t in TOWNS
    ]
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}))
    return path


def prepared(folder, **keys):
    run = Run(folder)
    prepare(run, **keys)
    names = ("train", "validation", "documents", "dropped", "notes")
    return {name: read_jsonl(run.path(f"{name}.jsonl")) for name in names}


def passages_of(rows):
    towns = {row["messages"][-2]["content"].split()[-1].rstrip("?") for row in rows}
    return {passage_id(passage(town)) for town in towns}


def test_a_table_and_squad_give_the_same_rows_and_the_same_gold_set(tmp_path):
    notes = []
    by_table = read_canonical(table(tmp_path / "a.jsonl"), on_note=notes.append)
    by_squad = read_canonical(squad(tmp_path / "b.json"))
    assert [(r.input, r.target, r.passage) for r in by_table.rows] == [
        (r.input, r.target, r.passage) for r in by_squad.rows
    ]
    assert r"(text_column='{context}\n\n{question}' puts them before the questions)" in notes[0]
    one, other = (freeze_once(tmp_path / name, folder=tmp_path / "gold" / name) for name in ("a.jsonl", "b.json"))
    assert one.sha256 == other.sha256
    assert all(example.relevant for example in one.examples)


@pytest.mark.parametrize("text", [None, "{context}\n\n{question}"])
def test_no_passage_is_on_two_sides(tmp_path, text):
    data, notes = table(tmp_path / "a.jsonl"), []
    gold = freeze_once(data, folder=tmp_path / "gold" / "a", text_column=text, on_note=notes.append)
    assert len(gold.examples) == 8 and gold.dev  # of 48 rows, in whole passages of four
    assert "whole passages stay together: 2 of 12 passages for gold and 1 for development" in " ".join(notes)
    done = prepared(tmp_path / "run", data=data, gold=gold.folder, validation_size=0.2)
    of_gold = [
        {passage_id(passage(e.input.split()[-1].rstrip("?"))) for e in part} for part in (gold.examples, gold.dev)
    ]
    sides = [*of_gold, passages_of(done["train"]), passages_of(done["validation"])]
    assert sum(map(len, sides)) == len(set().union(*sides)) == 12
    if text is None:
        assert len(done["train"]) + len(done["validation"]) == 36
        assert not [row for row in done["dropped"] if "near" in row["reason"]]
        assert of_gold[0] <= {row["id"] for row in done["documents"]}


def test_other_rows_about_a_gold_passage_are_dropped_and_counted(tmp_path):
    data = table(tmp_path / "a.jsonl")
    gold = freeze_once(data, folder=tmp_path / "gold" / "a")
    town = gold.examples[0].input.split()[-1].rstrip("?")
    with open(data, "a") as file:
        late = {"context": passage(town), "question": f"When did anybody last repaint {town}?", "answer": "Mondays"}
        file.write(json.dumps(late) + "\n")
    done = prepared(tmp_path / "run", data=data, gold=gold.folder)
    assert [row["line"] for row in done["dropped"] if row["reason"] == "about a gold passage"] == [49]
    assert passage_id(passage(town)) in {row["id"] for row in done["documents"]}
    kept = prepared(tmp_path / "kept", data=data, gold=gold.folder, leaks="keep")
    assert not kept["dropped"]


def test_passages_that_the_user_put_into_the_test_file_are_not_taken_from_the_training_rows(tmp_path):
    data, given = table(tmp_path / "a.jsonl"), tmp_path / "test.jsonl"
    rows = [
        {"context": passage(town), "question": f"What can be bought in {town} on Mondays?", "answer": "x"}
        for town in TOWNS
    ]
    given.write_text("".join(json.dumps(row) + "\n" for row in rows))
    gold = freeze_once(data, gold=given, folder=tmp_path / "gold" / "a")
    done = prepared(tmp_path / "run", data=data, gold=gold.folder)
    assert not [row for row in done["dropped"] if row["reason"] == "about a gold passage"]


def test_short_answers_from_passages_set_the_instruction_and_the_metric(tmp_path):
    gold = freeze_once(table(tmp_path / "a.jsonl"), folder=tmp_path / "gold" / "a")
    assert gold.task.instruction == "Answer the question in a few words."
    assert gold.card["metric"] == "exact_match"
    own = tmp_path / "own.jsonl"  # answers in words of their own
    own.write_text(
        "".join(
            json.dumps({"context": passage(t), "question": q, "answer": f"One says it is {i}, they say."}) + "\n"
            for i, (t, (q, _)) in enumerate((t, pair) for t in TOWNS for pair in asked(t))
        )
    )
    assert freeze_once(own, folder=tmp_path / "gold" / "own").task.instruction == ""


def test_a_question_about_many_passages_keeps_its_passage():
    """ "What is it about?" is no question without its passage."""
    from slmkit.data.find_shape import find_shape
    from slmkit.data.reading.read import Row

    values = [{"context": passage(t), "question": "What is it about?", "answer": t} for t in TOWNS]
    rows = [Row(value, Path("a.jsonl"), i) for i, value in enumerate(values, 1)]
    assert find_shape(rows).kind == "passage_question"


def test_whole_groups_are_chosen_up_to_the_size():
    examples = [Example(f"{group}{i}", f"question {group}{i}", "a") for group in "abcdefgh" for i in range(5)]
    groups = Groups({example.id: example.id[0] for example in examples}, are_whole=True)
    chosen = choose(examples, 17, groups)
    assert len(chosen) == 15 and len({example.id[0] for example in chosen}) == 3
