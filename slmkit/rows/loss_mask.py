"""Chats to input_ids and labels: loss on the assistant's words and their end-of-turn token, nowhere else.

Rows are never truncated here: the caller counts, drops or refuses those that are too long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.rows.read_rows import read_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label that torch's cross-entropy ignores


@dataclass(frozen=True)
class Chat:
    """A chat as it was read: its id, its place in the file, and its messages."""

    id: str
    where: str  # "train.jsonl:17"
    messages: list[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """A training row as the model sees it; labels equal input_ids, or are -100 where a token is not in the loss."""

    id: str
    input_ids: list[int]
    labels: list[int]
    seq_lengths: list[int] = field(default_factory=list)  # of the documents packed into it; empty: one document

    @property
    def num_trained(self) -> int:
        """The number of tokens in the loss; the first token of a row is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


def read_chats(path: Path, *, limit: int | None = None) -> list[Chat]:
    """The chats of a .jsonl file, each line {"messages": [{"role", "content"}, ...]} with an optional "id"."""
    return read_rows(path, _chat, limit=limit)


def label_chats(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat]) -> list[Row]:
    """Each chat as one Row, rendered by the tokenizer's chat template.

    Assistant turns are located by the template's {% generation %} marks; without marks, by their words in the rendered
    text; failing that, by rendering up to each turn and taking the difference. Every trained turn must end with a
    special token, so that the model learns to stop.

    Raises: RefusedError for a tokenizer without a template, a row without a trained token, or a turn without an end.
    """
    if not tokenizer.chat_template:
        raise RefusedError(
            "the tokenizer has no chat template, so chats cannot be rendered",
            where=str(tokenizer.name_or_path),
            fix="train an instruct model, or add a chat_template.jinja to the tokenizer's folder",
        )
    special_ids = set(tokenizer.all_special_ids)
    has_marks = "{% generation" in tokenizer.chat_template or "{%- generation" in tokenizer.chat_template
    mask = _mask_by_marks if has_marks else _mask_by_words
    return [_row(chat, *mask(tokenizer, chat), special_ids) for chat in chats]


def _chat(row: Any, where: str) -> Chat:
    messages = row.get("messages") if isinstance(row, dict) else None
    well_formed = isinstance(messages, list) and all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str) for m in messages
    )
    if not messages or not well_formed:
        found = f"keys {', '.join(row)}" if isinstance(row, dict) else type(row).__name__
        raise SlmkitError(
            f"a chat needs `messages`, each with a role and a content; found {found}",
            where=where,
            fix="run the prepare stage on this file first: it reads the usual formats",
        )
    return Chat(id=str(row.get("id", where)), where=where, messages=messages)


def _mask_by_marks(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    encoded = tokenizer.apply_chat_template(chat.messages, return_dict=True, return_assistant_tokens_mask=True)
    return encoded["input_ids"], encoded["assistant_masks"]


def _mask_by_words(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    text = tokenizer.apply_chat_template(chat.messages, tokenize=False)
    found = content_spans(tokenizer, chat.messages, text)
    spans = []
    for turn, message in enumerate(chat.messages):
        if message["role"] == "assistant":
            span = found[turn] or _span_by_prefix(tokenizer, chat.messages, turn, text)
            if span is None:
                raise RefusedError(
                    "the chat template changes an answer's text, so its tokens cannot be located",
                    where=chat.where,
                    fix="put {% generation %} marks around the assistant's words in the template",
                )
            spans.append(span)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    mask = [
        int(any(start < span_stop and stop > span_start for span_start, span_stop in spans))
        for start, stop in encoded["offset_mapping"]
    ]
    return encoded["input_ids"], mask


def content_spans(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, Any]], text: str
) -> list[tuple[int, int] | None]:
    """The span of each message's content in the rendered text, or None where the template changed it.

    Whitespace is not compared, since templates trim and indent. An answer is searched for after its prompt; whitespace
    right after the prompt belongs to the answer, anything else that the template adds ("<think></think>") does not.
    """
    indices = [i for i, character in enumerate(text) if not character.isspace()]
    squeezed = "".join(text[i] for i in indices)
    spans: list[tuple[int, int] | None] = []
    cursor = 0
    for turn, message in enumerate(messages):
        content = "".join(str(message.get("content") or "").split())
        prompt = ""
        if message["role"] == "assistant" and turn:
            prompt = tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True)
            prompt = prompt if text.startswith(prompt) else ""
        found = squeezed.find(content, max(cursor, len("".join(prompt.split())))) if content else -1
        if found < 0:
            spans.append(None)
            continue
        cursor = found + len(content)
        start = len(prompt) if prompt and not text[len(prompt) : indices[found]].strip() else indices[found]
        spans.append((start, indices[cursor - 1] + 1))
    return spans


def _span_by_prefix(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, Any]], turn: int, text: str
) -> tuple[int, int] | None:
    """The text that one answer adds to the rendering, if the text starts with both renderings."""
    before = tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True)
    after = tokenizer.apply_chat_template(messages[: turn + 1], tokenize=False)
    return (len(before), len(after)) if text.startswith(before) and text.startswith(after) else None


def _row(chat: Chat, input_ids: list[int], mask: list[int], special_ids: set[int]) -> Row:
    """The mask as labels, each span ending exactly at its end-of-turn token."""
    labels = [token if on else IGNORED for token, on in zip(input_ids, mask, strict=True)]
    for start, stop in _spans(mask):
        end = next((i for i in range(stop - 1, start - 1, -1) if input_ids[i] in special_ids), None)
        if end is None and stop < len(input_ids) and input_ids[stop] in special_ids:  # just outside the marks
            end = stop
            labels[stop] = input_ids[stop]
        if end is None:
            raise RefusedError(
                "an answer has no end-of-turn token, so the model would not learn to stop",
                where=f"{chat.where} (row {chat.id})",
                fix="change the chat template to end each assistant turn with a special token",
            )
        labels[end + 1 : stop] = [IGNORED] * max(0, stop - end - 1)  # the "\n" after <|im_end|>
    row = Row(id=chat.id, input_ids=list(input_ids), labels=labels)
    if row.num_trained == 0:
        raise RefusedError(
            f"row {chat.id} has no trained tokens",
            where=chat.where,
            fix="add a non-empty assistant turn to each chat",
        )
    return row


def _spans(mask: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open spans of ones: [0, 1, 1, 0, 1] -> [(1, 3), (4, 5)]."""
    edges = [i for i in range(len(mask) + 1) if (i > 0 and mask[i - 1]) != (i < len(mask) and mask[i])]
    return list(zip(edges[::2], edges[1::2], strict=True))
