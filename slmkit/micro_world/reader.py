"""An independent reader: answers a document's question from the rendered text alone.

It shares only the word lists with the engine: it parses the text, and computes rules and chains independently. A gold
example on which the two disagree is discarded and counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

from slmkit.micro_world import families, skills, tickets, vocabulary
from slmkit.micro_world.engine import Doc, Fact, canon, questions, render, statements
from slmkit.micro_world.vocabulary import RELATIONS


def reread(doc: Doc) -> str | None:
    """The answer to the document's first question that the text supports; None if it supports none or several."""
    return _READERS[doc.family](doc, doc.turns[0].question)


def read_facts(notes: str) -> list[Fact]:
    """The facts in the notes, one per sentence. Raises: ValueError for a sentence with no fact, or with several."""
    facts: list[Fact] = []
    for sentence in map(str.strip, re.findall(r"[^.\n]+\.", notes)):
        found = {
            (match["n"], relation, match["v"])
            for relation, word, pattern in _sentence_patterns()
            if word in sentence and (match := pattern.fullmatch(sentence)) and _can_be(relation, match["v"])
        }
        if len(found) != 1:
            raise ValueError(f"expected one fact in {sentence!r}, found {sorted(found)}")
        facts += found
    return facts


def read_question(question: str) -> tuple[str, str]:
    """The name and relation that are asked for. Raises: ValueError if they are unclear."""
    found = {(m["n"], relation) for relation, pattern in _question_patterns() if (m := pattern.fullmatch(question))}
    if len(found) != 1:
        raise ValueError(f"expected one relation in {question!r}, found {sorted(found)}")
    return found.pop()


def _from_notes(doc: Doc, question: str) -> str | None:
    name, relation = read_question(question)
    values = {value for n, rel, value in read_facts(doc.notes) if (n, rel) == (name, relation)}
    return values.pop() if len(values) == 1 else None if values else families.ABSTAIN


def _from_passages(doc: Doc, question: str) -> str | None:
    name, relation = read_question(question)
    facts = [fact for _, text in doc.passages for fact in read_facts(text)]
    values = [value for n, rel, value in facts if (n, rel) == (name, relation)]
    return values[0] if len(values) == 1 else None


def _in_house_form(doc: Doc, question: str) -> str | None:
    value = (_from_passages if doc.passages else _from_notes)(doc, question)
    return tickets.entry(read_question(question)[1], value) if value else None


def _from_canon(doc: Doc, question: str) -> str | None:
    return canon().get(read_question(question))


def _ticket(doc: Doc, question: str) -> str | None:
    topics = {topic for topic, phrases in vocabulary.TOPICS.items() for p in phrases if _phrase(p).search(question)}
    urgencies = {
        urgency for urgency, hints in vocabulary.URGENCY.items() for p in hints if _phrase(p).search(question)
    }
    if len(topics) != 1 or len(urgencies) != 1:
        return None
    return tickets.house(0).answer(topics.pop(), urgencies.pop(), question.rstrip(".").split()[-1])


def _skill(doc: Doc, question: str) -> str | None:
    answers = set()
    for noun, (own, _) in skills.SKILLS.items():
        for wording in (*(frame.replace("{k}", noun) for frame in skills.FRAMES), *own):
            match = re.fullmatch(re.escape(wording).replace(r"\{x\}", "(.+)"), question)
            if match and (answer := _RULES[noun](match[1])) is not None:
                answers.add(answer)
    return answers.pop() if len(answers) == 1 else None


def _pattern(doc: Doc, question: str) -> str | None:
    return " ".join(question.split()[::-1])


def _say(doc: Doc, question: str) -> str | None:
    match = re.fullmatch(r"(?:please )?say (.+?)(?: again)?\.", question)
    return match[1] if match else None


def _chain(doc: Doc, question: str) -> str | None:
    value = int(re.findall(r"start (\d+)", question)[0])
    for operation, by in re.findall(r"(add|minus|double)(?: (\d+))?", question):
        value = value * 2 if operation == "double" else value + int(by) * (1 if operation == "add" else -1)
    return str(value % skills.RING)  # reduced once, at the end


def _fork(doc: Doc, question: str) -> str | None:
    endings = {cue: (usual, other) for cue, usual, other in families.forks()}.get(question, ())
    return doc.turns[0].answer if doc.turns[0].answer in endings else None


def _tool_call(doc: Doc, question: str) -> str | None:
    if numbers := re.fullmatch(r"(?:how much is|what is|add) (\d+) (?:plus|and) (\d+)[?.]", question):
        return f"call calc {numbers[1]} + {numbers[2]}"
    if ("book" in question or "look up" in question) and (match := re.search(r"the (\w+) of (\w+)", question)):
        return f"call lookup {match[2]} {match[1]}"
    return _skill(doc, question) or _say(doc, question)


def _can_be(relation: str, value: str) -> bool:
    return value in RELATIONS[relation].values or not RELATIONS[relation].values


@cache
def _sentence_patterns() -> list[tuple[str, str, re.Pattern[str]]]:
    """For each wording its relation, a piece of it that saves trying most patterns, and its pattern."""
    return [
        (relation, max(re.split(r"\{[nv]\}|\ba \{v\}", text), key=len).strip(), _slots(text))
        for relation in RELATIONS
        for wording in (*statements(relation), *statements(relation, new=True))
        for text in [render(wording, "{n}", "{v}")]
    ]


@cache
def _question_patterns() -> list[tuple[str, re.Pattern[str]]]:
    return [
        (relation, _slots(render(wording, "{n}")))
        for relation in RELATIONS
        for wording in (*questions(relation), *questions(relation, new=True))
    ]


def _slots(wording: str) -> re.Pattern[str]:
    text = re.escape(wording).replace(r"a\ \{v\}", r"an?\ \{v\}")
    return re.compile(text.replace(r"\{n\}", "(?P<n>[a-z]+)").replace(r"\{v\}", "(?P<v>[a-z0-9]+)"))


@cache
def _phrase(phrase: str) -> re.Pattern[str]:
    text = re.escape(phrase.replace(" ,", ",")).replace(r"\{g\}", "[a-z]+").replace(r"a\ [", r"an?\ [")
    return re.compile(rf"(?:^|[.,] ){text}(?=\.)")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def _mood(text: str) -> str | None:
    good, bad = (
        any(word in text.split() for word in listed) for listed in (vocabulary.GOOD_WORDS, vocabulary.BAD_WORDS)
    )
    return None if good == bad else "good" if good else "bad"


def _kind(text: str) -> str | None:
    return next((kind for kind, members in vocabulary.CATEGORIES.items() if text in members), None)


_RULES: dict[str, Callable[[str], str | None]] = {
    "opposite": vocabulary.OPPOSITES.get,
    "kind": _kind,
    "mood": _mood,
    "larger number": lambda text: str(sorted(_numbers(text))[-1]),
    "smaller number": lambda text: str(sorted(_numbers(text))[0]),
    "reverse": lambda text: " ".join(text.split()[::-1]),
    "first word": lambda text: text.split()[0],
    "last word": lambda text: text.split()[-1],
    "letters": lambda text: " ".join(list(text)),
    "order": lambda text: " ".join(map(str, sorted(_numbers(text)))),
    "next day": lambda text: vocabulary.DAYS[vocabulary.DAYS.index(text) - 6],
    "sum": lambda text: str(sum(_numbers(text))),
    "difference": lambda text: str(abs(_numbers(text)[0] - _numbers(text)[1])),
}
_READERS = {
    "reading": _from_notes, "rag": _from_notes, "unanswerable": _from_notes, "over_canon": _from_notes,
    "canon": _from_canon, "fresh": _from_passages, "fresh_tickets": _in_house_form, "tickets": _ticket,
    "drift": _ticket, "skills": _skill, "pattern": _pattern, "say": _say, "chains": _chain,
    "tools": _tool_call, "pairs": _from_notes, "forks": _fork,
}  # fmt: skip
