"""Preference rows in the forms of TRL are read and tokenized as TRL does, tool calls and folded system turns too."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

import slmkit
from slmkit.errors import SlmkitError
from slmkit.rows.answer_ids import answer_columns, longest_answer
from slmkit.rows.preference_rows import one_class, read_judged, read_pairs

NANO = Path(slmkit.__file__).parent / "assets" / "nano"
GEMMA = (  # refuses a system turn
    "{{ bos_token }}{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOLED = (
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}"
    "{% for c in m.tool_calls or [] %}{{ c.function | tojson }}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
SYSTEM = {"role": "system", "content": "Be brief."}
ASKED = {"role": "user", "content": "which?"}
RED, BLUE = ({"role": "assistant", "content": word} for word in ("red", "blue"))


@pytest.fixture(scope="module")
def nano():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


def file_of(folder, *rows):
    path = folder / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_pairs_of_texts_messages_and_whole_chats_are_tokenized_as_trl_does(tmp_path, nano):
    from trl.data_utils import apply_chat_template

    path = file_of(
        tmp_path,
        {"prompt": "which?", "chosen": "red", "rejected": "blue"},
        {"prompt": [ASKED], "chosen": [RED], "rejected": [BLUE]},
        {"chosen": [ASKED, RED], "rejected": [ASKED, BLUE]},
        {"prompt": "which?", "chosen": [ASKED, RED], "rejected": [ASKED, BLUE]},
    )
    first, *others = answer_columns(nano, read_pairs(path))
    assert others == [first] * 3
    texts = apply_chat_template({"prompt": [ASKED], "chosen": [RED], "rejected": [BLUE]}, nano)
    for name in ("chosen", "rejected"):
        whole = nano(texts["prompt"] + texts[name], add_special_tokens=False)["input_ids"]
        assert [*first["prompt_ids"], *first[f"{name}_ids"]] == whole
    assert first["prompt_ids"] == nano(texts["prompt"], add_special_tokens=False)["input_ids"]
    answers = [first["chosen_ids"], first["rejected_ids"]]
    assert longest_answer(first) == len(first["prompt_ids"]) + max(map(len, answers))


def test_system_turns_of_pairs_are_folded_for_a_template_that_refuses_them(tmp_path, nano):
    made = copy.deepcopy(nano)
    made.chat_template = GEMMA
    rows = read_pairs(file_of(tmp_path, {"prompt": [SYSTEM, ASKED], "chosen": [RED], "rejected": [BLUE]}))
    [columns] = answer_columns(made, rows)
    asked = made.decode(columns["prompt_ids"]).replace(" ", "")
    assert asked == "<|bos|><|user|>Bebrief.\n\nwhich?<|end|><|assistant|>"
    assert made.decode(columns["chosen_ids"]).strip() == "red<|end|>"


def test_tools_and_calls_of_pairs_are_rendered_and_refused_with_the_row_if_they_cannot_be(tmp_path, nano):
    made = copy.deepcopy(nano)
    made.chat_template = TOOLED
    red, blue = (
        {"role": "assistant", "content": None, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "pick", "arguments": json.dumps(arguments)}}]}
        for arguments in ({"colour": "red"}, {"hue": "blue", "sure": True})
    )  # fmt: skip
    row = {"id": "a", "prompt": [ASKED], "chosen": [red], "rejected": [blue], "tools": json.dumps([{"name": "pick"}])}
    rows = read_pairs(file_of(tmp_path, row))
    [columns] = answer_columns(made, rows)
    assert "pick" in made.decode(columns["prompt_ids"])
    said = [made.decode(columns[name]).replace(" ", "") for name in ("chosen_ids", "rejected_ids")]
    assert said == [
        '{"name":"pick","arguments":{"colour":"red"}}<|end|>',
        '{"name":"pick","arguments":{"hue":"blue","sure":true}}<|end|>',
    ]
    with pytest.raises(SlmkitError, match="does not render tools") as refused:
        answer_columns(nano, rows)
    assert refused.value.where == "train.jsonl:1 (row a)"


def test_judged_answers_and_both_answers_of_a_pair_are_read(tmp_path, nano):
    path = file_of(
        tmp_path,
        {"prompt": [ASKED], "completion": [RED], "label": True},
        {"prompt": "which?", "completion": 7, "label": False},
        {"prompt": "which?", "chosen": "red", "rejected": "blue"},
    )
    columns = answer_columns(nano, read_judged(path))
    assert [row["label"] for row in columns] == [True, False, True, False]
    assert [nano.decode(row["completion_ids"]).strip() for row in columns] == [
        "red<|end|>",
        "7<|end|>",
        "red<|end|>",
        "blue<|end|>",
    ]


@pytest.mark.parametrize(
    ("row", "wrong"),
    [
        ({"prompt": "a", "completion": "b"}, "no label"),
        ({"prompt": "a", "completion": "b", "label": "good"}, "no label"),
        ({"completion": "b", "label": True}, "no prompt"),
        ({"prompt": "a", "completion": [{"role": "usr", "content": "b"}], "label": True}, "unknown role 'usr'"),
        ({"prompt": "a", "completion": "b", "label": True, "images": ["c.png"]}, "images"),
    ],
)
def test_a_broken_judged_row_is_reported_with_its_line(tmp_path, row, wrong):
    with pytest.raises(SlmkitError, match=wrong) as error:
        read_judged(file_of(tmp_path, row))
    assert error.value.where == "train.jsonl:1"


def test_one_class_is_said_and_two_are_not():
    assert "3 rows with label true" in one_class([True] * 3)
    assert one_class([True, False]) == one_class([]) == ""


def test_transcripts_are_read_as_in_prepare(tmp_path):
    said = "\n\nHuman: which?\n\nAssistant: "
    (pair,) = read_pairs(file_of(tmp_path, {"chosen": f"{said}red", "rejected": f"{said}blue"}))
    assert (pair.prompt, pair.answers) == ([ASKED], {"chosen": [RED], "rejected": [BLUE]})
