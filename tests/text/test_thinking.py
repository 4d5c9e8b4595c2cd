"""Thinking is separated from the answer by the tags of each family of models, and text without it is untouched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmkit.text.thinking import has_thinking_tags, split_thinking

TAGS = [
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<THINK>", "</THINK>"),
    ("<thought>", "</thought>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis<|message|>", "<|end|><|start|>assistant<|channel|>final<|message|>"),
]


@pytest.mark.parametrize(("first", "last"), TAGS)
def test_thinking_in_tags_is_split_from_the_answer(first, last):
    assert split_thinking(f"\n{first}\nThe barn?\n{last}\n\n the attic") == ("the attic", "The barn?", False)
    assert split_thinking(f"{first}The barn") == ("", "The barn", True)
    assert split_thinking(f"The barn?{last}the attic", opened=True)[0] == "the attic"
    assert has_thinking_tags(first) and has_thinking_tags(last)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think></think>attic", ("attic", "", False)),
        ("<think>a</think>\n<think>b</think>attic", ("attic", "a\n\nb", False)),
        ("<think>a</think><think>b", ("", "a\n\nb", True)),
        ("<think>a</think>attic <think>is a tag", ("attic <think>is a tag", "a", False)),
        ("the tag <think> opens and </think> closes", ("the tag <think> opens and </think> closes", "", False)),
        ("<thinking>a</think>attic", ("", "a</think>attic", True)),
        ("barn?\n</think>\n\nattic", ("attic", "barn?", False)),
        ("barn?</think>\nattic", ("attic", "barn?", False)),
        ("Is </think> the end?\n</think>attic", ("attic", "Is </think> the end?", False)),
        ("The tag </think> ends it.", ("The tag </think> ends it.", "", False)),
        ("It ends with </think>", ("It ends with </think>", "", False)),
        ("  attic \n", ("  attic \n", "", False)),
        ("<thinker>attic", ("<thinker>attic", "", False)),
        ("", ("", "", False)),
    ],
)
def test_only_what_stands_before_the_answer_is_thinking(text, expected):
    assert split_thinking(text) == expected


@given(st.text(alphabet=st.characters(exclude_characters="<>[]◁▷|"), max_size=40))
def test_a_text_without_tags_is_returned_as_it_is(text):
    assert split_thinking(text) == (text, "", False)


@given(st.text(alphabet="ab \n", max_size=20), st.text(alphabet="ab \n", max_size=20), st.sampled_from(TAGS[:6]))
def test_answer_and_thinking_come_back_whole(thinking, answer, tags):
    found = split_thinking(f"{tags[0]}{thinking}{tags[1]}{answer}")
    assert found == (answer.strip(), thinking.strip(), False)
