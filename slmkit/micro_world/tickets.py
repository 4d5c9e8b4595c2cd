"""House tickets: customer messages with answers in a format that only the house's handbook or its examples define.

A ticket has a topic and an urgency. A house assigns a code word to each of the twelve pairs and a team to each topic.
The codes are drawn from the house seed, so they cannot be inferred: they must be looked up or learned.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache

from slmkit.micro_world import vocabulary
from slmkit.micro_world.engine import Doc, Split, Turn, names, rng

REPLIES = {"now": "we come today", "soon": "we write this week", "later": "we note it down"}
INSTRUCTION = "sort the ticket for the house."


@dataclass(frozen=True)
class House:
    """The scheme of a house: a code per (topic, urgency) and a team per topic."""

    codes: dict[tuple[str, str], str]
    teams: dict[str, str]

    def answer(self, topic: str, urgency: str, name: str) -> str:
        """The whole ticket line, e.g. "code: falcon; team: amber; reply: miban, we come today"."""
        return f"code: {self.codes[topic, urgency]}; team: {self.teams[topic]}; reply: {name}, {REPLIES[urgency]}"


@cache
def house(house_seed: int) -> House:
    """The house of this seed: sixteen distinct words, twelve for codes and four for teams."""
    marks = rng("house", house_seed).sample(vocabulary.MARKS, 16)
    pairs = [(topic, urgency) for topic in vocabulary.TOPICS for urgency in vocabulary.URGENCY]
    return House(dict(zip(pairs, marks, strict=False)), dict(zip(vocabulary.TOPICS, marks[12:], strict=True)))


def talk(r: random.Random, split: Split) -> tuple[str, str, str, str]:
    """A customer message with its topic, urgency and signature: (text, topic, urgency, name)."""
    topic, urgency = r.choice(list(vocabulary.TOPICS)), r.choice(list(vocabulary.URGENCY))
    problem = r.choice(vocabulary.TOPICS[topic]).replace("{g}", r.choice(vocabulary.GOODS))
    parts = [problem, r.choice(vocabulary.URGENCY[urgency]), *(aside(r) for _ in range(r.randint(2, 3)))]
    r.shuffle(parts)
    name = r.choice(names(split))
    text = f"{r.choice(vocabulary.GREETINGS)}, {'. '.join(parts)}. {r.choice(vocabulary.CLOSINGS)}, {name}."
    return text.replace(" ,", ","), topic, urgency, name


def ticket(r: random.Random, split: Split, *, house_seed: int = 0) -> Doc:
    """One ticket and the house's answer line."""
    text, topic, urgency, name = talk(r, split)
    answer = house(house_seed).answer(topic, urgency, name)
    return Doc("tickets", "", (Turn(text, answer),), slice={"topic": topic, "urgency": urgency})


def handbook(house_seed: int = 0) -> list[tuple[str, str]]:
    """The house's handbook as passages (id, text): the format, and one passage per code, team and reply."""
    scheme = house(house_seed)
    asked = {"now": "today", "soon": "this week", "later": "without hurry"}
    passages = [
        (
            "form",
            "a ticket is answered in one line: its code, its team, and a reply that begins with the customer name.",
        )
    ]
    for (topic, urgency), code in scheme.codes.items():
        passages.append((f"code-{topic}-{urgency}", f"the code of {topic} tickets that are for {urgency} is {code}."))
    for topic, team in scheme.teams.items():
        passages.append((f"team-{topic}", f"all {topic} tickets go to the team {team}."))
    for urgency, reply in REPLIES.items():
        passages.append(
            (f"reply-{urgency}", f"{urgency} means that help is asked {asked[urgency]}. then the reply is {reply}.")
        )
    return passages


def entry(relation: str, value: str, house_seed: int = 0) -> str:
    """A fact in the house's format, with the house's code for the relation, e.g. "code: lotus; entry: baker"."""
    codes = rng("entries", house_seed).sample(vocabulary.MARKS, len(vocabulary.RELATIONS))
    return f"code: {dict(zip(vocabulary.RELATIONS, codes, strict=True))[relation]}; entry: {value}"


def aside(r: random.Random) -> str:
    """A remark unrelated to topic and urgency."""
    text = r.choice(vocabulary.ASIDES)
    slots = {
        "{p}": vocabulary.PLACES, "{a}": vocabulary.ANIMALS, "{j}": vocabulary.JOBS, "{d}": vocabulary.DRINKS,
        "{c}": vocabulary.COLOURS, "{m}": vocabulary.MATERIALS, "{k}": vocabulary.NUMBERS[20:90],
        "{f}": vocabulary.FOODS, "{o}": vocabulary.MONTHS, "{i}": vocabulary.INSTRUMENTS,
    }  # fmt: skip
    for slot, values in slots.items():
        text = text.replace(slot, r.choice(values)) if slot in text else text
    return text
