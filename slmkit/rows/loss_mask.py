"""From chats to input_ids and labels: loss on what the assistant says and on its end-of-turn token, nowhere else.

Reading the rows is here too, so that every complaint names a file and a line. Truncating is deliberately not: a row
that is too long is the caller's to count, drop or refuse.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import RefusedError, SlmkitError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100  # the label that torch's cross-entropy leaves out


@dataclass(frozen=True)
class Chat:
    """One training row as it was read: its id, where it stands, and its turns."""

    id: str
    where: str  # "train.jsonl:17"
    messages: list[dict[str, Any]]


@dataclass(frozen=True)
class Row:
    """One training row as the model sees it; labels are input_ids, or -100 where no loss falls."""

    id: str
    input_ids: list[int]
    labels: list[int]
    seq_lengths: list[int] = field(default_factory=list)  # of the documents packed into it; none: it is one document

    @property
    def num_trained(self) -> int:
        """Tokens that carry loss; the first token of a row is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


def read_chats(path: Path, *, limit: int | None = None) -> list[Chat]:
    """The chats of a .jsonl file, each line {"messages": [{"role", "content"}, ...]} with an optional "id"."""
    chats: list[Chat] = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if limit is not None and len(chats) >= limit:
                break
            if line.strip():
                chats.append(_chat(line, f"{path.name}:{number}"))
    if not chats:
        raise SlmkitError(f"{path.name} holds no rows", where=str(path), fix="name a file with one chat a line")
    return chats


def label_chats(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat]) -> list[Row]:
    """Each chat as one Row, rendered by the tokenizer's chat template.

    Assistant turns are found by the template's {% generation %} marks, without these by their words in the rendered
    text, else by rendering up to each turn and taking the difference. Every trained turn must end in a special token,
    so that the model learns to stop.

    Raises: RefusedError for a tokenizer without a template, a row without a trained token, a turn without an end.
    """
    if not tokenizer.chat_template:
        raise RefusedError(
            "the tokenizer has no chat template, so chats cannot be rendered",
            where=str(tokenizer.name_or_path),
            fix="train an instruct model, or add chat_template.jinja beside the tokenizer",
        )
    ends = set(tokenizer.all_special_ids)
    marked = "{% generation" in tokenizer.chat_template or "{%- generation" in tokenizer.chat_template
    mask = _mask_by_marks if marked else _mask_by_words
    return [_row(chat, *mask(tokenizer, chat), ends) for chat in chats]


def _chat(line: str, where: str) -> Chat:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SlmkitError(f"not JSON: {error.msg}", where=f"{where}:{error.colno}", fix="mend the line") from None
    messages = row.get("messages") if isinstance(row, dict) else None
    well_formed = isinstance(messages, list) and all(
        isinstance(m, dict) and isinstance(m.get("role"), str) and isinstance(m.get("content"), str) for m in messages
    )
    if not messages or not well_formed:
        found = f"keys {', '.join(row)}" if isinstance(row, dict) else type(row).__name__
        raise SlmkitError(
            f"a chat needs messages of role and content, found {found}",
            where=where,
            fix="run the prepare stage on this file first; it reads the usual formats",
        )
    return Chat(id=str(row.get("id", where)), where=where, messages=messages)


def _mask_by_marks(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    encoded = tokenizer.apply_chat_template(chat.messages, return_dict=True, return_assistant_tokens_mask=True)
    return encoded["input_ids"], encoded["assistant_masks"]


def _mask_by_words(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> tuple[list[int], list[int]]:
    text = tokenizer.apply_chat_template(chat.messages, tokenize=False)
    words = content_spans(tokenizer, chat.messages, text)
    spans = []
    for turn, message in enumerate(chat.messages):
        if message["role"] == "assistant":
            span = words[turn] or _span_by_prefix(tokenizer, chat.messages, turn, text)
            if span is None:
                raise RefusedError(
                    "the chat template renders an answer otherwise than it is written",
                    where=chat.where,
                    fix="put {% generation %} marks around the assistant's words in the template",
                )
            spans.append(span)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    inside = [any(start < high and stop > low for low, high in spans) for start, stop in encoded["offset_mapping"]]
    return encoded["input_ids"], [int(on) for on in inside]


def content_spans(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, Any]], text: str
) -> list[tuple[int, int] | None]:
    """Where the words of each message stand in the rendered text, or None where the template changed them.

    Spaces are not compared, since templates trim and indent. An answer is looked for after the prompt before it; the
    spaces right after that prompt are the answer's, what else the template adds ("<think></think>") is not.
    """
    places = [i for i, character in enumerate(text) if not character.isspace()]
    squeezed = "".join(text[i] for i in places)
    spans: list[tuple[int, int] | None] = []
    cursor = 0
    for turn, message in enumerate(messages):
        words = "".join(str(message.get("content") or "").split())
        before = ""
        if message["role"] == "assistant" and turn:
            before = tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True)
            before = before if text.startswith(before) else ""
        at = squeezed.find(words, max(cursor, len("".join(before.split())))) if words else -1
        if at < 0:
            spans.append(None)
            continue
        cursor = at + len(words)
        start = len(before) if before and not text[len(before) : places[at]].strip() else places[at]
        spans.append((start, places[cursor - 1] + 1))
    return spans


def _span_by_prefix(
    tokenizer: PreTrainedTokenizerBase, messages: Sequence[dict[str, Any]], turn: int, text: str
) -> tuple[int, int] | None:
    """What the rendering gains by one answer, where both renderings begin the whole text."""
    before = tokenizer.apply_chat_template(messages[:turn], tokenize=False, add_generation_prompt=True)
    after = tokenizer.apply_chat_template(messages[: turn + 1], tokenize=False)
    return (len(before), len(after)) if text.startswith(before) and text.startswith(after) else None


def _row(chat: Chat, input_ids: list[int], mask: list[int], ends: set[int]) -> Row:
    """The mask as labels, each span made to end right at its end-of-turn token."""
    labels = [token if on else IGNORED for token, on in zip(input_ids, mask, strict=True)]
    for start, stop in _spans(mask):
        end = next((i for i in range(stop - 1, start - 1, -1) if input_ids[i] in ends), None)
        if end is None and stop < len(input_ids) and input_ids[stop] in ends:  # the template left it outside its marks
            end = stop
            labels[stop] = input_ids[stop]
        if end is None:
            raise RefusedError(
                "an answer has no end-of-turn token, so the model would never learn to stop",
                where=f"{chat.where} (row {chat.id})",
                fix="let the chat template close each assistant turn with a special token",
            )
        labels[end + 1 : stop] = [IGNORED] * max(0, stop - end - 1)  # "\n" after <|im_end|> is the template's
    row = Row(id=chat.id, input_ids=list(input_ids), labels=labels)
    if row.num_trained == 0:
        raise RefusedError(
            f"row {chat.id} has no token to train on",
            where=chat.where,
            fix="give each chat an assistant turn with content",
        )
    return row


def _spans(mask: Sequence[int]) -> list[tuple[int, int]]:
    """The half-open runs of ones: [0, 1, 1, 0, 1] -> [(1, 3), (4, 5)]."""
    edges = [i for i in range(len(mask) + 1) if (i > 0 and mask[i - 1]) != (i < len(mask) and mask[i])]
    return list(zip(edges[::2], edges[1::2], strict=True))
