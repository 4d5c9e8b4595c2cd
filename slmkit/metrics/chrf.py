"""chrF: how many short runs of characters answer and target share; kinder than words to endings and compounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.types import Answer, Example


def chrf(example: Example, answer: Answer) -> float:
    """F2 of runs of up to 6 characters, by sacrebleu, the aliases being further references; 1 is the target itself.

    target "the cat", answer "the cats" -> 0.95; nothing in common -> 0.0.
    Source: Popović 2015, https://aclanthology.org/W15-3049.
    """
    return float(_chrf().sentence_score(answer.text, [example.target, *example.aliases]).score) / 100


def corpus_chrf(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """chrF with the counts of all answers added up before the F-score, as papers report it; targets only."""
    said = [answer.text for answer in answers]
    return float(_chrf().corpus_score(said, [[example.target for example in examples]]).score) / 100


def _chrf() -> Any:
    try:
        from sacrebleu import CHRF
    except ImportError:
        raise SlmkitError("chrF needs the package sacrebleu", fix="pip install 'slmkit[metrics]'") from None
    return CHRF()
