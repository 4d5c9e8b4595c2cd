"""Where each message of a chat is in its rendered text: by its words or, for tool calls, by what changes without them.

The chat's system turn is folded already if its template takes none.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.models.chat_template import apply_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, Any]]
Span = tuple[int, int]
_STAND_IN = "\u2021"  # a double dagger, which no template begins or ends a turn with


def turn_spans(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, text: str, *, tools: Sequence[Any] = ()
) -> list[Span | None]:
    """The span of each message's content in the rendered text, or None where the template changed it.

    White space is not compared, since templates trim and indent. An answer is searched for after its prompt; white
    space right after the prompt belongs to the answer, anything else that the template adds ("<think></think>") does
    not. Of a turn with tool calls, the span is all that the template writes for it, its end of turn aside.
    """
    indices = [i for i, character in enumerate(text) if not character.isspace()]
    squeezed = "".join(text[i] for i in indices)
    spans: list[Span | None] = []
    cursor = 0
    for turn, message in enumerate(messages):
        prompt = ""
        if message["role"] == "assistant" and turn:
            prompt = _rendered(tokenizer, messages[:turn], tools, add_generation_prompt=True) or ""
            prompt = prompt if text.startswith(prompt) else ""
        if message.get("tool_calls"):
            span = _span_of_calls(tokenizer, messages, turn, text, tools)
        else:
            content = "".join(str(message.get("content") or "").split())
            found = squeezed.find(content, max(cursor, len("".join(prompt.split())))) if content else -1
            span = (indices[found], indices[found + len(content) - 1] + 1) if found >= 0 else None
        if span:
            cursor = bisect_left(indices, span[1])
            span = (len(prompt) if prompt and not text[len(prompt) : span[0]].strip() else span[0], span[1])
        spans.append(span)
    return spans


def span_by_prefix(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, turn: int, text: str, *, tools: Sequence[Any] = ()
) -> Span | None:
    """The text that one answer adds to the rendering, if the text starts with both renderings."""
    before = _rendered(tokenizer, messages[:turn], tools, add_generation_prompt=True) if turn else ""
    after = _rendered(tokenizer, messages[: turn + 1], tools)
    if not before or not after or not text.startswith(before) or not text.startswith(after):
        return None
    return len(before), len(after)


def _span_of_calls(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, turn: int, text: str, tools: Sequence[Any]
) -> Span | None:
    """What is rendered otherwise if the turn says only a word; None if what the tools returned is in it."""
    other = _rendered(tokenizer, [*messages[:turn], _only(_STAND_IN), *messages[turn + 1 :]], tools)
    if other is None:  # the template refuses a result without its call: the turns after it are left out
        text_of_turn = _rendered(tokenizer, messages[: turn + 1], tools)
        other = _rendered(tokenizer, [*messages[:turn], _only(_STAND_IN)], tools)
        if not text_of_turn or not text.startswith(text_of_turn):
            return None
        text = text_of_turn
    if not other or other.count(_STAND_IN) != 1:
        return None
    start = other.index(_STAND_IN)
    stop = len(text) - (len(other) - start - 1)
    if stop <= start or text[:start] != other[:start] or text[stop:] != other[start + 1 :]:
        return None
    results = itertools.takewhile(lambda message: message["role"] == "tool", messages[turn + 1 :])
    has_results = any(str(message["content"]).strip() in text[start:stop] for message in results if message["content"])
    return None if has_results else (start, stop)


def _only(content: str) -> dict[str, str]:
    return {"role": "assistant", "content": content}


def _rendered(
    tokenizer: PreTrainedTokenizerBase, messages: Messages, tools: Sequence[Any], **options: Any
) -> str | None:
    """The rendered chat; None if the template refuses it, as it may refuse a part of a chat that it takes whole."""
    try:
        return str(apply_template(tokenizer, messages, tools=tools, tokenize=False, **options))
    except SlmkitError:
        return None
