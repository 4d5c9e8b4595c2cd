"""The check of a gold set finds each planted fault with its line, and has only notes about a sound set."""

from dataclasses import replace

import pytest

from slmkit.data.cleaning.clean_rows import drop_gold
from slmkit.data.read_canonical import read_canonical
from slmkit.gold.freeze import freeze_gold
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


def test_one_example_is_said_in_the_singular(tmp_path):
    several = [example(i) for i in range(8)]
    found = check(tmp_path, [*several, example(8, input=several[0].input, target=several[0].target)])
    assert any(finding.text.startswith("1 example the same as another") for finding in found)


def test_a_sound_set_has_only_notes(tmp_path):
    findings = check(tmp_path, [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)])
    assert {finding.severity for finding in findings} == {"note"}
    assert findings[0].check == "power"
    assert {"20", "37"} <= set(findings[0].text.split())  # 20 examples can detect a difference of 37 points


@pytest.mark.parametrize(
    ("changes", "check_name", "text"),
    [
        ({"input": " "}, "schema", "input"),
        ({"target": ""}, "schema", "empty target"),
        ({"target": "money"}, "schema", "label"),
        ({"input": "aaa question 0", "target": "cash"}, "ambiguous", "'aaa question 0' -> 'cash'"),
    ],
)
def test_a_planted_fault_is_an_error_with_its_line(tmp_path, changes, check_name, text):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)]
    examples[7] = replace(examples[7], **changes)
    error = check(tmp_path, examples)[1]  # the power comes first
    assert (error.severity, error.check) == ("error", check_name)
    assert text in error.text
    assert "examples.jsonl:8" in error.where


def test_duplicates_and_near_duplicates_are_warnings(tmp_path):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}") for i in range(20)]
    long = "could you tell me where the parcel of last {} went to"
    texts = ["aaa question 0", long.format("week"), long.format("month"), "CCC question 2!"]
    examples += [example(i, input=text) for i, text in zip((20, 22, 23, 24), texts, strict=True)]
    found = {(finding.severity, finding.check): finding.text for finding in check(tmp_path, examples)}
    assert "'aaa question 0'" in found["warning", "duplicates"]
    assert "last month" in found["warning", "ambiguous"]
    assert "'CCC question 2!'" in found["note", "duplicates"]


def test_labels_that_never_occur_are_warnings(tmp_path):
    examples = [example(i, input=f"{chr(97 + i) * 3} question {i}", target="card") for i in range(20)]
    balance = next(finding for finding in check(tmp_path, examples) if finding.check == "balance")
    assert balance.severity == "warning"
    assert "cash" in balance.text


def test_leaks_into_data_documents_and_the_dev_set_are_found(tmp_path):
    examples = [
        example(i, input=f"{chr(97 + i) * 3} question {i} about the house and garden of mine") for i in range(20)
    ]
    (tmp_path / "data.csv").write_text(f"text,label\nsomething else,card\n{examples[3].input.upper()},card\n")
    (tmp_path / "faq.md").write_text(f"Asked often: {examples[5].input}? Yes.\n")
    findings = check(
        tmp_path, examples, dev=[examples[9]], data=tmp_path / "data.csv", documents=tmp_path / "faq.md",
    )  # fmt: skip
    leaks = {f.where.rpartition("/")[2]: (f.severity, f.text) for f in findings if f.check == "leak"}
    assert set(leaks) == {"dev.jsonl:1", "data.csv:3", "faq.md"}
    assert leaks["dev.jsonl:1"][0] == "error"
    severity, text = leaks["faq.md"]
    assert severity == "warning"
    assert text.startswith("1 of 20 gold questions is in 1 of 1 passage") and ", 0 of them" in text


def test_short_questions_are_found_as_headings_and_sentences_and_shorter_ones_are_said_to_be_left_out(tmp_path):
    texts = ["What is the fee?", "How do I pay?", "Where are you?", "Is it open today?", "Why?", "Who is the owner?"]
    examples = [example(i, input=text, target=f"answer {i}") for i, text in enumerate(texts)]
    lines = ["# Fees", "## What is the fee?", "answer 0", "**How do I pay**", "Q: Where are you?",
             "Ask away. Is it open today? Yes, answer 3.", "We know who is the owner of it."]  # fmt: skip
    (tmp_path / "faq.md").write_text("\n\n".join(lines))
    (text,) = [one.text for one in check(tmp_path, examples, documents=tmp_path / "faq.md") if one.check == "leak"]
    assert text.startswith("4 of 6 gold questions are in 1 of 1 passage word by word, 2 of them with the answer")
    assert "1 of 6 questions has fewer than 3 words" in text
    other = tmp_path / "other"
    other.mkdir()
    (other / "faq.md").write_text("Nothing of the kind.\n")
    (text,) = [one.text for one in check(other, examples, documents=other / "faq.md") if one.check == "leak"]
    assert text.startswith("no gold question occurs in the 1 passage (1 of 6")


def test_what_check_counts_is_what_prepare_drops_and_reports(tmp_path):
    asked = "how do i open a second savings account for my daughter"
    rows = {
        f"hello {asked}": "new", f"{asked} thanks": "newer", asked.replace("for my", "to my"): "newest",
        asked.replace("savings", "current"): "other", "tell me a joke": "why not",
    }  # fmt: skip
    examples = [
        example(0, input=asked, target="new one"),
        *(example(i, input=f"{chr(96 + i) * 4} {i}") for i in (1, 2)),
    ]
    data = tmp_path / "data.csv"
    data.write_text("question,answer\n" + "".join(f"{text},{answer}\n" for text, answer in rows.items()))
    notes: list[str] = []
    dropped = drop_gold(read_canonical(data).rows, examples, on_note=notes.append).dropped
    found = [one.text for one in check(tmp_path, examples, data=data) if one.check == "leak"]
    assert len(dropped) == 3 and found[0].startswith("3 of 5 training rows overlap the gold set (3 near)")
    assert notes[0].startswith("1 row differs from a gold question in a word")
    assert found[1] == notes[0].replace("1 row ", "1 of 5 training rows ", 1)


def test_leaks_into_shots_and_seeds_and_reordered_questions_are_found(tmp_path):
    words = [chr(97 + i) * 4 for i in range(16)]
    rows = [f"where can i buy one {a} and another {b} in town" for a, b in zip(words, reversed(words), strict=True)]
    examples = [example(i, input=text, target="card") for i, text in enumerate(rows)]
    reordered = "in town where one iiii and another hhhh can i buy"
    (tmp_path / "shots.csv").write_text(f"text,label\n{rows[2]},card\nmy own question,cash\n")
    (tmp_path / "seeds.csv").write_text(f"text,label\n{reordered},card\nsomething else altogether,cash\n")
    found = check(tmp_path, examples, shots=tmp_path / "shots.csv", seeds=tmp_path / "seeds.csv")
    leaks = [(finding.severity, finding.where.rpartition("/")[2]) for finding in found if finding.check == "leak"]
    assert leaks == [("warning", "shots.csv:2"), ("note", "seeds.csv:2")]
    texts = [finding.text for finding in found if finding.check == "leak"]
    assert texts[0].startswith("1 of 2 few-shot rows") and "(1 exact)" in texts[0]
    assert texts[1].startswith("1 of 2 other seed rows") and reordered in texts[1]
