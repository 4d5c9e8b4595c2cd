"""Multiple choice: the text lists the options, the answer is the letter of the right one, and no index is guessed."""

import pytest
from data_rows import rows

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape
from slmkit.errors import SlmkitError


def letters(values, **columns):
    """The letters that these rows have as their answers."""
    read = rows(*values)
    shape = find_shape(read, **columns)
    assert shape.kind == "choice"
    return "".join(one.target for row in read for part in parts_of(row, shape) for one in convert(part, shape))


def asked(*answers, options=("red", "green", "blue"), answer="answer", choices="choices"):
    return [{"question": f"q{i}", choices: list(options), answer: one} for i, one in enumerate(answers)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (asked(0, 2, 1), "ACB"),
        (asked(1, 2, 3), "ABC"),
        (asked("0", "2"), "AC"),
        (asked("B", "c", "(A)"), "BCA"),
        (asked("green", "red"), "BA"),
        (asked("C", "A", options=("A", "B", "C")), "CA"),
        (asked(0, 2, answer="label", choices="endings"), "AC"),
        (asked("green", answer="answerKey", choices="options"), "B"),
        ([{"question": "q", "choices": {"text": ["x", "y"], "label": ["1", "2"]}, "answerKey": "2"}], "B"),
        ([{"question": "q", "options": {"A": "x", "B": "y", "C": None}, "answer": "B"}], "B"),
        ([{"question": "q", "choices": "['x', 'y']", "answer": "B"}], "B"),
        ([{"question": "q", "choices": '["x", "y"]', "answer": "B"}], "B"),
        ([{"question": "q", "options": {"A": "x", "B": "y"}, "answer": "y", "answer_idx": "B"}], "B"),
        ([{"sentence": "a _ b", "option1": "x", "option2": "y", "answer": "2"}], "B"),
        ([{"question": "q", "opa": "x", "opb": "y", "opc": "z", "cop": i} for i in (0, 2, 1)], "ACB"),
        ([{"goal": "q", "sol1": "x", "sol2": "y", "label": i} for i in (0, 1)], "AB"),
    ],
)
def test_the_right_option_is_found_however_it_is_named(values, expected):
    assert letters(values) == expected


@pytest.mark.parametrize(
    ("values", "first", "second"),
    [
        (asked(1, 2), "numbers from 0", "numbers from 1"),  # the third option is never right: from which number?
        (asked(2, 2, options=("1", "2", "3")), "texts of options", "numbers from 0"),
    ],
)
def test_answers_that_can_be_read_in_two_ways_are_refused(values, first, second):
    with pytest.raises(SlmkitError) as caught:
        find_shape(rows(*values))
    assert first in caught.value.what and second in caught.value.what
    for row in values:  # the fix
        row["answer"] = "AB"[row["answer"] - 1]
    assert letters(values) in ("AB", "BB")


def test_columns_can_be_named_and_a_template_turns_the_options_off():
    values = [{"stem": f"s{i}", "choices": ["x", "y"], "key": "AB"[i]} for i in (0, 1)]
    assert letters(values, text_column="stem", label_column="key") == "AB"
    assert find_shape(rows(*values), text_column="{stem}", label_column="key").kind == "input_target"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"question": "q", "choices": ["x", "y"], "answer": "E"}, "answer is none of the options"),
        ({"question": "q", "choices": ["x", "y"], "answer": ""}, "empty answer"),
        ({"question": "q", "choices": ["x"], "answer": "A"}, "fewer than two options"),
        ({"question": "", "choices": ["x", "y"], "answer": "A"}, "empty question"),
    ],
)
def test_a_question_without_a_right_option_is_dropped_with_its_reason(values, reason):
    shape = find_shape(rows(*asked(*"ABCABCABCA")))
    with pytest.raises(RowFault, match=reason):
        parts_of(rows(values)[0], shape)


def test_choices_of_a_server_are_no_options():
    values = [
        {"prompt": f"p{i}", "choices": [{"index": 0, "message": {}}, {"index": 1}], "answer": "x"} for i in (0, 1)
    ]
    assert find_shape(rows(*values)).kind == "input_target"


def lettered(answer, **cells):
    return {"question": f"q{answer}", **dict(zip("ABCD", "wxyz", strict=True)), "answer": answer, **cells}


def made(values, shape):
    """The text and the letter of each usable row, and the reasons why others are dropped."""
    found = []
    for row in rows(*values):
        try:
            found += [(one.input, one.target) for part in parts_of(row, shape) for one in convert(part, shape)]
        except RowFault as fault:
            found.append(str(fault))
    return found


def test_an_empty_right_option_is_dropped_and_those_after_it_keep_their_letters():
    values = [*map(lettered, "ABCDABCDAB"), lettered("C", C=""), lettered("D", C="")]
    *_, dropped, kept = made(values, find_shape(rows(*values)))
    assert dropped == "answer is none of the options"
    assert kept == ("qD\n\nA. w\nB. x\nD. z", "D")
    values = [lettered(one, C="") for one in "ABD"]
    assert letters(values) == "ABD"  # also if the column is empty in all rows
    values = [{"question": "q", **{f"option{i}": one for i, one in enumerate(("x", "", "z"), 1)}, "answer": 3}]
    assert letters(values) == "C"


@pytest.mark.parametrize(
    "options", [["x", "", "z"], ["x", None, "z"], {"A": "x", "B": "", "C": "z"}, {"text": ["x", None, "z"]}]
)
def test_an_empty_option_in_a_list_is_no_option(options):
    values = [*asked(*"ABCACACACA"), *asked("B", "C", options=[])]
    for row in values[-2:]:
        row["choices"] = options
    *_, dropped, kept = made(values, find_shape(rows(*values)))
    assert dropped == "answer is none of the options"
    assert kept == ("q1\n\nA. x\nC. z", "C")


@pytest.mark.parametrize("several", [["A", "C"], "A,C", "A and C", '["A", "C"]'])
def test_questions_with_several_right_options_are_dropped_or_refused(several):
    values = asked("A", "B", several)
    assert made(values, find_shape(rows(*values)))[2] == "several right options"
    values = asked(several, several, "A")
    with pytest.raises(SlmkitError, match="2 name several right options") as caught:
        find_shape(rows(*values))
    assert "text_column='{question}' label_column=answer" in caught.value.fix
    assert find_shape(rows(*values), text_column="{question}", label_column="answer").kind != "choice"


def test_many_unusable_answers_do_not_turn_the_options_off():
    values = asked(1, 2, 9, options=("x", "y"))
    assert [one if isinstance(one, str) else one[1] for one in made(values, find_shape(rows(*values)))] == [
        "A",
        "B",
        "answer is none of the options",
    ]
    with pytest.raises(SlmkitError, match="2 none of the options"):
        find_shape(rows(*asked(1, 9, 9, options=("x", "y"))))
    with pytest.raises(SlmkitError, match="numbers from 1 or numbers from 0"):
        find_shape(rows(*asked(0, 1, 2, 3, 3)))
    free = asked("because", "why not", "so", answer="answer")
    assert find_shape(rows(*free)).kind != "choice"
