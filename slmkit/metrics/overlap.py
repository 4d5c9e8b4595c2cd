"""Word overlap of answer and target: partial credit for answers that can be worded in several ways.

Chinese, Japanese, Thai and other scripts without spaces between words are compared by characters. Texts without a word
(signs, or for f1 only articles) are compared whole, as by exact_match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from slmkit.metrics._text import accepted, normalised
from slmkit.metrics._words import plain_words, squad_words
from slmkit.types import Answer, Example


def f1(example: Example, answer: Answer) -> float:
    """F1 of the words of answer and target, ignoring case, punctuation and articles; the best over the aliases.

    target "the red oak table", answer "a table of oak": precision 2/3, recall 2/3 -> 0.667. Symmetric.
    Punctuation inside a word goes too: "4.50" and "450" are one word, as in the source.
    Source: Rajpurkar et al. 2016 (SQuAD), https://arxiv.org/abs/1606.05250, section 5 and its official script; other
    scripts as in Lewis et al. 2020 (MLQA), https://arxiv.org/abs/1910.07475, without articles of other languages.
    """
    return _best(example, answer, squad_words, lambda one, other: (Counter(one) & Counter(other)).total())


def rouge_l(example: Example, answer: Answer) -> float:
    """F1 of the longest common subsequence of words, the best over the aliases; no stemming.

    target "the cat sat on the mat", answer "the cat on mat": LCS of 4 words, precision 1, recall 4/6 -> 0.8.
    Symmetric. Equals the package rouge-score on ASCII text; of other texts that package drops most letters.
    Source: Lin 2004, https://aclanthology.org/W04-1013, section 3.1, with beta = 1.
    """
    from rapidfuzz.distance import LCSseq

    return _best(example, answer, plain_words, LCSseq.similarity)


def _best(
    example: Example,
    answer: Answer,
    words: Callable[[str], list[str]],
    num_shared: Callable[[Sequence[str], Sequence[str]], int],
) -> float:
    """The greatest 2 * shared / (words of the target + words of the answer), which is 2PR / (P + R)."""
    answered, scores = words(answer.text), []
    for text in accepted(example):
        target = words(text)
        if target and answered:
            scores.append(2 * num_shared(target, answered) / (len(target) + len(answered)))
        else:
            scores.append(float(normalised(text) == normalised(answer.text)))
    return max(scores)
