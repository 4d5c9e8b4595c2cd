"""The families of documents: what a document of each kind contains and which questions it asks.

A family is a function of a random generator and a split. Training uses the training names and wordings; gold and live
sets use their own names and, if the slice says "new", wordings that never occur in training.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

from slmkit.micro_world import skills, tickets, vocabulary
from slmkit.micro_world.engine import (
    Doc,
    Fact,
    Split,
    Turn,
    canon,
    draw_value,
    names,
    questions,
    render,
    rng,
    statements,
)
from slmkit.micro_world.vocabulary import RELATIONS

ABSTAIN = "the notes do not say"
DAY = 1001  # the day of the "fresh" facts, which are in no corpus


@dataclass(frozen=True)
class Family:
    """How a family draws a document, and the texts of its gold card."""

    draw: Callable[[random.Random, Split], Doc]
    rules: str
    instruction: str = ""
    num_gold: int = 200


def reading(r: random.Random, split: Split) -> Doc:
    """Facts about two to four people with the same one or two relations, and questions about some of them."""
    new = _new_wording(r, split)
    people = r.sample(names(split), r.randint(2, 4))
    relations = r.sample(list(RELATIONS), r.randint(1, 2))
    facts = _draw_facts(r, split, people, relations)
    return Doc("reading", _notes(r, facts, new), _ask(r, facts, new, split), tuple(facts), _wording(split, new))


def binding(r: random.Random, split: Split) -> Doc:
    """One relation for two to four people, and questions about them: only the name identifies the value."""
    people = r.sample(names(split), r.randint(2, 4))
    facts = _draw_facts(r, split, people, [r.choice(list(RELATIONS))])
    return Doc("reading", _notes(r, facts, False), _ask(r, facts, False, split), tuple(facts))


def cards(r: random.Random, split: Split) -> Doc:
    """Names with one value each, in the shortest form: "miban: owl. rodel: fox." and "rodel?"."""
    people = r.sample(names(split), r.randint(3, 6))
    facts = _draw_facts(r, split, people, [r.choice(list(RELATIONS))])
    notes = " ".join(f"{name}: {value}." for name, _, value in facts)
    r.shuffle(facts)
    return Doc("cards", notes, tuple(Turn(f"{name}?", value) for name, _, value in facts), tuple(facts))


def rag(r: random.Random, split: Split) -> Doc:
    """Three notes about different people, one of which holds the answer."""
    new = _new_wording(r, split)
    people = r.sample(names(split), 3)
    facts = _draw_facts(r, split, people, r.sample(list(RELATIONS), r.randint(1, 2)))
    notes = [_notes(r, [fact for fact in facts if fact[0] == name], new) for name in people]
    turns = _ask(r, facts, new, split)
    return Doc("rag", "\n".join(notes), turns, tuple(facts), _wording(split, new))


def unanswerable(r: random.Random, split: Split) -> Doc:
    """A question about a person or relation that is not in the notes. Training documents also ask answerable ones."""
    doc = (rag if r.random() < 0.5 else reading)(r, split)
    people, relations = {fact[0] for fact in doc.facts}, {fact[1] for fact in doc.facts}
    new = doc.slice.get("wording") == "new"
    turns = []
    for turn in doc.turns:
        if r.random() < 0.5:
            name, relation = (
                r.choice([n for n in r.sample(names(split), 6) if n not in people]),
                r.choice(sorted(relations)),
            )
        else:
            name, relation = r.choice(sorted(people)), r.choice([rel for rel in RELATIONS if rel not in relations])
        turns.append(Turn(render(r.choice(questions(relation, new=new)), name), ABSTAIN))
        if split == "train":
            turns.append(turn)
    return replace(doc, family="unanswerable", turns=tuple(turns))


def canon_fact(r: random.Random, split: Split) -> Doc:
    """Questions about a person of the canon without notes; gold sets use wordings that never occur in training."""
    name = r.choice(sorted({name for name, _ in canon()}))
    facts = [(n, relation, value) for (n, relation), value in canon().items() if n == name]
    r.shuffle(facts)
    new = split in ("gold", "live")
    turns = tuple(Turn(render(r.choice(questions(rel, new=new)), name), value) for _, rel, value in facts)
    return Doc("canon", "", turns, tuple(facts), {"relation": facts[0][1]})


def canon_text(r: random.Random, split: Split) -> Doc:
    """Facts of the canon as text, for the corpus of the base models."""
    doc = canon_fact(r, split)
    return replace(doc, family="canon_text", notes=_notes(r, list(doc.facts), False), turns=doc.turns[:1])


def over_canon(r: random.Random, split: Split) -> Doc:
    """Notes that contradict the canon; the answer follows the notes."""
    name, relation = r.choice(list(canon()))
    value = draw_value(r, relation, "train", but=(canon()[name, relation],))
    other = r.choice(names(split))
    facts = [(name, relation, value), *_draw_facts(r, split, [other], [relation], taken=(value,))]
    new = _new_wording(r, split)
    question = render(r.choice(questions(relation, new=new)), name)
    return Doc("over_canon", _notes(r, facts, new), (Turn(question, value),), tuple(facts), _wording(split, new))


def fresh(r: random.Random, split: Split) -> Doc:
    """A question about a fact of today without notes; only a passage of today's notes contains the answer."""
    name = r.choice(names(split))
    passage = _today(split, name)
    fact = r.choice(passage.facts)
    question = render(r.choice(questions(fact[1])), name)
    return Doc(
        "fresh",
        "",
        (Turn(question, fact[2]),),
        passage.facts,
        {"relation": fact[1]},
        ((name, passage.notes),),
        (name,),
    )


def fresh_ticket(r: random.Random, split: Split) -> Doc:
    """A fact of today in the house format: the format must be learned and the fact retrieved."""
    doc = fresh(r, split)
    relation, value = next((rel, v) for _, rel, v in doc.facts if rel == doc.slice["relation"])
    turn = Turn(doc.turns[0].question, tickets.entry(relation, value))
    if split == "train":  # training rows include notes, as a retriever would supply them
        others = [_today(split, name).notes for name in r.sample(names(split), 2) if name != doc.relevant[0]]
        notes = r.sample([doc.passages[0][1], *others], len(others) + 1)
        return replace(doc, family="fresh_tickets", notes="\n".join(notes), turns=(turn,), passages=(), relevant=())
    return replace(doc, family="fresh_tickets", turns=(turn,))


def talk(r: random.Random, split: Split) -> Doc:
    """A customer message and plain questions about it, which teach its words; house tickets are in no corpus."""
    text, topic, urgency, name = tickets.talk(r, split)
    turns = [
        Turn(render(r.choice(vocabulary.TALK_QUESTIONS[asked]), ""), answer)
        for asked, answer in (("topic", topic), ("urgency", urgency), ("name", name))
    ]
    r.shuffle(turns)
    return Doc("talk", text, tuple(turns))


def fork(r: random.Random, split: Split) -> Doc:
    """A sentence with one ending in 70% and another in 30% of the documents, to measure calibration."""
    number = r.randrange(20)
    cue, usual, other = forks()[number]
    return Doc(
        "forks", "", (Turn(cue, usual if split == "gold" or r.random() < 0.7 else other),), slice={"usual": "0.7"}
    )


@cache
def forks() -> tuple[tuple[str, str, str], ...]:
    """The forks: (cue, ending with probability 0.7, ending with probability 0.3)."""
    r = rng("forks")
    found = []
    for color, hobby in zip(r.sample(vocabulary.COLOURS * 2, 20), r.sample(vocabulary.HOBBIES * 2, 20), strict=True):
        usual, other = r.sample(vocabulary.PLACES, 2)
        found.append((f"after {hobby}, the {color} door opens to the ...", usual, other))
    return tuple(found)


def pair(r: random.Random, split: Split) -> Doc:
    """A question with its correct answer and, in the slice, a wrong one that also occurs in the notes."""
    doc = (rag if r.random() < 0.5 else reading)(r, split)
    wrong = [value for _, _, value in doc.facts if value != doc.turns[0].answer]
    return replace(
        doc, family="pairs", turns=doc.turns[:1], slice={**doc.slice, "rejected": r.choice([*wrong, ABSTAIN])}
    )


def drift(r: random.Random, split: Split) -> Doc:
    """Tickets with a day from 1 to 60; after day 30 the share of urgent repairs grows from 1/12 to about 1/2."""
    day = r.randint(1, 60)
    doc = tickets.ticket(r, split)
    drifting = {"topic": "repair", "urgency": "now"}
    while day > 30 and r.random() < (day - 30) / 60 and doc.slice != drifting:
        doc = tickets.ticket(r, split)
    return replace(doc, family="drift", slice={**doc.slice, "day": str(day)})


def all_of_today() -> dict[str, str]:
    """Today's notes about all names of the gold and dev sets: the documents that a retriever searches."""
    return {name: _today(split, name).notes for split in _HELD_OUT for name in names(split)}


@cache
def _today(split: Split, name: str) -> Doc:
    """Today's note about one person: two facts that are in no other document."""
    r = rng("today", DAY, split, name)
    facts = _draw_facts(r, split, [name], r.sample(list(RELATIONS), 2))
    return Doc("fresh", _notes(r, facts, False), (), tuple(facts))


def _draw_facts(
    r: random.Random, split: Split, people: list[str], relations: list[str], taken: tuple[str, ...] = ()
) -> list[Fact]:
    """One fact per person and relation; the values of a relation are distinct, so that each identifies one person."""
    facts: list[Fact] = []
    for relation in relations:
        used = [*people, *taken]
        for name in people:
            used.append(draw_value(r, relation, split, but=tuple(used)))
            facts.append((name, relation, used[-1]))
    r.shuffle(facts)
    return facts


def _notes(r: random.Random, facts: list[Fact], new: bool) -> str:
    return " ".join(render(r.choice(statements(relation, new=new)), name, value) for name, relation, value in facts)


def _ask(r: random.Random, facts: list[Fact], new: bool, split: Split) -> tuple[Turn, ...]:
    asked = r.sample(facts, 1 if split in ("gold", "live") else min(len(facts), r.randint(2, 6)))
    return tuple(Turn(render(r.choice(questions(relation, new=new)), name), value) for name, relation, value in asked)


def _new_wording(r: random.Random, split: Split) -> bool:
    return split in ("gold", "live") and r.random() < 0.5


def _wording(split: Split, new: bool) -> dict[str, str]:
    return {"wording": "new" if new else "trained"} if split in ("gold", "live") else {}


_HELD_OUT: tuple[Split, ...] = ("gold", "dev")
_EXACT = "Correct when the answer equals the target, ignoring case and surrounding spaces."
FAMILIES: dict[str, Family] = {
    "reading": Family(reading, _EXACT, num_gold=440),
    "rag": Family(rag, _EXACT, num_gold=440),
    "unanswerable": Family(unanswerable, _EXACT),
    "canon": Family(canon_fact, _EXACT),
    "over_canon": Family(over_canon, _EXACT),
    "skills": Family(skills.rule, _EXACT, num_gold=260),
    "arithmetic": Family(skills.arithmetic, _EXACT),
    "pattern": Family(
        skills.pattern, "Correct when the three words are in reverse order; the prompt does not state this rule."
    ),
    "say": Family(skills.say_word, _EXACT),
    "chains": Family(skills.chain, "Correct when the text after the reasoning equals the target.", num_gold=440),
    "tools": Family(
        skills.tool_call, "Correct when the tool call, or the answer if no call is needed, equals the target."
    ),
    "tickets": Family(
        tickets.ticket,
        "Correct when code, team and reply are all correct; the code alone is also scored.",
        instruction=tickets.INSTRUCTION,
    ),
    "fresh": Family(fresh, _EXACT),
    "fresh_tickets": Family(
        fresh_ticket, "Correct when the whole line is: the company's code for the relation, then today's value."
    ),
    "pairs": Family(pair, "The target is the better answer; the slice `rejected` is the worse one."),
    "forks": Family(fork, "Each cue has two endings, with probabilities 0.7 and 0.3.", num_gold=20),
    "drift": Family(drift, "As for tickets; the slice contains the day of the ticket."),
}
