"""Finds the options that a text lists by letter in its last lines.

"2 + 2?\n\nA. 3\nB. 4"    the question "2 + 2?" with the options {"A": "3", "B": "4"}
"""

from __future__ import annotations

import re
from typing import NamedTuple

from slmkit.text.identity import loose

_OPTION = re.compile(r"\s*\(?([A-Z])[.):]\s+(\S.*)")
_LETTER = re.compile(r"\(?([A-Za-z])[.):]?")


class Listed(NamedTuple):
    """A question and its options by letter."""

    question: str
    options: dict[str, str]

    @property
    def key(self) -> tuple[str, tuple[str, ...]]:
        """What two questions with the same options have in common, in any order."""
        return loose(self.question), tuple(sorted(map(loose, self.options.values())))

    def chosen(self, answer: str) -> str:
        """The option that an answer names by its letter; any other answer as it is."""
        letter = _LETTER.fullmatch(answer.strip())
        return self.options.get(letter[1].upper(), answer) if letter else answer


def listed_options(text: str) -> Listed | None:
    """The question and the options in the last lines of a text, or None if it lists none or only one."""
    if "\n" not in text:
        return None
    lines = text.rstrip().split("\n")
    options: dict[str, str] = {}
    while lines and (option := _OPTION.fullmatch(lines[-1])) and (not options or option[1] < next(reversed(options))):
        options[option[1]] = option[2]
        lines.pop()
    return Listed("\n".join(lines), options) if len(options) > 1 and lines else None
