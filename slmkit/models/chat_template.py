"""Messages to token ids: the one place where a chat template is applied, so training and answering render alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, str]]  # each {"role": "system" | "user" | "assistant", "content": ...}


def render(
    tokenizer: PreTrainedTokenizerBase, chats: Sequence[Messages], *, add_generation_prompt: bool = True
) -> list[list[int]]:
    """The token ids of each chat, ending where the assistant is to speak.

    The template writes the special tokens, so the tokenizer adds none: exactly one beginning-of-sequence where the
    model has one. Raises: SlmkitError for a tokenizer without a template or a template that refuses the messages.
    """
    texts = render_text(tokenizer, chats, add_generation_prompt=add_generation_prompt)
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    bos = tokenizer.bos_token_id
    if any(len(ids) > 1 and ids[0] == ids[1] == bos is not None for ids in rows):
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} writes {tokenizer.bos_token} twice",
            fix="remove one from its chat_template.jinja: a doubled one shifts every answer",
        )
    return rows


def render_text(
    tokenizer: PreTrainedTokenizerBase, chats: Sequence[Messages], *, add_generation_prompt: bool = True
) -> list[str]:
    """The chats as the text that the model sees."""
    from jinja2.exceptions import TemplateError

    if not tokenizer.chat_template:
        raise SlmkitError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            fix="take the instruct version of the model as `model`, or fine-tune this one first",
        )
    try:
        return [
            tokenizer.apply_chat_template(
                [dict(message) for message in chat], tokenize=False, add_generation_prompt=add_generation_prompt
            )
            for chat in chats
        ]
    except TemplateError as error:
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} refuses these messages: {error}",
            fix="give the roles it knows (often: no system message), or take another `model`",
        ) from error


def template_hash(template: object) -> str:
    """The first 12 hex digits of the sha256 of a chat template: two scores compare only where it is the same."""
    return hashlib.sha256(str(template).encode()).hexdigest()[:12]
