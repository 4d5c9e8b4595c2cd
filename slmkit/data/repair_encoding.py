"""Mojibake undone: text that was decoded by the wrong encoding somewhere on its way, "cafÃ©" -> "café".

By ftfy (Speer 2019, https://doi.org/10.5281/zenodo.2591652). Only what a wrong decoding did is undone: quotes,
entities, ligatures and widths stay as they were written.
"""

from __future__ import annotations


def repair_encoding(text: str) -> str:
    """The text as it was before it was decoded wrongly; unchanged where nothing points to that."""
    import ftfy

    if text.isascii():
        return text
    return ftfy.fix_encoding(text)
