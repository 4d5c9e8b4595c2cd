"""An independent re-reader: answers a document's question from the rendered text alone.

It shares the word lists with the engine, and none of its drawing: it parses what was written. A gold item on which the two
disagree is dropped and counted.
"""

from __future__ import annotations

import re

from slmkit.data.world import tickets, words
from slmkit.data.world.engine import Doc


def reread(doc: Doc) -> str | None:
    """The answer that the text of the first turn supports; None where it supports none, or more than one."""
    return _READERS[doc.family](doc)


def _ticket(doc: Doc, house_seed: int = 0) -> str | None:
    text = doc.turns[0].question
    topics = {t for t, phrases in words.TOPICS.items() for p in phrases if _pattern(p).search(text)}
    urgencies = {u for u, hints in words.URGENCY.items() for hint in hints if hint in text}
    if len(topics) != 1 or len(urgencies) != 1:
        return None
    name = text.rstrip(".").split()[-1]
    return tickets.house(house_seed).answer(topics.pop(), urgencies.pop(), name)


def _pattern(phrase: str) -> re.Pattern[str]:
    return re.compile(re.escape(phrase.replace(" ,", ",")).replace(r"\{g\}", "[a-z]+") + r"(?=[.,])")


_READERS = {"tickets": _ticket}
