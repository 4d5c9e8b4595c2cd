"""Slots of an utterance, as JSON fields over a whole set: the F1 that slot-filling papers report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from slmkit.metrics._text import fields_of, read_json
from slmkit.types import Answer, Example


def slot_f1(examples: Sequence[Example], answers: Sequence[Answer]) -> float:
    """F1 of all (slot, value) pairs of the set counted together, so that long utterances weigh more.

    targets {"a": 1, "b": 2} and {"a": 3}, answers {"a": 1} and {"a": 4}: 1 of 2 said, 1 of 3 wanted -> 0.4.
    An answer that is not JSON says nothing. Source: Tjong Kim Sang and Buchholz 2000 (conlleval), https://aclanthology.org/W00-0726.
    """
    same = said = wanted = 0
    for example, answer in zip(examples, answers, strict=True):
        ours, theirs = (Counter(fields_of(read_json(text))) for text in (answer.text, example.target))
        same += (ours & theirs).total()
        said += ours.total()
        wanted += theirs.total()
    return 2 * same / (said + wanted) if said + wanted else 1.0
