"""chrF: shared character n-grams, which are less strict than words about endings and compounds."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.metrics._text import accepted
from slmkit.types import Answer, Example


def chrf(example: Example, answer: Answer) -> float:
    """F2 score of character n-grams (n up to 6), computed by sacrebleu with the aliases as further references.

    target "the cat", answer "the cats" -> 0.93; answer "the cat" -> 1.0; nothing in common -> 0.0.
    Source: Popović 2015, https://aclanthology.org/W15-3049.
    """
    if not answer.text.strip() or not example.target.strip():
        return float(answer.text.strip() == example.target.strip())
    return float(_chrf().sentence_score(_nfc(answer.text), list(map(_nfc, accepted(example)))).score) / 100


def corpus_chrf(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """chrF of the whole set: n-gram counts are summed before the F-score, as papers report it.

    targets "the cat" and "a dog", answers "the cats" and "dogs" -> 0.84, while the mean of chrf is 0.71. If no target
    and no answer has a text, 1.0, as nothing equals nothing.
    """
    if not any(text.strip() for e, a in zip(examples, answers, strict=True) for text in (a.text, *accepted(e))):
        return 1.0
    texts = [_nfc(answer.text) for answer in answers]
    references = zip_longest(*(map(_nfc, accepted(example)) for example in examples))
    return float(_chrf().corpus_score(texts, [list(row) for row in references]).score) / 100


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _chrf() -> Any:
    try:
        from sacrebleu import CHRF
    except ImportError:
        raise SlmkitError("chrf needs the package sacrebleu", fix="pip install 'slmkit[metrics]'") from None
    return CHRF()
