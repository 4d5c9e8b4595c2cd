"""Which tokens are in the loss, checked against the template's marks, prefix rendering and planted faults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import slmkit
from slmkit.errors import RefusedError, SlmkitError
from slmkit.rows.loss_mask import IGNORED, Chat, label_chats, read_chats

NANO = Path(slmkit.__file__).parent / "assets" / "nano"
TURNS = [
    {"role": "system", "content": "answer in one word."},
    {"role": "user", "content": "say oak."},
    {"role": "assistant", "content": "oak"},
    {"role": "user", "content": "say elm."},
    {"role": "assistant", "content": "elm"},
]
CHATML = (
    "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<|end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@pytest.fixture
def tokenizer():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


def trained_text(tokenizer, row):
    """The tokens with loss, as text."""
    return tokenizer.decode([label for label in row.labels if label != IGNORED])


def chat(messages):
    return Chat(id="a", where="train.jsonl:1", messages=messages)


def test_only_the_assistants_words_and_their_end_carry_loss(tokenizer):
    [row] = label_chats(tokenizer, [chat(TURNS)])
    assert trained_text(tokenizer, row).replace(" ", "") == "oak<|end|>elm<|end|>"
    assert tokenizer.decode(row.input_ids).count("<|bos|>") == 1


def test_prefix_rendering_trains_the_same_tokens_as_the_templates_marks(tokenizer):
    [marked] = label_chats(tokenizer, [chat(TURNS)])
    for mark in ("{% generation %}", "{% endgeneration %}"):
        tokenizer.chat_template = tokenizer.chat_template.replace(mark, "")
    [unmarked] = label_chats(tokenizer, [chat(TURNS)])
    assert unmarked == marked


def test_a_newline_after_the_end_token_belongs_to_the_template(tokenizer):
    tokenizer.chat_template = CHATML
    [row] = label_chats(tokenizer, [chat(TURNS)])
    assert trained_text(tokenizer, row) == "oak<|end|>elm<|end|>"


def test_an_end_token_outside_the_marks_carries_loss_too(tokenizer):
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "{% generation %}{{- content ~ '<|end|>' -}}{% endgeneration %}",
        "{% generation %}{{- content -}}{% endgeneration %}{{- '<|end|>' -}}",
    )
    [row] = label_chats(tokenizer, [chat(TURNS)])
    assert trained_text(tokenizer, row).count("<|end|>") == 2


def test_a_template_that_never_ends_a_turn_is_refused(tokenizer):
    tokenizer.chat_template = CHATML.replace("<|end|>", "")
    with pytest.raises(RefusedError) as refused:
        label_chats(tokenizer, [chat(TURNS)])
    assert "train.jsonl:1" in refused.value.where and "row a" in refused.value.where


def test_a_row_without_an_answer_is_refused_by_its_id(tokenizer):
    with pytest.raises(RefusedError, match="row a") as refused:
        label_chats(tokenizer, [chat(TURNS[:2])])
    assert refused.value.where == "train.jsonl:1"


def test_a_tokenizer_without_a_template_is_refused(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(RefusedError) as refused:
        label_chats(tokenizer, [chat(TURNS)])
    assert refused.value.where == str(NANO)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"messages": [', "JSON"),
        ('{"instruction": "x", "output": "y"}', "instruction, output"),
        ('{"messages": []}', "messages"),
        ('{"messages": [{"role": "user", "content": null}]}', "messages"),
        ("[1, 2]", "list"),
    ],
)
def test_a_broken_line_is_reported_with_file_and_line(tmp_path, line, found):
    file = tmp_path / "train.jsonl"
    file.write_text(json.dumps({"messages": TURNS}) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(SlmkitError, match=found) as error:
        read_chats(file)
    assert error.value.where.startswith("train.jsonl:2")


def test_an_empty_file_is_an_error(tmp_path):
    (tmp_path / "train.jsonl").write_text("\n", encoding="utf-8")
    with pytest.raises(SlmkitError, match=r"train\.jsonl") as error:
        read_chats(tmp_path / "train.jsonl")
    assert error.value.where == str(tmp_path / "train.jsonl")
