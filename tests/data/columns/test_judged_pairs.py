"""Two answers and a verdict are a preference pair; ties and unclear verdicts are not."""

import pytest
from data_rows import rows

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape
from slmkit.errors import SlmkitError


def chosen(values):
    """The chosen answers of these rows, "tie" for a tie."""
    read = rows(*values)
    shape = find_shape(read)
    assert shape.kind == "judged"
    found = []
    for row in read:
        try:
            (part,) = parts_of(row, shape)
            found.append(convert(part, shape)[0].target)
        except RowFault as fault:
            assert str(fault) == "a tie: neither answer is preferred"
            found.append("tie")
    return found


def judged(*verdicts, first="output_1", second="output_2", verdict="label"):
    return [{"instruction": "say", first: "yes", second: "no", verdict: one} for one in verdicts]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (judged(1, 2, 0), ["yes", "no", "tie"]),
        (judged("1", "2"), ["yes", "no"]),
        (judged("output_2", "output_1", verdict="winner"), ["no", "yes"]),
        (judged(1, 0, first="response_0", second="response_1", verdict="better_response_id"), ["no", "yes"]),
        (judged("A", "B", "tie", first="answer_a", second="answer_b", verdict="preference"), ["yes", "no", "tie"]),
        (judged("model_b", "tie (bothbad)", first="response_a", second="response_b", verdict="winner"), ["no", "tie"]),
        (
            [{"prompt": "say", "response1": "yes", "response2": "no", "judge1": a, "judge2": b, "judge3": c}
             for a, b, c in ((1, 1, 2), (1, 2, 0), (2, 2, 0), (0, 0, 1), (1, 2, None), (2, None, None))],
            ["yes", "tie", "no", "tie", "tie", "no"],
        ),
    ],
)  # fmt: skip
def test_the_better_answer_is_chosen(values, expected):
    assert chosen(values) == expected


def test_zero_and_one_for_answers_1_and_2_are_refused():
    with pytest.raises(SlmkitError, match="0 and 1") as caught:
        find_shape(rows(*judged(0, 1)))
    assert "output_1 or output_2" in caught.value.fix
    assert chosen(judged("output_1", "output_2")) == ["yes", "no"]


def test_the_prompt_has_the_instruction_and_its_input():
    values = {"instruction": "add", "input": "1, 2", "output_1": "3", "output_2": "4", "label": 1}
    shape = find_shape(rows(values, {**values, "label": 2}))
    (part,) = parts_of(rows(values)[0], shape)
    assert convert(part, shape)[0].values == {
        "prompt": [{"role": "user", "content": "add\n\n1, 2"}],
        "chosen": [{"role": "assistant", "content": "3"}],
        "rejected": [{"role": "assistant", "content": "4"}],
    }


def test_three_answers_are_no_pair():
    values = [{"prompt": "p", "response1": "a", "response2": "b", "response3": "c", "label": i} for i in (1, 2)]
    assert find_shape(rows(*values)).kind != "judged"


@pytest.mark.parametrize("labels", [(1, 2), (0, 1)])
def test_two_texts_with_a_label_are_not_a_judged_pair(labels):
    values = [{"context": "c", "text1": f"a{i}", "text2": f"b{i}", "label": labels[i % 2]} for i in range(8)]
    assert str(find_shape(rows(*values))) == "texts in 'text1' and 'text2', labels in 'label'"
