"""Names that data sets give their columns; they tell a JSON object of columns from one keyed by ids or sections."""

from __future__ import annotations

from collections.abc import Iterable

_USUAL = frozenset(
    ("text", "sentence", "sentence1", "sentence2", "utterance", "message", "query", "question", "claim", "input",
     "prompt", "instruction", "review", "tweet", "content", "body", "document", "full_text", "premise", "hypothesis",
     "context", "passage", "choices", "options", "title", "target", "answer", "answers", "output", "response",
     "completion", "ideal", "reference", "summary", "translation", "solution", "label", "labels", "label_text",
     "category", "intent", "class", "sentiment", "topic", "tag", "tokens", "tags", "chosen", "rejected")
)  # fmt: skip
# Columns that hold a list: an object with one of them is a row, not a list of rows.
ROW_LISTS = frozenset(
    ("messages", "conversations", "paragraphs", "qas", "turns", "tokens", "tags", "tools", "choices", "options",
     "answers")
)  # fmt: skip


def usual(names: Iterable[str]) -> list[str]:
    """Those of the names that are usual for a column: ["Text", "x1"] -> ["Text"]."""
    return [name for name in names if name.lower() in _USUAL]
