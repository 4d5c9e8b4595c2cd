"""The engine that owns the truth: who exists in which split, what is true of them, and the answer to a question.

Splits are decided by a hash of the thing itself (a name, a wording), never by a row number, so drawing more data never
moves anything across. Text is only a rendering of what is here; see families.py.
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
    """A question and its answer; `steps` is what may be said between <think> marks before the answer."""

    question: str
    answer: str
    steps: str = ""
    role: Literal["user", "tool"] = "user"


@dataclass(frozen=True)
class Doc:
    """Notes and the questions asked about them: a document of the corpus, a chat, or by its first turn an example."""

    family: str
    notes: str
    turns: tuple[Turn, ...]
    facts: tuple[Fact, ...] = ()
    slice: dict[str, str] = field(default_factory=dict)
    passages: tuple[tuple[str, str], ...] = ()  # (id, text): documents that a retriever may find
    relevant: tuple[str, ...] = ()


def rng(*parts: object) -> random.Random:
    """A generator of its own for each namespace, e.g. rng("gold", "reading", 17)."""
    return random.Random("/".join(map(str, parts)))


def share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") / 2**64


@cache
def names(split: Split) -> tuple[str, ...]:
    """The names of a split, of the 4,096 that the syllables make."""
    everyone = (first + second for first in vocabulary.FIRST for second in vocabulary.SECOND)
    return tuple(name for name in everyone if belongs(name, split) and name not in _ENGLISH)


def belongs(text: str, split: Split) -> bool:
    """Whether a name or a prompt is of this split, by its hash: 80 % train, 5 % dev, the rest gold and live sets."""
    low, high = {"train": (0.0, 0.8), "dev": (0.8, 0.85)}.get(split, (0.85, 1.0))
    return low <= share(text) < high


@cache
def statements(relation: str, *, new: bool = False) -> tuple[str, ...]:
    """The wordings of a relation, its noun filled in; `new` gives those that training never sees."""
    return _wordings(relation, RELATIONS[relation].said, vocabulary.FRAMES, new)


@cache
def questions(relation: str, *, new: bool = False) -> tuple[str, ...]:
    """The ways to ask for a relation; `new` gives those that training never sees."""
    return _wordings(relation, RELATIONS[relation].asked, vocabulary.QUESTIONS, new)


def say(wording: str, name: str, value: str = "") -> str:
    """The wording with its slots filled and its punctuation closed up."""
    text = wording.replace("{n}", name).replace("{v}", value)
    text = text.replace(" .", ".").replace(" ?", "?").replace(" ,", ",").replace(" :", ":")
    return _BEFORE_VOWEL.sub("an", text)


def draw_value(r: random.Random, relation: str, split: Split, *, but: tuple[str, ...] = ()) -> str:
    """A value that the relation can take, none of `but`."""
    values = RELATIONS[relation].values or names(split)
    while (value := r.choice(values)) in but:
        pass
    return value


@cache
def canon() -> dict[tuple[str, str], str]:
    """The fixed world of day 0: 100 people of the training names with four facts each."""
    r = rng("canon")
    people = r.sample(names("train"), 100)
    relations = [relation for relation in RELATIONS if relation != "friend"]
    return {(name, rel): draw_value(r, rel, "train") for name in people for rel in r.sample(relations, 4)}


def _wordings(relation: str, own: tuple[str, ...], frames: tuple[str, ...], new: bool) -> tuple[str, ...]:
    """Training has all frames but two and all own wordings but the last; which frames, the relation's hash decides."""
    frames = tuple(frame.replace("{r}", relation) for frame in frames)
    held = {*sorted(frames, key=share)[: vocabulary.NUM_GOLD_WORDINGS - 1], own[-1]}
    return tuple(wording for wording in (*frames, *own) if (wording in held) == new)


_BEFORE_VOWEL = re.compile(r"\ba(?= [aeio])")
# Names that are a word of the world, or the start of one.
_ENGLISH = frozenset(("began", "begin", "later", "lovel", "melon", "robot", "salon", "water"))
