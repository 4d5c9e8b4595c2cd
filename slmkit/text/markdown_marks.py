"""Recognises Markdown in a text: emphasis, headings, quotes and bullets.

"**Where is my card?**", "> Where is my card?"    wrapped: all of the text is marked
"Where is **my card**?"                           marks inside, which only a search for leaks ignores
"2 * 3", "*p", "__init__"                         no marks
"""

from __future__ import annotations

import re

_LINE_START = re.compile(r"(?:#{1,6}|>|\*)[ \t]+(?=[^\W\d_]|[*_~\"'“«¿¡])")
_LINE_STARTS = re.compile(rf"^[ \t]*{_LINE_START.pattern}", re.M)
_WRAPPED = re.compile(r"(\*{1,3}|_{1,3}|~~)(?=\S)([^*_~]+)(?<=\S)\1([.?!:]*)", re.S)
_EMPHASIS = re.compile(r"(?<![\w*_~])(\*{1,3}|_{1,3}|~~)(?=\S)([^*_~\n]++)(?<=\S)\1(?![\w*_~])")
_MARKS = "*_~#>"
_DEEPEST = 4  # marks around marks: "> **Where is my card?**"


def unmarked(text: str) -> str:
    """The text as it is shown, if all of it is marked: a heading, a quote, a bullet, or emphasised as a whole."""
    plain = text.strip()
    for _ in range(_DEEPEST):
        if plain[:1] not in _MARKS:
            break
        if start := _LINE_START.match(plain):
            inner = plain[start.end() :]
        elif wrapped := _WRAPPED.fullmatch(plain):
            inner = wrapped[2] + wrapped[3]
        else:
            break
        if inner.isascii() and " " not in inner:  # __init__ is a name
            break
        plain = inner
    return plain


def has_marks(text: str) -> bool:
    """Whether the text has a character that can be a Markdown mark; fast."""
    return "*" in text or "_" in text or "~" in text or "#" in text or ">" in text


def without_marks_inside(text: str) -> str:
    """The text without marks of emphasis around words and without marks at the start of lines."""
    return _EMPHASIS.sub(_shown, _LINE_STARTS.sub("", text))


def _shown(match: re.Match[str]) -> str:
    return match[0] if match[1] == "__" and match[2].isidentifier() else match[2]
