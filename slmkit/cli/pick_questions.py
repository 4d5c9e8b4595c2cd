"""The few questions of `slmkit pick` in a terminal: what it must know of you, each with a default.

An answer is a value of the recipe, as if it were given as key=value; an empty line takes the default.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.console import console
from slmkit.errors import SlmkitError
from slmkit.recipe.lookup import find
from slmkit.recipe.yaml_lines import read_value


@dataclass(frozen=True)
class Question:
    """One constraint; `read` gives the value of an answer, or raises ValueError with what is wrong with it."""

    key: str
    text: str
    default: str  # what an empty line means, in words
    read: Callable[[str], Any]


def is_asked(given: list[str] | None, answers: list[str] | None, *, as_json: bool) -> bool:
    """Whether a person is there to be asked: a terminal, and a command that says nothing yet."""
    return not given and not answers and not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def ask() -> dict[str, Any]:
    """Asks each question until its answer can be used; returns the values that differ from the defaults."""
    values = {}
    console.print("Five questions; an empty line takes what stands in brackets.")
    for question in QUESTIONS:
        while True:
            console.print(f"{question.text} [{question.default}]: ", end="", markup=False)
            try:
                line = input().strip()
            except EOFError:
                line = ""
                console.print()
            if not line:
                break
            try:
                values[question.key] = question.read(line)
                break
            except ValueError as error:
                console.print(f"  {error}", markup=False)
    told = " ".join(shlex.quote(f"{key}={_shown(value)}") for key, value in values.items())
    console.print(f"the same without questions: slmkit pick {told or '--answer licence=commercial'}", markup=False)
    return values


def read_answers(answers: list[str]) -> dict[str, Any]:
    """The values of --answer key=value; those of the questions are read as their answers would be."""
    questions = {question.key: question for question in QUESTIONS}
    values = {}
    for answer in answers:
        key, equals, text = answer.partition("=")
        if key in values:
            raise SlmkitError(f"{key} is answered twice", where=f"--answer {answer}", fix="give it once")
        if not equals:
            fix = f"--answer key=value, such as --answer {QUESTIONS[1].key}=open"
            raise SlmkitError(f"an answer is {answer!r}", where="command line", fix=fix)
        try:
            values[key] = questions[key].read(text) if key in questions else read_value(text)
        except ValueError as error:
            raise SlmkitError(f"{key} is {text!r}", where=f"--answer {answer}", fix=str(error)) from None
    return values


def _file(text: str) -> str:
    if find("recipes", text):
        return text
    if not Path(text).expanduser().exists():
        raise ValueError(f"there is no {text}")
    return str(Path(text).expanduser())


def _licence(text: str) -> str:
    if text not in ("open", "commercial", "any"):
        raise ValueError("one of open, commercial, any")
    return text


def _languages(text: str) -> list[str]:
    codes = [code.strip().lower() for code in text.strip("[]").replace(",", " ").split()]
    if not all(len(code) == 2 and code.isalpha() for code in codes):
        raise ValueError("codes of two letters, such as: en de")
    return codes


def _memory(text: str) -> float:
    return _above_zero(text.upper().removesuffix("GB").strip(), "gigabytes above 0, such as 8")


def _tokens(text: str) -> int:
    wanted = "tokens above 0, such as 4096"
    value = _above_zero(text.replace(",", ""), wanted)
    if value != int(value):
        raise ValueError(wanted)
    return int(value)


def _above_zero(text: str, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(wanted) from None
    if not 0 < value < float("inf"):
        raise ValueError(wanted)
    return value


def _shown(value: Any) -> str:
    return f"[{','.join(value)}]" if isinstance(value, list) else str(value)


QUESTIONS = (
    Question("data", "A file of your task, to see its length and language", "none", _file),
    Question("licence", "Licence: open, commercial (conditions are fine) or any", "commercial", _licence),
    Question("languages", "Languages it must know", "that of the file, else any", _languages),
    Question("memory_gb", "Memory in GB", "that of this machine", _memory),
    Question("context_length", "Tokens of question and answer together", "what the file needs, else 2048", _tokens),
)
