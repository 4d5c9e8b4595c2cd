"""Messages to token ids: the only place that applies a chat template, so training and inference render alike."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, Any]]  # each {"role": "system" | "user" | "assistant" | "tool", "content": ...}
Tools = Sequence[Sequence[Any]]  # of each chat


def render(
    tokenizer: PreTrainedTokenizerBase,
    chats: Sequence[Messages],
    *,
    tools: Tools = (),
    add_generation_prompt: bool = True,
) -> list[list[int]]:
    """The token ids of each chat, ending where the assistant's turn starts.

    The template writes the special tokens, so the tokenizer adds none; a model that has a beginning-of-sequence token
    gets exactly one. Raises: SlmkitError for a tokenizer without a template, or a template that refuses the messages.
    """
    texts = render_text(tokenizer, chats, tools=tools, add_generation_prompt=add_generation_prompt)
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    bos = tokenizer.bos_token_id
    if any(len(ids) > 1 and ids[0] == ids[1] == bos is not None for ids in rows):
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} writes {tokenizer.bos_token} twice",
            fix="remove one from its chat_template.jinja: with two, every answer changes",
        )
    return rows


def render_text(
    tokenizer: PreTrainedTokenizerBase,
    chats: Sequence[Messages],
    *,
    tools: Tools = (),
    add_generation_prompt: bool = True,
) -> list[str]:
    """The chats as the text that the model sees; tools: those of each chat, or none at all."""
    from jinja2.exceptions import TemplateError

    if not tokenizer.chat_template:
        raise SlmkitError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            fix="use the instruct version of the model as `model`, or fine-tune this one first",
        )
    try:
        return [
            tokenizer.apply_chat_template(
                [dict(message) for message in chat],
                tools=list(its_tools) or None,
                tokenize=False,
                add_generation_prompt=add_generation_prompt,
            )
            for chat, its_tools in zip(chats, tools or itertools.repeat(()), strict=False)
        ]
    except TemplateError as error:
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} refuses these messages: {error}",
            fix="use only roles that it accepts (often: no system message), or another `model`",
        ) from error


def with_system(messages: Messages, instruction: str) -> list[Mapping[str, Any]]:
    """The messages with the instruction as system message, unless they have one of their own."""
    if not instruction or not messages or messages[0]["role"] == "system":
        return list(messages)
    return [{"role": "system", "content": instruction}, *messages]


def template_hash(template: object) -> str:
    """The first 12 hex digits of a chat template's sha256; two scores are comparable only if it is the same."""
    return hashlib.sha256(str(template).encode()).hexdigest()[:12]
