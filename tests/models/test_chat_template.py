"""Chats are rendered by the tokenizer's own template, with one beginning-of-sequence token."""

import copy
import re

import pytest

from slmkit.errors import SlmkitError
from slmkit.models.chat_template import render, render_text, template_hash
from slmkit.models.load import shared_model
from slmkit.recipe import lookup
from slmkit.types import ModelRef

CHAT = [{"role": "system", "content": "be brief."}, {"role": "user", "content": "who is it?"}]


@pytest.fixture
def tokenizer():
    return copy.deepcopy(
        shared_model(ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano")), device="cpu").tokenizer
    )


def test_ids_equal_those_of_apply_chat_template(tokenizer):
    expected = tokenizer.apply_chat_template(CHAT, add_generation_prompt=True)["input_ids"]
    assert render(tokenizer, [CHAT]) == [expected]
    assert expected.count(tokenizer.bos_token_id) == 1


def test_a_template_that_doubles_the_beginning_is_refused(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    with pytest.raises(SlmkitError, match=re.escape(tokenizer.bos_token)):
        render(tokenizer, [CHAT])


def test_a_template_that_refuses_a_role_is_quoted(tokenizer):
    tokenizer.chat_template = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    with pytest.raises(SlmkitError, match="no system role"):
        render_text(tokenizer, [CHAT])


def test_a_tokenizer_without_a_template_is_named(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(SlmkitError, match=re.escape(tokenizer.name_or_path)):
        render(tokenizer, [CHAT])


def test_another_template_has_another_hash(tokenizer):
    before = template_hash(tokenizer.chat_template)
    tokenizer.chat_template += " "
    assert template_hash(tokenizer.chat_template) != before
    assert len(before) == 12
