"""Chats in every spelling of the field become the same messages, and what cannot be read is named."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert
from slmkit.data.find_shape import find_shape
from slmkit.data.read_canonical import read_canonical
from slmkit.data.reading.read import Row
from slmkit.data.shape import unused_columns

ASKED = {"role": "user", "content": "Is there a kettle?"}
SAID = {"role": "assistant", "content": "Yes, one."}
TOOL = {"name": "find", "description": "finds", "parameters": {"type": "object", "properties": {"item": {}}}}
CALL = {"type": "function", "function": {"name": "find", "arguments": {"item": "kettle"}}}
RESULT = {"role": "tool", "content": '{"n": 1}'}
WHOLE = [ASKED, {"role": "assistant", "content": "", "tool_calls": [CALL]}, RESULT, SAID]


def one(values, file="a.jsonl"):
    """The canonical row made from the values of one row."""
    row = Row(values, Path(file), 1)
    [made] = convert(row, find_shape([row]))
    return made


def fault(values):
    with pytest.raises(RowFault) as caught:
        one(values)
    return str(caught.value)


def api(call, **changes):
    """An assistant turn of OpenAI's, with a call."""
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", **call}], **changes}


@pytest.mark.parametrize("arguments", ['{"item": "kettle"}', {"item": "kettle"}, ' { "item" : "kettle" } '])
def test_arguments_of_a_call_are_an_object_whether_they_were_text_or_not(arguments):
    turn = api({"function": {"name": "find", "arguments": arguments}})
    made = one({"messages": [ASKED, turn, {**RESULT, "tool_call_id": "c1"}, SAID], "tools": [TOOL]})
    assert made.values["messages"][1]["tool_calls"] == [{"id": "c1", **CALL}]
    assert made.values["tools"] == [{"type": "function", "function": TOOL}]


@pytest.mark.parametrize(
    ("row", "messages"),
    [
        pytest.param(
            {"conversations": [{"from": "human", "value": "Is there a kettle?"},
                               {"from": "function_call", "value": '{"name": "find", "arguments": {"item": "kettle"}}'},
                               {"from": "observation", "value": '{"n": 1}'}, {"from": "gpt", "value": "Yes, one."}],
             "tools": json.dumps([TOOL])}, WHOLE, id="LLaMA-Factory's ShareGPT"),
        pytest.param(
            {"messages": [ASKED, {"role": "tool_call", "content": '{"name": "find", "arguments": {"item": "kettle"}}'},
                          {"role": "tool_response", "content": '{"n": 1}'}, SAID],
             "tools": json.dumps([{"type": "function", "function": TOOL}])}, WHOLE, id="ms-swift"),
        pytest.param(
            {"messages": [ASKED, {"role": "assistant", "content": None,
                                  "function_call": {"name": "find", "arguments": '{"item": "kettle"}'}},
                          {"role": "function", "name": "find", "content": '{"n": 1}'}, SAID], "functions": [TOOL]},
            [*WHOLE[:2], {**RESULT, "name": "find"}, SAID], id="OpenAI's functions"),
        pytest.param(
            {"messages": [ASKED, {"role": "assistant",
                                  "tool_calls": [{"name": "find", "parameters": {"item": "kettle"}}]},
                          {"role": "ipython", "content": {"n": 1}}, SAID], "tools": [json.dumps(TOOL)]},
            WHOLE, id="bare calls, a result that is an object"),
    ],
)  # fmt: skip
def test_every_spelling_of_a_call_becomes_the_same_messages(row, messages):
    made = one(row)
    assert made.values["messages"] == messages
    assert made.values["tools"] == [{"type": "function", "function": TOOL}]


def test_calls_made_at_once_are_one_turn():
    calls = [{"role": "tool_call", "content": json.dumps({"name": "find", "arguments": {"item": i}})} for i in "ab"]
    messages = one({"messages": [ASKED, *calls, RESULT, RESULT, SAID], "tools": [TOOL]}).values["messages"]
    assert [call["function"]["arguments"]["item"] for call in messages[1]["tool_calls"]] == ["a", "b"]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "tool", "assistant"]


def test_a_call_is_the_answer_even_if_the_model_says_something_beside_it():
    turn = api({"function": {"name": "find", "arguments": '{"item": "kettle"}'}}, content="Let me see.")
    made = one({"messages": [ASKED, turn], "tools": [TOOL]})
    assert json.loads(made.target) == {"name": "find", "arguments": {"item": "kettle"}}
    assert made.values["messages"][1]["content"] == "Let me see."


def test_keys_that_arrow_has_added_are_no_arguments():
    filled = api({"function": {"name": "find", "arguments": {"item": "kettle", "shop": None}}})
    rows = {"messages": [ASKED, filled], "tools": [{**TOOL, "strict": None}]}
    of = {name: one(rows, name).values for name in ("a.parquet", "a.jsonl")}
    arguments = {name: values["messages"][1]["tool_calls"][0]["function"]["arguments"] for name, values in of.items()}
    assert arguments == {"a.parquet": {"item": "kettle"}, "a.jsonl": {"item": "kettle", "shop": None}}
    assert "strict" not in of["a.parquet"]["tools"][0]["function"]


@pytest.mark.parametrize(
    ("turn", "wrong"),
    [
        (api({"function": {"name": "find", "arguments": '{"item": '}}), "arguments of a tool call that is not JSON"),
        (api({"function": {"name": "find", "arguments": "[1]"}}), "not an object"),
        (api({"function": {"arguments": "{}"}}), "a tool call without a name"),
        ({"role": "function_call", "content": "find a kettle"}, "a tool call that is not JSON"),
        ({"role": "usr", "content": "hi"}, "unknown role 'usr'"),
        ({"content": "hi"}, "a message without a role"),
        ({"role": "assistant", "content": None}, "empty assistant message"),
        ({"role": "assistant", "content": "Yes.", "weight": 0.5}, "weight 0.5 .* only 0 and 1"),
        ({"role": "assistant", "content": "Yes.", "weight": 1, "train": False}, "contradict"),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, "'image_url': only text"),
        ({"role": "user", "content": "see", "images": ["a.png"]}, "images: only text"),
        ({"role": "user", "content": {"question": "hi"}}, "a record instead of text"),
    ],
)
def test_what_cannot_be_read_is_named(turn, wrong):
    assert re.search(wrong, fault({"messages": [ASKED, turn, SAID], "tools": [TOOL]}))


@pytest.mark.parametrize("tools", ["[{", 7, [{"description": "nameless"}], [["find"]]])
def test_tools_that_are_none_are_named(tools):
    assert "tool" in fault({"messages": [ASKED, SAID], "tools": tools})


@pytest.mark.parametrize("tools", ["", "[]", [], None])
def test_a_row_may_offer_no_tools(tools):
    assert "tools" not in one({"messages": [ASKED, SAID], "tools": tools}).values


@pytest.mark.parametrize("mark", [{"weight": 0}, {"weight": 0.0}, {"train": False}, {"loss": False}])
def test_a_turn_that_is_marked_so_has_weight_0(mark):
    bad = {"role": "assistant", "content": "No idea."}
    made = one({"messages": [ASKED, {**bad, **mark}, ASKED, SAID]})
    assert made.values["messages"] == [ASKED, {**bad, "weight": 0}, ASKED, SAID]
    assert all("weight" not in message for message in made.conversation)
    speakers = {"user": "human", "assistant": "gpt"}
    shared = [{"from": speakers[turn["role"]], "value": turn["content"]} for turn in made.values["messages"]]
    shared[1] |= mark
    assert one({"conversations": shared}).values == made.values


def test_marks_that_no_user_turn_can_have_are_counted_and_said(tmp_path):
    for column, marked in (("messages", {**ASKED, "train": True}), ("conversations", {"from": "human", "value": "a"})):
        rows = [{column: [marked | {"weight": 1}, SAID | {"weight": 1}]}, {column: [ASKED | {"weight": 0}, SAID]}] * 2
        path = tmp_path / f"{column}.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
        notes = []
        read_canonical(path, on_note=notes.append)
        [said] = [note for note in notes if "trained on" in note]
        assert said.startswith(
            f"2 turns marked to be trained on that are not the assistant's (first: {path}:1): ignored"
        )


def test_the_target_is_the_last_answer_to_train_on():
    bad = {"role": "assistant", "content": "No idea.", "weight": 0}
    made = one({"messages": [ASKED, SAID, {"role": "user", "content": "Sure?"}, bad]})
    assert (made.input, made.target) == ("Is there a kettle?", "Yes, one.")
    assert fault({"messages": [ASKED, bad]}) == "no answer to train on: all have weight 0"


def test_text_parts_are_read_and_null_content_is_fine_beside_a_call():
    parts = [{"type": "text", "text": "Is there"}, {"type": "input_text", "text": "a kettle?"}]
    made = one({"messages": [{"role": "user", "content": parts}, {"role": "assistant", "content": ["Yes.", "One."]}]})
    assert (made.input, made.target) == ("Is there\na kettle?", "Yes.\nOne.")


def test_a_chat_may_begin_with_a_greeting_have_two_user_turns_and_a_system_turn_in_the_middle():
    hello = {"role": "assistant", "content": "Good day."}
    messages = [
        hello,
        ASKED,
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "Well?"},
        SAID,
    ]
    made = one({"messages": messages})
    assert [message["role"] for message in made.values["messages"]] == [
        "assistant", "user", "system", "user", "assistant",
    ]  # fmt: skip
    assert (made.input, made.target) == ("Well?", "Yes, one.")


def test_an_empty_system_turn_says_nothing_and_a_system_column_is_one():
    empty = {"role": "system", "content": " "}
    assert one({"messages": [empty, ASKED, SAID]}).values["messages"] == [ASKED, SAID]
    for row in (
        {"messages": [ASKED, SAID]},
        {"conversations": [{"from": "human", "value": ASKED["content"]}, {"from": "gpt", "value": SAID["content"]}]},
        {"instruction": ASKED["content"], "output": SAID["content"]},
        {"prompt": ASKED["content"], "completion": SAID["content"]},
    ):
        made = one({**row, "system": "Be brief."})
        assert made.values["messages"] == [{"role": "system", "content": "Be brief."}, ASKED, SAID]


@pytest.mark.parametrize(("output", "target"), [(0, "0"), (4.5, "4.5"), ("0", "0")])
def test_zero_is_an_answer_and_an_input(output, target):
    assert one({"instruction": "How many?", "input": 0, "output": output}).input == "How many?\n\n0"
    assert one({"instruction": "How many?", "input": "", "output": output}).target == target
    assert one({"prompt": "How many?", "completion": output}).target == target


def test_a_value_that_is_none_is_no_answer():
    rows = [Row({"instruction": "How many?", "output": output}, Path("a.jsonl"), 1) for output in (1, float("nan"))]
    with pytest.raises(RowFault, match="empty output"):
        convert(rows[1], find_shape(rows))


def test_history_comes_before_the_question():
    made = one({"instruction": "And two?", "input": "", "output": "2", "history": [["One?", 1]]})
    assert [message["content"] for message in made.values["messages"]] == ["One?", "1", "And two?", "2"]
    assert made.input == "And two?"
    assert fault({"instruction": "a", "output": "b", "history": ["c"]}) == "history is not a list of pairs"


NO = {"role": "assistant", "content": "No."}


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Is there a kettle?", "chosen": "Yes, one.", "rejected": "No."},
        {"prompt": [ASKED], "chosen": [SAID], "rejected": [NO]},
        {"prompt": ASKED, "chosen": SAID, "rejected": NO},
        {"prompt": "Is there a kettle?", "chosen": [ASKED, SAID], "rejected": [ASKED, NO]},  # UltraFeedback
        {"chosen": [ASKED, SAID], "rejected": [ASKED, NO]},
        {"messages": [ASKED, SAID], "chosen": [ASKED, SAID], "rejected": [ASKED, NO]},
        {"input": {"messages": [ASKED]}, "preferred_output": [SAID], "non_preferred_output": [NO]},  # OpenAI
        {"question": "Is there a kettle?", "chosen": "Yes, one.", "rejected": "No."},  # Orca's pairs
        {"conversations": [{"from": "human", "value": "Is there a kettle?"}],
         "chosen": {"from": "gpt", "value": "Yes, one."}, "rejected": {"from": "gpt", "value": "No."}},
    ],
)  # fmt: skip
def test_the_prompt_of_a_pair_is_there_once(row):
    made = one({**row, "system": "Be brief.", "tools": [TOOL]})
    system = {"role": "system", "content": "Be brief."}
    assert made.values == {
        "prompt": [system, ASKED], "chosen": [SAID], "rejected": [NO],
        "tools": [{"type": "function", "function": TOOL}],
    }  # fmt: skip


def test_a_pair_may_compare_calls_and_later_turns():
    history = [ASKED, {"role": "assistant", "content": "Which one?"}, {"role": "user", "content": "The red one."}]
    good, bad = (api({"function": {"name": "find", "arguments": json.dumps({"item": i})}}) for i in ("red", "blue"))
    made = one({"prompt": "The red one.", "chosen": [*history, good], "rejected": [*history, bad], "tools": [TOOL]})
    assert made.values["prompt"] == history
    arguments = [made.values[n][0]["tool_calls"][0]["function"]["arguments"] for n in ("chosen", "rejected")]
    assert arguments == [{"item": "red"}, {"item": "blue"}]


def test_pairs_whose_answers_belong_to_other_prompts_are_refused():
    other = {"role": "user", "content": "Is there a lamp?"}
    row = {"prompt": "Is there a kettle?", "chosen": [other, SAID], "rejected": [other, NO]}
    assert fault(row) == "chosen and rejected do not begin with the prompt"


def test_columns_that_a_chat_does_not_use_are_said():
    row = Row({"messages": [ASKED, SAID], "tools": [TOOL], "parallel_tool_calls": False}, Path("a.jsonl"), 1)
    assert unused_columns([row], find_shape([row])) == ["parallel_tool_calls"]
