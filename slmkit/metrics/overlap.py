"""Word overlap of answer and target: partial credit for answers that can be worded in several ways."""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Sequence

from slmkit.types import Answer, Example


def f1(example: Example, answer: Answer) -> float:
    """F1 of the words of answer and target, ignoring case, punctuation and articles; the best over the aliases.

    target "the red oak table", answer "a table of oak": precision 2/3, recall 2/3 -> 0.667.
    Source: Rajpurkar et al. 2016 (SQuAD), https://arxiv.org/abs/1606.05250, section 5 and its official script.
    """
    return _best(example, answer, lambda target, text: _f1(_squad_words(target), _squad_words(text)))


def rouge_l(example: Example, answer: Answer) -> float:
    """F1 of the longest common subsequence of words, the best over the aliases; no stemming.

    target "the cat sat on the mat", answer "the cat on mat": LCS of 4 words, precision 1, recall 4/6 -> 0.8.
    Source: Lin 2004, https://aclanthology.org/W04-1013, section 3.1, with beta = 1.
    """
    return _best(example, answer, lambda target, text: _lcs_f1(_plain_words(target), _plain_words(text)))


def _best(example: Example, answer: Answer, score: Callable[[str, str], float]) -> float:
    return max(score(target, answer.text) for target in (example.target, *example.aliases))


def _f1(target: Sequence[str], words: Sequence[str]) -> float:
    if not target or not words:
        return float(list(target) == list(words))
    shared = (Counter(target) & Counter(words)).total()
    return 2 * shared / (len(target) + len(words))  # = 2PR / (P + R)


def _lcs_f1(target: Sequence[str], words: Sequence[str]) -> float:
    if not target or not words:
        return float(list(target) == list(words))
    lengths = [0] * (len(words) + 1)  # of the common subsequence of target[:i] and words[:j]
    for word in target:
        diagonal = 0
        for j, other in enumerate(words, 1):
            above = lengths[j]
            lengths[j] = diagonal + 1 if word == other else max(above, lengths[j - 1])
            diagonal = above
    return 2 * lengths[-1] / (len(target) + len(words))


def _squad_words(text: str) -> list[str]:
    text = "".join(char for char in text.lower() if char not in string.punctuation)
    return re.sub(r"\b(a|an|the)\b", " ", text).split()


def _plain_words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())  # as the rouge-score package splits
