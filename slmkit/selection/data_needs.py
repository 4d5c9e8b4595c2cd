"""What a user's rows require of a model: context length and language."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.language import find_language
from slmkit.data.lengths import length_percentiles

_MOST_ROWS = 2_000  # evenly spaced; more rows barely change the 99th percentile
_CHARACTERS_PER_TOKEN = 3.0  # a low estimate for alphabetic scripts; used only without a tokenizer on disk
_DENSE = ("zh", "ja", "ko", "th")  # scripts with about one token per character
_TEMPLATE_TOKENS = 64  # of a chat template and a short instruction

Tokens = Callable[[Sequence[str]], Sequence[int]]  # the number of tokens of each text


@dataclass(frozen=True)
class Need:
    """What the rows require, in tokens."""

    num_rows: int
    context_length: int  # fits 99% of the rows, chat template included
    mean_tokens: float  # of a training row
    loss_share: float  # fraction of its tokens that belong to the answer
    language: str | None
    how: str  # how tokens were counted

    def __str__(self) -> str:
        language = self.language or "an unclear language"
        return f"{self.num_rows:,} rows in {language}: 99% fit in {self.context_length:,} tokens, {self.how}"


def find_need(rows: Sequence[CanonicalRow], *, max_new_tokens: int, count: Tokens | None = None) -> Need:
    """What the rows require; tokens are counted by `count`, or estimated from characters.

    A row consists of its question, with the passage if there is one, and its answer or max_new_tokens.
    """
    sample = rows[:: max(1, len(rows) // _MOST_ROWS)]
    inputs = [f"{row.passage}\n\n{row.input}" if row.passage else row.input for row in sample]
    targets = [row.target for row in sample]
    language = find_language(inputs[:200])
    if count is None:
        per_token = 1.0 if language in _DENSE else _CHARACTERS_PER_TOKEN
        how = f"estimated at {per_token:g} characters per token"
        asked, answered = ([round(len(text) / per_token) + 1 for text in texts] for texts in (inputs, targets))
    else:
        how = "counted by its own tokenizer"
        asked, answered = list(count(inputs)), list(count(targets))
    whole = [question + answer for question, answer in zip(asked, answered, strict=True)]
    longest = max(length_percentiles(whole).p99, length_percentiles(asked).p99 + max_new_tokens) + _TEMPLATE_TOKENS
    mean_tokens = sum(whole) / len(whole) + _TEMPLATE_TOKENS
    return Need(len(rows), longest, mean_tokens, length_percentiles(answered).p99 / longest, language, how)
