"""How likely the model finds the targets after the prompt; the answers themselves are not scored.

`score_targets: true` makes a system (prompt, rag) add the target's log-probability to each answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from slmkit.errors import SlmkitError
from slmkit.types import Answer, Example


def perplexity(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """e to the mean negative log-probability per target token: 1 is certainty, the vocabulary's size a random guess.

    Two targets of 3 and 1 tokens with log-probabilities -4 and 0 -> e ** (4 / 4) = 2.718. Comparable only between
    models with the same tokenizer; otherwise use bits_per_byte.
    """
    nats, tokens, _ = _totals(examples, answers)
    return exp(nats / tokens)


def bits_per_byte(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """Bits per UTF-8 byte of the targets, comparable across tokenizers: 0 is certainty, 8 a random guess.

    A target of 4 bytes with log-probability -4: 4 / ln 2 / 4 = 1.443.
    """
    nats, _, num_bytes = _totals(examples, answers)
    return nats / log(2) / num_bytes


def _totals(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[float, int, int]:
    """Negative log-probability, tokens (including the end of turn) and bytes of the scored targets."""
    rows = [
        (-answer.target_logprob, answer.target_tokens, len(example.target.encode()))
        for example, answer in zip(examples, answers, strict=True)
        if answer.target_logprob is not None
    ]
    if not rows:
        raise SlmkitError(
            "the answers have no log-probabilities of their targets", fix="set `score_targets: true` for the system"
        )
    nats, tokens, num_bytes = (sum(column) for column in zip(*rows, strict=True))
    return nats, int(tokens), max(1, int(num_bytes))
