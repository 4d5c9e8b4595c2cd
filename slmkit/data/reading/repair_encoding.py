"""Undoes mojibake, text that was decoded with the wrong encoding: "cafÃ©" -> "café".

Uses ftfy (Speer 2019, https://doi.org/10.5281/zenodo.2591652). Only wrong decoding is undone: quotes, entities,
ligatures and full-width characters stay as written.
"""

from __future__ import annotations


def repair_encoding(text: str) -> str:
    """The text with wrong decoding undone; unchanged if there is no sign of it."""
    import ftfy

    if text.isascii():
        return text
    return ftfy.fix_encoding(text)
