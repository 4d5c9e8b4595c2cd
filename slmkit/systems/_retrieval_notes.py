"""What a system that retrieves says about its retrieval: questions without a passage, and how words were cut."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.systems._search_text import search_text
from slmkit.text.words import is_unspaced
from slmkit.types import Example


def retrieval_notes(searched: Sequence[tuple[Example, int]], *, found: str = "passage") -> list[str]:
    """Notes on the questions searched for, each with its number of hits; found: what a hit is, "passage" or "row".

    Example: 猫吃什么？ with 3 hits, xyz without -> "1 of 2 questions found no passage …", "1 of 2 questions is …".
    """
    without = sum(not num_hits for _, num_hits in searched)
    unspaced = sum(is_unspaced(question.input) for question, _ in searched)
    short = sum(search_text(question) != question.input for question, _ in searched) if found == "passage" else 0
    notes = []
    total = f"of {len(searched):,} questions"
    if without:
        notes.append(f"{without:,} {total} found no {found}: they share no word with any")
    if short:
        their, has = ("their last turns are", "were") if short > 1 else ("its last turn is", "was")
        notes.append(f"{short:,} {total} {has} searched with the user turns before too: {their} short")
    if unspaced:
        verb = "is" if unspaced == 1 else "are"
        notes.append(
            f"{unspaced:,} {total} {verb} in a script without spaces between words: bm25 and lsa compare pairs of "
            "characters"
        )
    return notes
