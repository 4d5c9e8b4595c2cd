"""How unexpected the targets are to the model: no answer is judged, the target is scored after the prompt.

A system that can tell it is given `score_targets: true`; each answer then carries the target's log-probability.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, log

from slmkit.errors import SlmkitError
from slmkit.types import Answer, Example


def perplexity(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """e to the mean nats a target token; 1 is certainty, the vocabulary's size is a guess. Not in [0, 1].

    Two targets of 3 and 1 tokens with log-probabilities -4 and 0 -> e ** (4 / 4) = 2.718. Comparable only between
    models of one tokenizer; across tokenizers take bits_per_byte.
    """
    nats, tokens, _ = _totals(examples, answers)
    return exp(nats / tokens)


def bits_per_byte(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """Bits a UTF-8 byte of the targets, the same unit for every tokenizer; 8 is a guess. Not in [0, 1].

    A target of 4 bytes with log-probability -4 nats: 4 / ln 2 / 4 = 1.443.
    """
    nats, _, num_bytes = _totals(examples, answers)
    return nats / log(2) / num_bytes


def _totals(examples: Sequence[Example], answers: Sequence[Answer]) -> tuple[float, int, int]:
    """Nats, tokens (the end of the turn counts) and bytes of the targets that were scored."""
    rows = [
        (-answer.target_logprob, answer.target_tokens, len(example.target.encode()))
        for example, answer in zip(examples, answers, strict=True)
        if answer.target_logprob is not None
    ]
    if not rows:
        raise SlmkitError("the targets were not scored", fix="give the system `score_targets: true`")
    nats, tokens, num_bytes = (sum(column) for column in zip(*rows, strict=True))
    return nats, int(tokens), max(1, int(num_bytes))
