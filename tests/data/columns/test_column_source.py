"""text_column and label_column name a column, several, a template or a path; a wrong name brings a right one."""

import json
import shlex
import unicodedata

import pytest
from data_rows import pairs, rows

from slmkit.cli.arguments import parse
from slmkit.data.find_shape import find_shape
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError


@pytest.mark.parametrize(
    ("values", "words", "expected"),
    [
        ({"a": "x", "b": "y", "c": "z"}, "text_column=[b,a] label_column=c", ("b: y\na: x", "z")),
        ({"a": "x", "b": "y", "c": 7}, "text_column=b label_column=[c,a]", ("y", '{"c": 7, "a": "x"}')),
        ({"a": "x", "b": None, "c": 7}, "text_column=a label_column=[c,b]", ("x", '{"c": 7, "b": null}')),
        ({"a": "x", "b": "y", "c": "z"}, "text_column='{a}: {b}' label_column=c", ("x: y", "z")),
        ({"a": "x", "b": "y", "c": "z"}, "text_column='{a}' label_column=c", ("x", "z")),
        ({"a": "x", "b": "y", "c": "z"}, "text_column='{a}\\n{b}' label_column=c", ("x\ny", "z")),
        ({"a": "x", "b": "", "c": "z"}, "text_column='{a} {b}' label_column=c", ("x", "z")),
        ({"a": "x", "c": "z"}, "text_column='{{a}} {a}' label_column=c", ("{a} x", "z")),
        ({"two words": "x", "c": "z"}, "text_column='Q: {two words}' label_column=c", ("Q: x", "z")),
        ({"{a}": "x", "a": "no", "c": "z"}, "text_column='\"{a}\"' label_column=c", ("x", "z")),
        ({"a.b": "x", "a": {"b": "no"}, "c": "z"}, "text_column=a.b label_column=c", ("x", "z")),
        ({"a": {"b.c": {"d": "x"}}, "c": "z"}, "text_column=a.b.c.d label_column=c", ("x", "z")),
        ({"007": "x", "c": "z"}, "text_column=007 label_column=c", ("x", "z")),
        ({"7": "x", "007": "no", "c": "z"}, "text_column=7 label_column=c", ("x", "z")),
        ({"1.50": "x", "true": "z"}, "text_column=1.50 label_column=true", ("x", "z")),
        ({"0": "x", "1": "z"}, "text_column=0 label_column=1", ("x", "z")),
        ({"turns": ["x", "y"], "c": "z"}, "text_column=turns.1 label_column=c", ("y", "z")),
        ({"turns": ["x", "y"], "c": "z"}, "text_column=turns.-1 label_column=c", ("y", "z")),
        ({"a": "x", "meta": '{"label": "z"}'}, "text_column=a label_column=meta.label", ("x", "z")),
        ({"a": "x", "c": 0}, "text_column=a label_column=c", ("x", "0")),
        ({"a": "x", "c": False}, "text_column=a label_column=c", ("x", "false")),
        ({"a": "x", "c": 7.0}, "text_column=a label_column=c", ("x", "7")),
    ],
)
def test_columns_can_be_named_in_every_way(values, words, expected):
    assert pairs([values], words) == [expected]


@pytest.mark.parametrize(
    ("columns", "words", "named"),
    [
        (("Body", "Question", "Answer"), "text_column='{Bdy} {Question}' label_column=Answer", "'Bdy'"),
        (("Body", "Question", "Answer"), "text_column='[Body, Qestion]' label_column=Answer", "'Qestion'"),
        (("Body", "Question", "Answer"), "text_column=Body,Question label_column=Answer", "'Body,Question'"),
        (("Body", "Question", "Answer"), "text_column=body label_column=Answer", "'body'"),
        (("007", "07", "c"), "text_column=7 label_column=c", "'007' or '07'"),
    ],
)
def test_a_wrong_name_is_answered_with_words_that_work(columns, words, named):
    values = dict.fromkeys(columns, "x")
    with pytest.raises(SlmkitError) as caught:
        pairs([values], words)
    assert named in caught.value.what and ", ".join(columns) in caught.value.what
    better = shlex.split(caught.value.fix.removeprefix("did you mean ").removesuffix("?"))
    others = [word for word in shlex.split(words) if not word.startswith("text_column")]
    assert len(pairs([values], shlex.join([*better, *others]))) == 1


def test_a_wrong_path_is_answered_with_the_right_one():
    values = {"paragraphs": [{"qas": [{"question": "q", "answer": "a"}]}]}
    with pytest.raises(SlmkitError) as caught:
        pairs([values], "text_column=paragraphs.qas.qestion label_column=paragraphs.qas.answer")
    assert caught.value.fix == "did you mean text_column=paragraphs.qas.question?"
    assert "paragraphs.qas.answer" in caught.value.what


@pytest.mark.parametrize("text", ["{question} {answer}", ["question", "answer"], "{answer}"])
def test_a_text_that_contains_its_answer_is_refused(text):
    values = rows({"question": "q", "answer": "a", "id": 1}, {"question": "r", "answer": "b", "id": 2})
    for label in ("answer", ["answer", "id"]):
        with pytest.raises(SlmkitError, match="'answer' is in text_column and in label_column"):
            find_shape(values, text_column=text, label_column=label)
    if text != "{answer}":  # without another column there is no answer to find
        assert find_shape(values, text_column=text).kind == "text"


def test_a_name_is_found_in_either_form_of_unicode():
    decomposed = unicodedata.normalize("NFD", "Réponse")
    assert pairs([{"text": "x", decomposed: "z"}], "text_column=text label_column=Réponse") == [("x", "z")]


@pytest.mark.parametrize("words", ["text_column='{a' label_column=c", "text_column='a}' label_column=c"])
def test_a_brace_without_its_partner_is_refused(words):
    with pytest.raises(SlmkitError, match="without its partner"):
        pairs([{"a": "x", "c": "z"}], words)


def test_a_passage_is_before_its_question_only_in_a_template():
    values = {"context": "long", "question": "q", "answer": "a"}
    assert pairs([values], "text_column=question label_column=answer") == [("q", "a")]
    words = r"text_column='{context}\n\n{question}' label_column=answer"
    assert pairs([values], words) == [("long\n\nq", "a")]
    assert pairs([values], "text_column='{question}' label_column=answer") == [("q", "a")]


def test_gaps_in_a_template_are_counted_and_a_label_with_a_gap_is_dropped(tmp_path):
    values = [{"a": f"x{i}", "b": "" if i < 2 else "y", "c": f"z{i}", "d": None if i == 5 else "w"} for i in range(6)]
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in values))
    notes = []
    found = read_canonical(file, text_column="{a} {b}", label_column="{c}-{d}", on_note=notes.append)
    assert [row.target for row in found.rows] == [f"z{i}-w" for i in range(5)]
    assert [row.reason for row in found.dropped] == ["empty {c}-{d}"]
    assert any("b in 2" in note for note in notes)
    notes.clear()
    found = read_canonical(file, text_column="a", label_column=["b", "c"], on_note=notes.append)
    assert found.rows[0].target == '{"b": null, "c": "z0"}'
    assert not any("left out" in note for note in notes)  # the record holds the empty column as null


def test_one_and_one_point_zero_are_not_two_labels(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,label\n" + "".join(f"text {i},{('1', '1.0')[i % 2]}\n" for i in range(8)))
    with pytest.raises(SlmkitError, match=r"'1' and '1.0'") as caught:
        read_canonical(file)
    word = caught.value.fix.split()[-1]
    assert read_canonical(file, **parse(["prepare", *shlex.split(word)])[1]).labels == ["v1", "v1.0"]
