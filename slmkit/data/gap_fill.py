"""Generates gap-fill questions from plain documents: a sentence with its most informative word replaced by a gap.

    "The tower was finished in 1889 by Eiffel." -> "The tower was finished in ____ by Eiffel."  answer "1889"

These questions are synthetic: they only measure how well a system finds or remembers facts from the documents. The
word depends on its sentence alone, so adding documents does not change the questions about the existing ones.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.documents import chunk, split_sentences

GAP = "____"
_WORD = re.compile(r"[^\W_][\w'’-]*(?:[.,]\d+)*%?")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NOT_PROSE = re.compile(r"^\s*(\||#|```|<|\{|[-*+] |\d+\. )|https?://|[{}|<>=]")


def gap_fill(rows: Sequence[CanonicalRow]) -> list[CanonicalRow]:
    """One question per sentence of 6 to 40 words that contains a number, a name or a long word."""
    questions = []
    for row in rows:
        for passage in chunk(row.input, chunk_size=120):
            for line in passage.split("\n"):
                for sentence in [] if _NOT_PROSE.search(line) else split_sentences(_LINK.sub(r"\1", line)):
                    word = _informative_word(sentence)
                    if word:
                        question = re.sub(rf"(?<![\w]){re.escape(word)}(?![\w])", GAP, sentence, count=1)
                        values = {"messages": user_and_assistant(question, word)}
                        questions.append(CanonicalRow(values, question, word, row.file, row.line, passage=passage))
    return questions


def _informative_word(sentence: str) -> str | None:
    """A number, a name, or the longest word of seven letters or more; it must occur once in the sentence."""
    words = _WORD.findall(sentence)
    if not 6 <= len(words) <= 40:
        return None
    once = [word for word in words[1:] if words.count(word) == 1]
    numbers = [word for word in once if word[0].isdigit()]
    names = [word for word in once if word[0].isupper() and len(word) > 2]
    long = sorted((word for word in once if len(word) >= 7), key=len, reverse=True)
    return next(iter([*numbers, *names, *long]), None)
