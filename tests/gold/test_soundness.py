"""The check of a gold set finds each planted fault, with its line, and leaves a sound one alone."""

from dataclasses import replace

import pytest

from slmkit.gold.gold_set import freeze_gold
from slmkit.gold.soundness import gold_check
from slmkit.types import Example, Task

LABELS = ("card", "cash")


def example(i, **changes):
    text = f"where did my order number {i} of last week go to"
    return replace(Example(id=f"e{i}", input=text, target=LABELS[i % 2]), **changes)


def check(tmp_path, examples, dev=(), **options):
    task = Task("mine", "classification", "Answer.", LABELS)
    gold = freeze_gold(tmp_path / "gold", examples=examples, dev=dev, task=task, source="made here")
    return gold_check(gold.folder, **options)


def test_a_sound_set_has_only_notes(tmp_path):
    findings = check(tmp_path, [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)])
    assert {finding.severity for finding in findings} == {"note"}
    assert "20 items can see 37 points" in findings[0].text


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"input": " "}, "schema", "empty input"),
        ({"target": ""}, "schema", "empty target"),
        ({"target": "money"}, "schema", "no label of the card"),
        ({"input": "AAA question 0!", "target": "cash"}, "ambiguous", "different target"),
    ],
)
def test_a_planted_fault_is_an_error_with_its_line(tmp_path, changes, name, words):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)]
    examples[7] = replace(examples[7], **changes)
    error = check(tmp_path, examples)[1]  # after what the set can show
    assert (error.severity, error.check) == ("error", name)
    assert words in error.text


def test_repeats_and_near_repeats_are_warned_of(tmp_path):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)]
    long = "could you tell me where the parcel of last {} went to"
    texts = ["AAA question 0!", long.format("week"), long.format("month")]
    examples += [example(i, input=text) for i, text in zip((20, 22, 23), texts, strict=True)]
    texts = [finding.text for finding in check(tmp_path, examples) if finding.severity == "warning"]
    assert any("repeat another: they count twice" in text for text in texts)
    assert any("almost another's text" in text for text in texts)


def test_labels_that_never_occur_are_warned_of(tmp_path):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}", target="card") for i in range(20)]
    balance = next(finding for finding in check(tmp_path, examples) if finding.check == "balance")
    assert balance.severity == "warning"
    assert "none of cash" in balance.text


def test_leaks_into_data_documents_and_development_are_found(tmp_path):
    examples = [
        example(i, input=f"{chr(97 + i) * 3} question {i} about the house and garden of mine") for i in range(20)
    ]
    (tmp_path / "data.csv").write_text(f"text,label\nsomething else,card\n{examples[3].input.upper()},card\n")
    (tmp_path / "faq.md").write_text(f"Asked often: {examples[5].input}? Yes.\n")
    findings = check(
        tmp_path, examples, dev=[examples[9]], data=tmp_path / "data.csv", documents=tmp_path / "faq.md",
    )  # fmt: skip
    told = next(finding.text for finding in findings if "passages" in finding.text)
    assert "1 passages hold a gold question word for word, 0 of them with its answer" in told
    leaks = {finding.severity: finding for finding in findings if finding.check == "leak"}
    assert "development" in leaks["error"].text
    assert {finding.where.rpartition("/")[2] for finding in findings if finding.check == "leak"} == {
        "dev.jsonl:1", "data.csv:3", "faq.md",
    }  # fmt: skip


def test_shots_seeds_and_rewordings_are_found(tmp_path):
    words = [chr(97 + i) * 4 for i in range(16)]
    rows = [f"where can i buy one {a} and another {b} in town" for a, b in zip(words, reversed(words), strict=True)]
    examples = [example(i, input=text, target="card") for i, text in enumerate(rows)]
    turned = "in town where one iiii and another hhhh can i buy"
    (tmp_path / "shots.csv").write_text(f"text,label\n{rows[2]},card\nmy own question,cash\n")
    (tmp_path / "seeds.csv").write_text(f"text,label\n{turned},card\nsomething else altogether,cash\n")
    found = check(tmp_path, examples, shots=tmp_path / "shots.csv", seeds=tmp_path / "seeds.csv")
    leaks = [(finding.severity, finding.where.rpartition("/")[2]) for finding in found if finding.check == "leak"]
    assert leaks == [("warning", "shots.csv:2"), ("note", "seeds.csv:2")]
    texts = [finding.text for finding in found if finding.check == "leak"]
    assert "1 of 2 few-shot rows stand in gold (1 exact): leave them out" in texts[0]
    assert "1 of 2 other seed rows" in texts[1] and turned in texts[1]
