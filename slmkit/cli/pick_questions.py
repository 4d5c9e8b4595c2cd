"""The questions that `slmkit pick` asks in a terminal, each with a default.

An answer sets a key of the recipe, like key=value on the command line; an empty line takes the default.
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
    """One constraint; `read` converts an answer to a value, or raises ValueError with what is accepted."""

    key: str
    text: str
    default: str  # what an empty line means
    read: Callable[[str], Any]


def is_interactive(arguments: list[str] | None, answers: list[str] | None, *, as_json: bool) -> bool:
    """Whether to ask: in a terminal, for a command without arguments."""
    return not arguments and not answers and not as_json and sys.stdin.isatty() and sys.stderr.isatty()


def ask() -> dict[str, Any]:
    """Asks each question until the answer is valid; returns the values that differ from the defaults."""
    values = {}
    console.print("Five questions. Press Enter to take the default in brackets.")
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
                console.print(f"  enter {error}", markup=False)
    arguments = " ".join(shlex.quote(f"{key}={_typed(value)}") for key, value in values.items())
    console.print(f"To skip the questions: slmkit pick {arguments or '--answer licence=commercial'}", markup=False)
    return values


def read_answers(answers: list[str]) -> dict[str, Any]:
    """The values of --answer KEY=VALUE; answers to the questions are read as in the terminal."""
    questions = {question.key: question for question in QUESTIONS}
    values = {}
    for answer in answers:
        key, equals, text = answer.partition("=")
        if key in values:
            raise SlmkitError(f"{key} is answered twice", where=f"--answer {answer}", fix="pass it once")
        if not equals:
            fix = f"write KEY=VALUE, for example --answer {QUESTIONS[1].key}=open"
            raise SlmkitError(f"{answer!r} is not KEY=VALUE", where=f"--answer {answer}", fix=fix)
        try:
            values[key] = questions[key].read(text) if key in questions else read_value(text)
        except ValueError as error:
            raise SlmkitError(
                f"invalid value for {key}: {text!r}", where=f"--answer {answer}", fix=f"use {error}"
            ) from None
    return values


def _file(text: str) -> str:
    if find("recipes", text):
        return text
    if not Path(text).expanduser().exists():
        raise ValueError(f"an existing file or folder; {text} does not exist")
    return str(Path(text).expanduser())


def _licence(text: str) -> str:
    if text not in ("open", "commercial", "any"):
        raise ValueError("open, commercial or any")
    return text


def _languages(text: str) -> list[str]:
    codes = [code.strip().lower() for code in text.strip("[]").replace(",", " ").split()]
    if not all(len(code) == 2 and code.isalpha() for code in codes):
        raise ValueError("two-letter codes, for example: en de")
    return codes


def _memory(text: str) -> float:
    return _above_zero(text.upper().removesuffix("GB").strip(), "a number of gigabytes, for example 8")


def _tokens(text: str) -> int:
    expected = "a whole number of tokens, for example 4096"
    value = _above_zero(text.replace(",", ""), expected)
    if value != int(value):
        raise ValueError(expected)
    return int(value)


def _above_zero(text: str, expected: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(expected) from None
    if not 0 < value < float("inf"):
        raise ValueError(expected)
    return value


def _typed(value: Any) -> str:
    return f"[{','.join(value)}]" if isinstance(value, list) else str(value)


QUESTIONS = (
    Question("data", "File with examples of your task, to measure length and language", "none", _file),
    Question("licence", "Licence: open, commercial (conditions allowed) or any", "commercial", _licence),
    Question("languages", "Languages the model must know", "the file's, otherwise any", _languages),
    Question("memory_gb", "Memory in GB", "this machine's", _memory),
    Question(
        "context_length", "Context length in tokens, prompt and answer", "what the file needs, otherwise 2048", _tokens
    ),
)
