"""The facts of the micro-world: the names of each split, what is true of them, and the wordings that state it.

A hash of the name or wording itself decides its split, not a row number, so that drawing more data moves nothing
between splits. families.py renders these facts as text.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b
from typing import Literal

from slmkit.micro_world import vocabulary
from slmkit.micro_world.vocabulary import RELATIONS

Split = Literal["train", "dev", "gold", "live"]
Fact = tuple[str, str, str]  # name, relation, value


@dataclass(frozen=True)
class Turn:
    """A question and its answer; `steps` is the text between <think> tags before the answer."""

    question: str
    answer: str
    steps: str = ""
    role: Literal["user", "tool"] = "user"


@dataclass(frozen=True)
class Doc:
    """Notes and questions about them: a corpus document, a chat or, with its first turn, an example."""

    family: str
    notes: str
    turns: tuple[Turn, ...]
    facts: tuple[Fact, ...] = ()
    slice: dict[str, str] = field(default_factory=dict)
    passages: tuple[tuple[str, str], ...] = ()  # (id, text): documents that a retriever may find
    relevant: tuple[str, ...] = ()


def rng(*parts: object) -> random.Random:
    """An independent random generator per namespace, e.g. rng("gold", "reading", 17)."""
    return random.Random("/".join(map(str, parts)))


def share(text: str) -> float:
    """A number in [0, 1) that depends only on the text."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


@cache
def names(split: Split) -> tuple[str, ...]:
    """The names of a split, out of the 4,096 that the syllables form."""
    everyone = (first + second for first in vocabulary.FIRST for second in vocabulary.SECOND)
    return tuple(name for name in everyone if belongs(name, split) and name not in _ENGLISH)


def belongs(text: str, split: Split) -> bool:
    """Whether a name or prompt belongs to this split, by its hash: 80% train, 5% dev, the rest gold and live."""
    low, high = {"train": (0.0, 0.8), "dev": (0.8, 0.85)}.get(split, (0.85, 1.0))
    return low <= share(text) < high


@cache
def statements(relation: str, *, new: bool = False) -> tuple[str, ...]:
    """The statements of a relation, with its noun filled in; with `new`, those that never occur in training."""
    return _wordings(relation, RELATIONS[relation].statements, vocabulary.FRAMES, new)


@cache
def questions(relation: str, *, new: bool = False) -> tuple[str, ...]:
    """The questions about a relation; with `new`, those that never occur in training."""
    return _wordings(relation, RELATIONS[relation].questions, vocabulary.QUESTIONS, new)


def render(wording: str, name: str, value: str = "") -> str:
    """The wording with its slots filled and without spaces before punctuation."""
    text = wording.replace("{n}", name).replace("{v}", value)
    text = text.replace(" .", ".").replace(" ?", "?").replace(" ,", ",").replace(" :", ":")
    return _BEFORE_VOWEL.sub("an", text)


def draw_value(r: random.Random, relation: str, split: Split, *, but: tuple[str, ...] = ()) -> str:
    """A random value of the relation that is not in `but`."""
    values = RELATIONS[relation].values or names(split)
    while (value := r.choice(values)) in but:
        pass
    return value


@cache
def canon() -> dict[tuple[str, str], str]:
    """The canon, fixed facts that models learn by heart: 100 training names with four facts each."""
    r = rng("canon")
    people = r.sample(names("train"), 100)
    relations = [relation for relation in RELATIONS if relation != "friend"]
    return {(name, rel): draw_value(r, rel, "train") for name in people for rel in r.sample(relations, 4)}


def _wordings(relation: str, own: tuple[str, ...], frames: tuple[str, ...], new: bool) -> tuple[str, ...]:
    """The new or the training wordings: new are two frames, chosen by hash, and the last of the relation's own."""
    frames = tuple(frame.replace("{r}", relation) for frame in frames)
    new_wordings = {*sorted(frames, key=share)[: vocabulary.NUM_GOLD_WORDINGS - 1], own[-1]}
    return tuple(wording for wording in (*frames, *own) if (wording in new_wordings) == new)


_BEFORE_VOWEL = re.compile(r"\ba(?= [aeio])")
# Names that are a word of the micro-world, or the beginning of one.
_ENGLISH = frozenset(("began", "begin", "later", "lovel", "melon", "robot", "salon", "water"))
