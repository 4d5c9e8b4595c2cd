"""Paths into nested values: data.paragraphs.qas.question.

A step is a key of an object. Lists are walked: each of their items is followed, and every leaf knows the places it was
reached by, so that leaves of two paths can be matched. `0` is the first item of a list and `-1` the last; `*` at the
end is each item of a list of texts. Keys that contain dots, and lists and objects stored as text, are followed too.

    {"qas": [{"question": "When?", "answers": [{"text": "1889"}]}]}
    qas.question      -> "When?"   at qas item 0
    qas.answers.text  -> "1889"    at qas item 0, qas.answers item 0
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

Places = tuple[tuple[str, int], ...]  # (path of a list, item), outermost first

_INDEX = re.compile(r"-?\d+")
_MAX_PATHS = 200
_DEPTH = 6
_LONGEST_LITERAL = 100_000  # characters of a list as Python prints it


def walk(value: Any, path: str) -> list[tuple[Places, Any]]:
    """Each leaf of a path, with the items of the lists on the way to it."""
    found: list[tuple[Places, Any]] = []
    _walk(value, path, "", (), found)
    return found


def _walk(value: Any, path: str, at: str, places: Places, found: list[tuple[Places, Any]]) -> None:
    if not path:
        found.append((places, value))
        return
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, dict):
        key = path
        while key and key not in value:  # the longest key that the path begins with: "a.b.c", "a.b", "a"
            key = key.rpartition(".")[0]
        if key:
            _walk(value[key], path[len(key) + 1 :], f"{at}.{key}" if at else key, places, found)
    elif isinstance(value, list):
        step, _, rest = path.partition(".")
        if _INDEX.fullmatch(step):
            if -len(value) <= int(step) < len(value):
                _walk(value[int(step)], rest, f"{at}.{step}" if at else step, places, found)
            return
        inner = rest if step == "*" else path
        for i, item in enumerate(value):
            _walk(item, inner, f"{at}[]" if isinstance(item, list) else at, (*places, (at, i)), found)


def paths_in(value: Any) -> list[str]:
    """The paths to the texts and numbers in a row, for messages: "qas.question", "qas.answers.text"."""
    return list(dict.fromkeys(_paths(value, "", _DEPTH)))[:_MAX_PATHS]


def parsed(text: str) -> Any:
    """The list or object that a text holds, as JSON or as Python prints it; None if it holds none."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    try:
        return ast.literal_eval(text.strip()) if len(text) < _LONGEST_LITERAL else None
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def last_step(path: str) -> str:
    """The last key of a path: "qas.question" -> "question", "turns.0" -> "turns"."""
    names = [step for step in path.split(".") if step != "*" and not _INDEX.fullmatch(step)]
    return names[-1] if names else path


def _paths(value: Any, at: str, depth: int) -> Iterator[str]:
    if isinstance(value, Mapping) and depth:
        for key, inner in value.items():
            yield from _paths(inner, _join(at, str(key)), depth - 1)
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for item in value[:3]:
            yield from _paths(item, at, depth)
    elif at and value is not None:
        yield at


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
