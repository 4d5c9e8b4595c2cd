"""Chats to input_ids and labels: loss on the assistant's words and their end-of-turn token, nowhere else.

Rows are never truncated here: the caller counts, drops or refuses those that are too long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.data.canonical_row import RowFault
from slmkit.data.chat_messages import clean_chat
from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.chat_template import apply_template, fold_if_refused, render_text
from slmkit.rows.read_rows import read_rows
from slmkit.rows.turn_spans import Span, span_by_prefix, turn_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label that torch's cross-entropy ignores


@dataclass(frozen=True)
class Chat:
    """A chat as it was read: its id, its place in the file, its messages, and the tools that they may call."""

    id: str
    where: str  # "train.jsonl:17"
    messages: list[dict[str, Any]]
    tools: list[Any] = field(default_factory=list)

    @property
    def place(self) -> str:
        """Where it is, for errors."""
        return f"{self.where} (row {self.id})" if self.id != self.where else self.where

    @property
    def has_untrained(self) -> bool:
        """Whether an answer is marked not to be trained on."""
        return any(message.get("weight") == 0 for message in self.messages)


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


def is_trained(message: Mapping[str, Any]) -> bool:
    """Whether a message carries loss: the assistant's, unless it has weight 0."""
    return message["role"] == "assistant" and message.get("weight") != 0


def read_chats(path: Path, *, limit: int | None = None) -> list[Chat]:
    """The chats of a .jsonl file, each line {"messages": [{"role", "content"}, ...]}, with "tools" and "id" if any."""
    return read_rows(path, _chat, limit=limit)


def label_chats(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat]) -> list[Row]:
    """Each chat as one Row, rendered by the tokenizer's chat template.

    Assistant turns are located by the template's {% generation %} marks; without marks, by their words in the rendered
    text, tool calls included; failing that, by rendering up to each turn and taking the difference. A turn of weight 0
    has no loss. Every trained turn must end with a special token, so that the model learns to stop.

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
    chats = [replace(chat, messages=fold_if_refused(tokenizer, chat.messages)) for chat in chats]
    return [_row(chat, *mask(tokenizer, chat), special_ids) for chat in chats]


def _chat(row: Any, where: str) -> Chat:
    try:
        messages, tools = clean_chat(row)
    except RowFault as fault:
        found = f"keys {', '.join(row)}" if isinstance(row, dict) else type(row).__name__
        fix = "run the prepare stage on this file first: it reads the usual formats"
        if isinstance(row, dict) and "prompt" in row and ("chosen" in row or "label" in row):
            method = "dpo" if "chosen" in row else "kto"
            fix = (
                f"train on such rows by their method, with the file of the data: slmkit run methods/{method} data=FILE"
            )
        raise SlmkitError(
            f"a chat needs `messages`, each with a role and a content: {fault}; found {found}",
            where=where,
            fix=fix,
        ) from None
    return Chat(id=str(row.get("id", where)), where=where, messages=messages, tools=tools)


def _mask_by_marks(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    options = {"return_dict": True, "return_assistant_tokens_mask": True}
    encoded = apply_template(tokenizer, chat.messages, tools=chat.tools, where=chat.place, **options)
    input_ids, mask = encoded["input_ids"], encoded["assistant_masks"]
    if not chat.has_untrained:
        return input_ids, mask
    text, spans = _trained_spans(tokenizer, chat)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    trained = _overlapping(encoded["offset_mapping"], spans)
    for start, stop in _spans(mask):  # one answer each
        if not any(trained[start:stop]):
            mask[start:stop] = [0] * (stop - start)
    return input_ids, mask


def _mask_by_words(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    text, spans = _trained_spans(tokenizer, chat)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    return encoded["input_ids"], _overlapping(encoded["offset_mapping"], spans)


def _trained_spans(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[str, list[Span]]:
    """The rendered chat, and the span in it of each answer that is trained on."""
    (text,) = render_text(
        tokenizer, [chat.messages], tools=[chat.tools], where=[chat.place], add_generation_prompt=False
    )
    found = turn_spans(tokenizer, chat.messages, text, tools=chat.tools)
    spans = []
    for turn, message in enumerate(chat.messages):
        if is_trained(message):
            span = found[turn] or span_by_prefix(tokenizer, chat.messages, turn, text, tools=chat.tools)
            if span is None:
                raise RefusedError(
                    "the chat template changes an answer's text, so its tokens cannot be located",
                    where=chat.place,
                    fix="put {% generation %} marks around the assistant's words in the template",
                )
            spans.append(span)
    return text, spans


def _overlapping(offsets: Sequence[Span], spans: Sequence[Span]) -> list[int]:
    """For each token, whether it is in one of the spans."""
    return [int(any(start < span[1] and stop > span[0] for span in spans)) for start, stop in offsets]


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
                where=chat.place,
                fix="change the chat template to end each assistant turn with a special token",
            )
        labels[end + 1 : stop] = [IGNORED] * max(0, stop - end - 1)  # the "\n" after <|im_end|>
    row = Row(id=chat.id, input_ids=list(input_ids), labels=labels)
    if row.num_trained == 0:
        raise RefusedError(
            f"row {chat.id} has no trained tokens",
            where=chat.where,
            fix="add an assistant turn that is not empty, and not of weight 0, to each chat",
        )
    return row


def _spans(mask: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open spans of ones: [0, 1, 1, 0, 1] -> [(1, 3), (4, 5)]."""
    edges = [i for i in range(len(mask) + 1) if (i > 0 and mask[i - 1]) != (i < len(mask) and mask[i])]
    return list(zip(edges[::2], edges[1::2], strict=True))
