"""Generates gap-fill questions from plain documents: a sentence with its most informative word replaced by a gap.

    "The tower was finished in 1889 by Eiffel." -> "The tower was finished in ____ by Eiffel."  answer "1889"
    "该塔于1889年完工，高330米，位于巴黎。" -> "该塔于____年完工，高330米，位于巴黎。"  answer "1889"

These questions are synthetic: they only measure how well a system finds or remembers facts from the documents. The
word depends on its sentence alone, so adding documents does not change the questions about the existing ones.
Chinese, Japanese and Thai have no spaces that show where a word ends: there, only numbers, words in other letters and
Japanese katakana words become gaps.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.documents import chunk
from slmkit.text.sentences import split_sentences
from slmkit.text.words import UNSPACED, combining_marks, count_words, is_unspaced

GAP = "____"
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_NOT_PROSE = re.compile(r"^\s*(\||#|```|<|\{|[-*+] |\d+\. )|https?://|[{}|<>=]")


def gap_fill(rows: Sequence[CanonicalRow]) -> list[CanonicalRow]:
    """One question per sentence of 6 to 40 words that contains a number, a name or a long word."""
    questions = []
    for row in rows:
        for passage in chunk(row.input, chunk_size=120):
            for line in passage.split("\n"):
                for sentence in [] if _NOT_PROSE.search(line) else split_sentences(_LINK.sub(r"\1", line)):
                    found = _informative_word(sentence)
                    if found:
                        word = found[0]
                        question = sentence[: found.start()] + GAP + sentence[found.end() :]
                        values = {"messages": user_and_assistant(question, word)}
                        questions.append(CanonicalRow(values, question, word, row.file, row.line, passage=passage))
    return questions


def _informative_word(sentence: str) -> re.Match[str] | None:
    """A number, a name, or the longest word of seven letters or more; it must occur once in the sentence."""
    found = list(_word().finditer(sentence))
    has_spaces = not is_unspaced(sentence)
    if not 6 <= (len(found) if has_spaces else count_words(sentence)) <= 40:
        return None
    texts = [match[0] for match in found]
    once = [match for match in (found[1:] if has_spaces else found) if texts.count(match[0]) == 1]
    numbers = [match for match in once if match[0][0].isdigit()]
    if has_spaces:
        names = [match for match in once if match[0][0].isupper() and len(match[0]) > 2]
        long = sorted((match for match in once if len(match[0]) >= 7), key=lambda match: len(match[0]), reverse=True)
    else:
        names, long = [match for match in once if len(match[0]) > 2], []
    return next(iter([*numbers, *names, *long]), None)


@functools.cache
def _word() -> re.Pattern[str]:
    letter = rf"[^\W_{UNSPACED}]"
    inner = rf"(?:[^\W{UNSPACED}]|[{combining_marks()}'’-])*"
    return re.compile(rf"{letter}{inner}(?:[.,]\d+)*%?|[ァ-ヺー]{{3,}}")
