"""What a system that retrieves says about its retrieval: questions without a passage, and how words were cut."""

from __future__ import annotations

from collections.abc import Sequence

from slmkit.text.words import is_unspaced


def retrieval_notes(searched: Sequence[tuple[str, int]], *, found: str = "passage") -> list[str]:
    """Notes on the texts searched for, each with its number of hits; found: what a hit is, "passage" or "row".

    Example: [("猫吃什么？", 3), ("xyz", 0)] -> "1 of 2 questions found no passage …", "1 of 2 questions is …".
    """
    without = sum(not num_hits for _, num_hits in searched)
    unspaced = sum(is_unspaced(text) for text, _ in searched)
    notes = []
    total = f"of {len(searched):,} questions"
    if without:
        notes.append(f"{without:,} {total} found no {found}: they share no word with any")
    if unspaced:
        verb = "is" if unspaced == 1 else "are"
        notes.append(
            f"{unspaced:,} {total} {verb} in a script without spaces between words: bm25 and lsa compare pairs of "
            "characters"
        )
    return notes
