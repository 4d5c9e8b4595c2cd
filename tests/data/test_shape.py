"""The shape of a file is found from its columns, or refused with the columns and the parameter to set."""

import random
from copy import deepcopy
from pathlib import Path

import pytest

from slmkit.data.canonical_row import RowFault
from slmkit.data.convert import convert, parts_of
from slmkit.data.find_shape import find_shape
from slmkit.data.reading.read import Row
from slmkit.data.shape import Shape, unused_columns
from slmkit.errors import SlmkitError


def rows(*values, file="a.jsonl"):
    return [Row(value, Path(file), line) for line, value in enumerate(values, 1)]


def one(values, **columns):
    """The first canonical row made from the values."""
    return all_of([values], **columns)[0]


def all_of(values, **columns):
    """The canonical rows made from these values."""
    read = rows(*values)
    shape = find_shape(read, **columns)
    return [made for row in read for part in parts_of(row, shape) for made in convert(part, shape)]


TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"messages": TURNS}, "messages"),
        ({"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}]}, "sharegpt"),
        ({"prompt": "hi", "completion": "ho"}, "prompt_completion"),
        ({"instruction": "hi", "input": "", "output": "ho"}, "alpaca"),
        ({"instruction": "hi", "instances": [{"input": "", "output": "ho"}]}, "alpaca"),
        ({"text": "hi", "label": "ho"}, "classification"),
        ({"sentence": "hi", "evidence_label": "ho"}, "classification"),
        ({"question": "hi", "answer": "ho"}, "input_target"),
        ({"input": "hi", "target": "ho"}, "input_target"),
        ({"id": 7, "mr": "hi", "ref": "ho"}, "input_target"),
        ({"question": "hi", "reply": "ho"}, "input_target"),
    ],
)
def test_a_question_and_its_answer_are_found_in_each_shape(values, kind):
    row = rows(values)
    shape = find_shape(row)
    assert shape.kind == kind
    (found,) = convert(row[0], shape)
    assert found.values["messages"] == TURNS
    assert (found.input, found.target) == ("hi", "ho")


def test_named_columns_override_usual_names():
    found = one({"text": "a", "label": "b", "subject": "hi", "team": "ho"}, text_column="subject", label_column="team")
    assert found.values["messages"] == TURNS


def test_a_column_of_a_few_repeated_values_is_the_label():
    table = rows(*({"v1": "ham" if i % 3 else "spam", "v2": f"message {i}"} for i in range(30)), file="a.csv")
    shape = find_shape(table)
    assert (shape.kind, shape.columns) == ("classification", {"text": "v2", "label": "v1"})
    assert str(shape) == "texts in 'v2', labels in 'v1'"


def test_a_label_column_that_never_repeats_is_an_answer():
    table = rows(*({"text": f"question {i}", "label": f"answer {i}"} for i in range(30)))
    assert find_shape(table).kind == "input_target"


@pytest.mark.parametrize(
    ("values", "options", "found", "fix"),
    [
        ({"text": "a"}, {}, "'text'", "label_column"),
        ({"text": "a", "categry": "b", "extra": "c"}, {}, "'text'", "categry"),
        ({"first": "a", "second": "b"}, {}, "", "text_column=NAME label_column=NAME"),
        ({"text": "a", "kwargs": [{}]}, {}, "'text'", "text_as=text"),
        ({"label": "x", "turns": ["a", "b"]}, {}, "'turns'", "messages"),
        ({"v1": "a", "v2": "b", "label": "c"}, {}, "'label'", "text_column"),
        ({"text": "a", "label": "b"}, {"label_column": "labels"}, "'labels'", "label_column=label?"),
        ({"text": "a", "label": "b"}, {"text_column": "zzz"}, "'zzz'", "text_column="),
    ],
)
def test_an_unclear_table_is_refused_with_its_columns(values, options, found, fix):
    with pytest.raises(SlmkitError) as caught:
        find_shape(rows(values, file="a.csv"), **options)
    assert found in caught.value.what
    assert caught.value.what.endswith(", ".join(values))
    assert fix in caught.value.fix
    assert caught.value.where == "a.csv:1"


def test_the_error_for_sentences_as_column_names_mentions_the_header():
    with pytest.raises(SlmkitError) as caught:
        find_shape(rows({"I like it.": "so bad", "good": "bad"}, file="a.csv"))
    assert "header" in caught.value.fix


def test_a_text_without_an_answer_column_is_plain_text_if_no_answers_are_needed():
    assert find_shape(rows({"prompt": "a", "kwargs": [{}]}), needs_answers=False).kind == "text"
    assert find_shape(rows({"prompt": "a", "label": "x"}), needs_answers=False).kind != "text"


def test_a_list_is_not_a_text():
    with pytest.raises(RowFault, match=r"turns .* list"):
        convert(
            rows({"turns": ["a", "b"], "label": "x"})[0], Shape("input_target", {"text": "turns", "label": "label"})
        )


def test_preference_pairs_share_their_prompt():
    prompt = "\n\nHuman: hi\n\nAssistant: "
    found = one({"chosen": prompt + "ho", "rejected": prompt + "no"})
    assert found.values == {
        "prompt": [{"role": "user", "content": "hi"}],
        "chosen": [{"role": "assistant", "content": "ho"}],
        "rejected": [{"role": "assistant", "content": "no"}],
    }


def test_kto_rows_keep_their_label():
    found = one({"prompt": "hi", "completion": "ho", "label": False})
    assert found.values == {"prompt": [TURNS[0]], "completion": [TURNS[1]], "label": False}


def test_slots_become_json_with_the_intent():
    row = {"section": "Play", "data": [{"text": "play "}, {"text": "Yo Ho", "entity": "track"}, {"text": " "},
                                       {"text": "Ho", "entity": "track"}]}  # fmt: skip
    found = one(row)
    assert found.input == "play Yo Ho Ho"
    assert found.target == '{"intent": "Play", "slots": {"track": ["Yo Ho", "Ho"]}}'


def test_squad_questions_keep_their_passage_and_other_answers():
    answers = [{"text": "1889"}, {"text": "in 1889"}, {"text": "1889"}]
    found = one({"paragraphs": [{"context": "Built in 1889.", "qas": [{"question": "When?", "answers": answers}]}]})
    assert (found.input, found.target, found.aliases, found.passage) == (
        "When?",
        "1889",
        ("in 1889",),
        "Built in 1889.",
    )


def test_the_passage_of_a_question_is_a_document_and_the_context_of_an_instruction_is_input():
    found = one({"context": "Built in 1889.", "question": "When?", "answer": "1889"})
    assert (found.input, found.passage) == ("When?", "Built in 1889.")
    found = one({"context": "Built in 1889.", "instruction": "Shorten this.", "response": "1889"})
    assert (found.input, found.passage) == ("Built in 1889.\n\nShorten this.", "")


def test_sharegpt_function_calls_become_tool_calls():
    turns = [
        {"from": "human", "value": "weather?"},
        {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Ulm"}}'},
        {"from": "observation", "value": "rain"},
        {"from": "gpt", "value": "It rains."},
    ]
    messages = one({"conversations": turns, "tools": "[]"}).values["messages"]
    assert messages[1]["tool_calls"][0]["function"] == {"name": "weather", "arguments": {"city": "Ulm"}}
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]


def test_several_correct_answers_are_kept_as_aliases():
    found = one({"question": "who", "answer": ["Scott", "Russell"]})
    assert (found.target, found.aliases) == ("Scott", ("Russell",))


def test_answer_lists_that_repeat_are_not_labels():
    asked = [{"question": f"is {i} even?", "answers": [["no", "nope"], ["yes", "yeah"]][i % 2]} for i in range(12)]
    shape = find_shape(rows(*asked))
    assert shape.kind == "input_target"
    assert convert(rows(asked[0])[0], shape)[0].aliases == ("nope",)


@pytest.mark.parametrize(
    ("column", "given", "expected"),
    [
        ("answer", None, ("x", ("y",))),
        ("answers", None, ("x", ("y",))),
        ("ideal", None, ("x", ("y",))),
        ("output", None, ('["x", "y"]', ())),
        ("response", None, ('["x", "y"]', ())),
        ("labels", None, ('["x", "y"]', ())),
        ("answer", "list", ('["x", "y"]', ())),
        ("output", "alternatives", ("x", ("y",))),
    ],
)
def test_a_list_is_one_answer_or_alternatives_by_its_column_or_as_given(column, given, expected):
    values = [{"question": "who", column: ["x", "y"]}]
    shape = find_shape(rows(*values), answers_are=given)
    assert (shape.answers_are, shape.kind) == ("alternatives" if expected[1] else "list", "input_target")
    assert "(each list is one answer, as JSON)" in str(shape) or "alternative right answers" in shape.notes[0]
    (found,) = all_of(values, answers_are=given)
    assert (found.target, found.aliases) == expected


def test_lists_of_numbers_are_alternatives_too():
    found = one({"question": "how many", "answers": [3, 3.0, "three"]})
    assert (found.target, found.aliases) == ("3", ("three",))


def test_a_list_that_is_stored_as_text_is_said():
    values = [{"question": f"who {i}", "answer": "['Scott', 'Russell']"} for i in range(3)]
    assert find_shape(rows(*values)).notes == (
        "the lists in 'answer' are text, label_column=answer.* reads their items",
    )
    found = all_of(values, label_column="answer.*")[0]
    assert (found.target, found.aliases) == ("Scott", ("Russell",))


def test_other_right_answers_may_have_a_column_of_their_own():
    found = one({"question": "who", "answer": "Scott", "aliases": ["Walter Scott", "Scott"]})
    assert (found.target, found.aliases) == ("Scott", ("Walter Scott",))
    found = one({"question": "who", "answer": {"value": "Scott", "aliases": ["Sir Walter"], "type": "x"}})
    assert (found.target, found.aliases) == ("Scott", ("Sir Walter",))


@pytest.mark.parametrize("label", [True, False, 1, 0, "True", "false", 1.0])
def test_kto_labels_are_read_in_every_form(label):
    found = one({"prompt": "hi", "completion": "ho", "label": label})
    assert found.values["label"] is (str(label).lower() in ("true", "1", "1.0"))


@pytest.mark.parametrize(
    ("good", "bad"),
    [("good", "bad"), ("Yes", "no"), ("up", "down"), (1, -1), ("1.0", "-1.0"), ("thumbs_up", "thumbs_down"),
     ("desirable", "undesirable")],
)  # fmt: skip
def test_kto_labels_may_be_words_for_good_and_bad(good, bad):
    found = all_of([{"prompt": f"p{i}", "completion": "ho", "label": one} for i, one in enumerate((bad, good, bad))])
    assert [one.values["label"] for one in found] == [False, True, False]


def test_two_other_values_beside_a_completion_are_refused_and_the_fix_reads_the_pairs():
    judged = [{"prompt": f"p{i}", "completion": "ho", "label": one} for i, one in enumerate(("fine", "poor", "fine"))]
    with pytest.raises(SlmkitError, match="'fine' or 'poor'") as caught:
        find_shape(rows(*judged))
    assert "text_column=prompt label_column=completion" in caught.value.fix
    assert len(all_of(judged, text_column="prompt", label_column="completion")) == 3
    many = [{**row, "label": topic} for row, topic in zip(judged, ("law", "art", "sport"), strict=True)]
    assert find_shape(rows(*many)).kind == "prompt_completion"
    (neutral,) = rows({"prompt": "p", "completion": "ho", "label": 0})
    shape = find_shape([*rows({**judged[0], "label": 1}, {**judged[0], "label": -1}), neutral])
    with pytest.raises(RowFault, match="not true or false"):
        convert(parts_of(neutral, shape)[0], shape)


@pytest.mark.parametrize("missing", [float("nan"), None, "", []])
def test_a_missing_answer_is_no_label(missing):
    shape = find_shape(rows(*({"text": f"t{i}", "label": "ab"[i % 2]} for i in range(8))))
    with pytest.raises(RowFault, match="empty label"):
        convert(rows({"text": "t", "label": missing})[0], shape)


@pytest.mark.parametrize(("label", "target"), [(0, "0"), (False, "false"), (2.0, "2"), (2.5, "2.5"), (0.0, "0")])
def test_numbers_and_booleans_are_labels(label, target):
    assert one({"text": "t", "label": label}).target == target


def test_unanswered_questions_about_a_passage_are_faults_of_their_own():
    qas = [{"question": "When?", "answers": []}, {"question": "Where?", "answers": [{"text": "Ulm"}]}]
    read = rows({"paragraphs": [{"context": "Ulm.", "qas": qas}]})
    shape = find_shape(read)
    unanswered, answered = parts_of(read[0], shape)
    assert convert(answered, shape)[0].target == "Ulm"
    with pytest.raises(RowFault, match="question without an answer"):
        convert(unanswered, shape)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"text": "a", "label": ""}, "empty label"),
        ({"text": "  ", "label": "b"}, "empty text"),
        ({"text": "a"}, "no label"),
        ({"text": "a", "label": ["b", "c"]}, "label"),
        ({"messages": [TURNS[0]]}, "assistant"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role"),
        ({"messages": [TURNS[0], {"role": "assistant", "content": " "}]}, "empty assistant"),
        ({"chosen": "same", "rejected": "same"}, "prompt"),
        ({"prompt": "p", "chosen": "same", "rejected": "same"}, "chosen .* rejected"),
    ],
)
def test_an_unusable_row_has_a_reason(values, reason):
    good = {"messages": {"messages": TURNS}, "text": {"text": "a", "label": "b"}}
    shape = find_shape(rows(*(good[key] for key in good if key in values), *([] if "text" in values else [values])))
    with pytest.raises(RowFault, match=reason):
        convert(rows(values)[0], shape)


def test_a_row_of_random_content_is_converted_or_a_fault():
    good = [
        {"messages": TURNS, "tools": []},
        {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "ho"}], "system": "x"},
        {"prompt": "hi", "completion": "ho", "label": True},
        {"instruction": "a", "input": "b", "output": "c", "history": [["x", "y"]]},
        {"instruction": "a", "instances": [{"input": "", "output": "c"}]},
        {"section": "P", "data": [{"text": "a "}, {"text": "b", "entity": "c"}]},
        {"paragraphs": [{"context": "c", "qas": [{"question": "q", "answers": [{"text": "a"}]}]}]},
        {"question": "q", "answers": {"text": ["a"], "answer_start": [1]}},
        {"prompt": TURNS[:1], "chosen": TURNS[1:], "rejected": [{"role": "assistant", "content": "no"}]},
    ]
    junk = [None, 1, "", "x", [], {}, [1], [[]], [None], [{}], [{"role": "user"}], [{"from": "human"}], [["a"]]]
    rng = random.Random(0)
    outcomes = set()
    for _ in range(5000):
        values = rng.choice(good)
        shape = find_shape(rows(values))
        try:
            for part in parts_of(rows(corrupted(values, junk, rng))[0], shape):
                outcomes.add(bool(convert(part, shape)))
        except RowFault:
            outcomes.add("fault")
    assert outcomes == {True, "fault"}


def corrupted(values, junk, rng):
    """The values with something inside them replaced or removed."""
    values = deepcopy(values)
    holder = values
    while True:
        key = rng.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or rng.random() < 0.3:
            break
        holder = inner
    if isinstance(holder, dict) and rng.random() < 0.3:
        del holder[key]
    else:
        holder[key] = deepcopy(rng.choice(junk))
    return values


def test_the_type_of_a_column_is_that_of_most_values():
    mixed = [{"question": f"where is {i}?", "label": {"a": 1} if i < 3 else f"kind {i % 3}"} for i in range(60)]
    assert find_shape(rows(*mixed)).kind == "classification"


def test_a_column_cannot_be_both_text_and_label():
    with pytest.raises(SlmkitError, match="'label'"):
        find_shape(rows({"text": "a", "label": "b"}), text_column="label", label_column="label")


def test_json_objects_are_answers_but_metadata_is_not():
    shape = find_shape(
        rows({"text": "to Oslo", "json": {"city": "Oslo"}}, {"text": "to Rome", "json": {"city": "Rome"}})
    )
    assert str(shape) == "inputs in 'text', answers in 'json'"
    assert (
        str(find_shape(rows({"text": "to Oslo", "metadata": {"page": 1}}))) == "plain text in 'text', without answers"
    )


def test_turns_keep_the_passage_and_what_is_said_of_named_columns():
    values = {"question": ["who?", "when?"], "answer": ["Ann", "1889"], "doc": "Ann came in 1889."}
    values["page"] = {"doc": values["doc"]}
    named = {"text_column": "question", "label_column": "answer", "passage_column": "doc"}
    assert str(find_shape(rows(values), **named)).endswith("the answers in 'answer', passages in 'doc'")
    for passage in ({}, {"passage_column": "page.doc"}, {"passage_column": "{doc}"}):
        made = one(values, **named | passage)
        assert (made.input, made.target, made.passage) == ("when?", "1889", "Ann came in 1889.")


def test_a_passage_is_not_the_text():
    values = {"asked": "who?", "said": "Ann", "doc": "Ann came in 1889."}
    assert one(values, label_column="said", passage_column="doc").input == "who?"


def test_a_column_named_tools_is_read_only_if_it_lists_tools():
    asked = {"question": "what is in the box?", "answer": "tools"}
    plain, tools = {**asked, "tools": "hammer, saw"}, {**asked, "tools": '[{"name": "find"}]'}
    assert "tools" not in one(plain).values
    assert unused_columns(rows(plain), find_shape(rows(plain))) == ["tools"]
    assert one(tools).values["tools"] == [{"type": "function", "function": {"name": "find"}}]
    assert unused_columns(rows(tools), find_shape(rows(tools))) == []
