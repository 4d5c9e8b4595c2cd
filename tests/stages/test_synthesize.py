"""synthesize: new rows are marked, traced and filtered; gold stays out; a killed run asks nothing twice."""

import pytest
from project_files import read_jsonl
from ruamel.yaml import YAML

from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import freeze_on_first_sight
from slmkit.runs.run import Run
from slmkit.stages.prepare import prepare
from slmkit.stages.synthesize import check, synthesize
from slmkit.types import Answer


class Scribe:
    """A system that answers by a rule and remembers what it was asked."""

    label = "scribe"

    def __init__(self, say, *, stop_after=None):
        self.say, self.stop_after, self.asked = say, stop_after, []

    def __call__(self, task):
        self.instruction = task.instruction
        return self

    def answer(self, examples, *, on_answer=None):
        answers = []
        for example in examples:
            if len(self.asked) == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(example.input)
            said = self.say(example.input)
            given = vars(said) if isinstance(said, Answer) else {"text": said}
            answers.append(Answer(**{**given, "example_id": example.id}))
            if on_answer:
                on_answer(answers[-1])
        return answers


def table(path, count=12):
    lines = [f"when will my parcel number {i} arrive at the house,label_{i % 2}\n" for i in range(count)]
    path.write_text("text,label\n" + "".join(lines))
    return path


def made(tmp_path, say, name="run", **options):
    run = Run(tmp_path / name)
    scribe = Scribe(say)
    synthesize(run, system=scribe, **options)
    return run, read_jsonl(run.path("data.jsonl")), read_jsonl(run.path("dropped.jsonl")), scribe


def turned(prompt):
    return "could you tell me about the delivery of " + prompt.rpartition("parcel ")[2].partition(" arrive")[0]


def test_paraphrases_keep_their_label_and_say_where_they_come_from(tmp_path):
    run, rows, dropped, scribe = made(tmp_path, turned, data=table(tmp_path / "data.csv"))
    assert len(rows) == 12 and not dropped
    assert "other words" in scribe.instruction
    for row in rows:
        line = int(row["provenance"]["seed"].rpartition(":")[2])
        user, assistant = (message["content"] for message in row["messages"])
        assert user == f"could you tell me about the delivery of number {line - 2}"
        assert assistant == f"label_{line % 2}"
        assert row["synthetic"] is True
        assert row["provenance"]["system"] == "scribe" and len(row["provenance"]["prompt"]) == 16
    assert run.metrics["num_rows"] == 12 and run.verdict_positive


def test_what_cannot_be_used_is_kept_with_its_reason(tmp_path):
    said = {
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
    say = lambda prompt: said.get(int(prompt.split()[6]), "")  # noqa: E731
    _, rows, dropped, _ = made(tmp_path, say, data=table(tmp_path / "data.csv"))
    assert [row["messages"][0]["content"] for row in rows] == ["a new text about letters 8 and 10"]
    reasons = {row["line"] - 2: row["reason"] for row in dropped}
    assert {i: reasons[i] for i in (0, 2, 4, 6, 10, 1, 3, 5)} == {
        0: "empty answer",
        2: "answer cut at max_new_tokens",
        4: "no answer",
        6: "too near its seed",
        10: "repeats another row",
        1: "not in the form asked for",
        3: "a number of its seed is gone",
        5: "far shorter than its seed",
    }


def test_questions_about_passages_have_answers_that_stand_there(tmp_path):
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
    assert sorted(row["reason"] for row in dropped) == ["answer not in the passage", "not in the form asked for"]
    passages = {row["id"]: row["text"] for row in read_jsonl(run.path("documents.jsonl"))}
    assert "tower" in passages[rows[0]["provenance"]["passage"]]


def test_expand_shows_examples_of_one_label_and_each_style_asks_anew(tmp_path):
    numbers = iter(range(100))
    data = table(tmp_path / "data.csv")
    say = lambda _: f"word{next(numbers)} is new"  # noqa: E731
    _, rows, _, scribe = made(tmp_path, say, data=data, method="expand", num_per_row=2)
    assert len(scribe.asked) == len(set(scribe.asked)) == len(rows) == 24
    for prompt in scribe.asked:
        shown = [int(line.split()[6]) for line in prompt.splitlines() if line.startswith("Text:")]
        assert len(shown) == 3 and len({i % 2 for i in shown}) == 1


def test_no_synthetic_row_stands_in_gold_and_prepare_counts_them(tmp_path):
    gold = freeze_on_first_sight(table(tmp_path / "data.csv", 60), folder=tmp_path / "gold" / "mine")
    said = iter([gold.examples[0].input.upper() + "!", "a text about letters", "a line about parcels"])
    (tmp_path / "few.csv").write_text("text,label\nsay it,label_0\nsay that,label_1\nsay more,label_0\n")
    run, rows, dropped, _ = made(tmp_path, lambda _: next(said), data=tmp_path / "few.csv", gold=gold.folder,
                                 label_column="label")  # fmt: skip
    assert len(rows) == 2
    assert [row["reason"] for row in dropped] == ["in gold"]
    done = Run(tmp_path / "prepared")
    prepare(done, data=run.dir, gold=gold.folder, validation_size=0)
    card = YAML(typ="safe").load(done.path("card.yaml").read_text())
    assert card["synthetic_rows"] == 2


def test_a_killed_run_asks_nothing_twice(tmp_path):
    data = table(tmp_path / "data.csv")
    first = Scribe(turned, stop_after=7)
    with pytest.raises(KeyboardInterrupt):
        synthesize(Run(tmp_path / "run"), data=data, system=first)
    _, rows, _, second = made(tmp_path, turned, data=data)
    assert len(rows) == 12
    assert len(second.asked) == 5 and not set(first.asked) & set(second.asked)


def test_nothing_usable_is_a_negative_verdict_and_wrong_counts_are_refused(tmp_path):
    run, _, _, _ = made(tmp_path, lambda _: "", data=table(tmp_path / "data.csv"))
    assert not run.verdict_positive
    with pytest.raises(SlmkitError, match="num_per_row is 7"):
        check(system=Scribe(turned), num_per_row=7)


def test_the_embedded_model_is_asked_from_the_command_line(slmkit):
    done = slmkit("run", "data/synthesize", "limit=2", "max_new_tokens=24", "--json")
    assert done.code in (0, 2), done.err
    assert done.json["metrics"]["num_asked"] == 2
    assert "synthetic rows of 2 asked for" in done.json["verdict"]["text"]
