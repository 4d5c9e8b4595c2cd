"""The synthesize stage: rows are marked, traced and filtered; gold stays out; a killed run does not ask twice."""

import pytest
from project_files import read_jsonl
from ruamel.yaml import YAML

from slmkit.data.synthetic_rows import INSTRUCTIONS
from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare
from slmkit.stages.synthesize import check, synthesize
from slmkit.types import Answer


class RuleSystem:
    """A system that answers by a rule and records its prompts."""

    label = "rule"

    def __init__(self, respond, *, stop_after=None):
        self.respond, self.stop_after, self.asked = respond, stop_after, []

    def __call__(self, task):
        self.instruction = task.instruction
        return self

    def answer(self, examples, *, on_answer=None):
        answers = []
        for example in examples:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(example.input)
            answer = self.respond(example.input)
            values = vars(answer) if isinstance(answer, Answer) else {"text": answer}
            answers.append(Answer(**{**values, "example_id": example.id}))
            if on_answer:
                on_answer(answers[-1])
        return answers


def table(path, count=12):
    lines = [f"when will my parcel number {i} arrive at the house,label_{i % 2}\n" for i in range(count)]
    path.write_text("text,label\n" + "".join(lines))
    return path


def made(tmp_path, say, name="run", **options):
    run = Run(tmp_path / name)
    system = RuleSystem(say)
    synthesize(run, system=system, **options)
    return run, read_jsonl(run.path("data.jsonl")), read_jsonl(run.path("dropped.jsonl")), system


def reworded(prompt):
    return "could you tell me about the delivery of " + prompt.rpartition("parcel ")[2].partition(" arrive")[0]


def test_paraphrases_keep_their_label_and_record_their_provenance(tmp_path):
    run, rows, dropped, system = made(tmp_path, reworded, data=table(tmp_path / "data.csv"))
    assert len(rows) == 12 and not dropped
    assert system.instruction == INSTRUCTIONS["paraphrase"]
    for row in rows:
        line = int(row["provenance"]["seed"].rpartition(":")[2])
        user, assistant = (message["content"] for message in row["messages"])
        assert user == f"could you tell me about the delivery of number {line - 2}"
        assert assistant == f"label_{line % 2}"
        assert row["synthetic"] is True
        assert row["provenance"]["system"] == "rule" and len(row["provenance"]["prompt"]) == 16
    assert run.metrics["num_rows"] == 12 and run.verdict_positive


def test_each_unusable_answer_is_recorded_with_its_reason(tmp_path):
    answers = {
        0: "",
        2: Answer("", "cut of", stopped=False),
        4: Answer("", "", error="too long"),
        6: "When will my parcel number 6, arrive at the house?",
        8: "a new text about letters 8 and 10",
        10: "A new text, about letters 8 and 10!",
        1: "one line\nand another",
        3: "a text that is about a letter",
        5: "parcel 5",
    }
    say = lambda prompt: answers.get(int(prompt.split()[6]), "")  # noqa: E731
    _, rows, dropped, _ = made(tmp_path, say, data=table(tmp_path / "data.csv"))
    assert [row["messages"][0]["content"] for row in rows] == ["a new text about letters 8 and 10"]
    reasons = {row["line"] - 2: row["reason"] for row in dropped}
    assert {i: reasons[i] for i in (0, 2, 4, 6, 10, 1, 3, 5)} == {
        0: "empty answer",
        2: "answer truncated at max_new_tokens",
        4: "no answer",
        6: "near duplicate of its seed",
        10: "duplicate of another row",
        1: "not in the requested format",
        3: "a number of its seed is missing",
        5: "much shorter than its seed",
    }


def test_questions_about_passages_have_answers_from_the_passage(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("The tower of Ulm is 161 metres high.")
    (tmp_path / "docs" / "b.md").write_text("The lake has a surface of 536 square kilometres.")
    (tmp_path / "docs" / "c.md").write_text("The bridge was built in 1894.")

    def ask(prompt):
        if "bridge" in prompt:
            return "When was it built?"
        return f"Question: How much is it?\nAnswer: {'161 metres' if 'tower' in prompt else '900'}"

    run, rows, dropped, _ = made(tmp_path, ask, data=tmp_path / "docs", method="questions")
    assert [row["messages"][1]["content"] for row in rows] == ["161 metres"]
    assert sorted(row["reason"] for row in dropped) == ["answer not in the passage", "not in the requested format"]
    passages = {row["id"]: row["text"] for row in read_jsonl(run.path("documents.jsonl"))}
    assert "tower" in passages[rows[0]["provenance"]["passage"]]


def test_expand_shows_examples_of_one_label_and_no_prompt_is_repeated(tmp_path):
    numbers = iter(range(100))
    data = table(tmp_path / "data.csv")
    say = lambda _: f"word{next(numbers)} is new"  # noqa: E731
    _, rows, _, system = made(tmp_path, say, data=data, method="expand", num_per_row=2)
    assert len(system.asked) == len(set(system.asked)) == len(rows) == 24
    for prompt in system.asked:
        shown = [int(line.split()[6]) for line in prompt.splitlines() if line.startswith("Text:")]
        assert len(shown) == 3 and len({i % 2 for i in shown}) == 1


def test_no_synthetic_row_is_in_gold_and_prepare_counts_them(tmp_path):
    gold = freeze_once(table(tmp_path / "data.csv", 60), folder=tmp_path / "gold" / "mine")
    answers = iter([gold.examples[0].input.upper() + "!", "a text about letters", "a line about parcels"])
    (tmp_path / "few.csv").write_text("text,label\nsay it,label_0\nsay that,label_1\nsay more,label_0\n")
    run, rows, dropped, _ = made(tmp_path, lambda _: next(answers), data=tmp_path / "few.csv", gold=gold.folder,
                                 label_column="label")  # fmt: skip
    assert len(rows) == 2
    assert [row["reason"] for row in dropped] == ["in the gold set"]
    done = Run(tmp_path / "prepared")
    prepare(done, data=run.dir, gold=gold.folder, validation_size=0)
    card = YAML(typ="safe").load(done.path("card.yaml").read_text())
    assert card["synthetic_rows"] == 2


def test_a_killed_run_does_not_ask_twice(tmp_path):
    data = table(tmp_path / "data.csv")
    first = RuleSystem(reworded, stop_after=7)
    with pytest.raises(KeyboardInterrupt):
        synthesize(Run(tmp_path / "run"), data=data, system=first)
    _, rows, _, second = made(tmp_path, reworded, data=data)
    assert len(rows) == 12
    assert len(second.asked) == 5 and not set(first.asked) & set(second.asked)


def test_no_usable_row_is_a_negative_verdict_and_too_many_per_row_are_refused(tmp_path):
    run, _, _, _ = made(tmp_path, lambda _: "", data=table(tmp_path / "data.csv"))
    assert not run.verdict_positive
    with pytest.raises(SlmkitError, match="num_per_row=7") as caught:
        check(system=RuleSystem(reworded), num_per_row=7)
    assert caught.value.where == "with.num_per_row"


def test_the_bundled_model_is_asked_from_the_command_line(slmkit):
    done = slmkit("run", "data/synthesize", "limit=2", "max_new_tokens=24", "--json")
    assert done.code in (0, 2), done.err
    assert done.json["metrics"]["num_asked"] == 2
    assert done.json["verdict"]["text"]
