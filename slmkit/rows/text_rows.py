"""Plain texts as training rows, for continued pretraining: loss on every token, long documents cut into pieces.

train.jsonl:3   {"id": "notes-3", "text": "The mill stands by the river. ..."}
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.rows.loss_mask import Row
from slmkit.rows.read_rows import read_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

DEFAULT_LENGTH = 1024  # tokens per piece when max_length is auto; longer attention costs more and adds little


@dataclass(frozen=True)
class Text:
    """A document as it was read: its id, its place in the file, and its text."""

    id: str
    where: str  # "train.jsonl:3"
    text: str


def holds_texts(path: Path) -> bool:
    """Whether the first row of a .jsonl file is a text, not a chat; False if it is not JSON."""
    with open(path, encoding="utf-8") as file:
        line = next(filter(str.strip, file), "{}")
    try:
        row = json.loads(line)
    except json.JSONDecodeError:
        return False
    return isinstance(row, dict) and isinstance(row.get("text"), str) and "messages" not in row


def read_texts(path: Path, *, limit: int | None = None) -> list[Text]:
    """The documents of a .jsonl file, each line {"text": ...} with an optional "id"."""
    return read_rows(path, _text, limit=limit)


def label_texts(tokenizer: PreTrainedTokenizerBase, texts: Sequence[Text], *, max_length: int) -> list[Row]:
    """Each text as rows of at most max_length tokens, ending with the end-of-text token.

    Consecutive pieces overlap by one token, so every token of a document but the first is in the loss exactly once.
    Example: 10 tokens and the end, max_length 6 -> tokens 0-5 and 5-10.
    """
    rows: list[Row] = []
    for text in texts:
        ids: list[int] = tokenizer(text.text)["input_ids"]
        if tokenizer.eos_token_id is not None and ids[-1:] != [tokenizer.eos_token_id]:
            ids = [*ids, tokenizer.eos_token_id]
        for number, start in enumerate(range(0, max(1, len(ids) - 1), max_length - 1)):
            piece = ids[start : start + max_length]
            rows.append(Row(id=f"{text.id}#{number}" if number else text.id, input_ids=piece, labels=list(piece)))
    return [row for row in rows if row.num_trained]


def _text(row: Any, where: str) -> Text:
    text = row.get("text") if isinstance(row, dict) else None
    if not isinstance(text, str) or not text.strip():
        found = f"keys {', '.join(row)}" if isinstance(row, dict) else type(row).__name__
        raise SlmkitError(f"the row needs a `text`; found {found}", where=where, fix='write {"text": ...}')
    return Text(str(row.get("id", where)), where, text)
