"""Reads JSON from an answer: whole, or not at all."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

_MAX_DEPTH = 100  # of nested brackets: no data goes deeper, and comparing calls itself once per level
_CITATION = re.compile(r"(?:(?<=[^\s:=`])|(?<=[^\s:=`] ))\[\d+\]|\[\d+\](?= ?[\w:\[])")
_ASIDE = re.compile(r"""\{[^{}\[\]"':]*\}|\[[^{}\[\]"':]*\]""")  # closed, without JSON: {name}
_BLOCK = re.compile(r"```[\w+-]*\s(.*?)```|```([{\[].*?)```", re.DOTALL)
_BRACKET = re.compile(r"[{}\[\]]")
_KEY_BEFORE = re.compile(r'"\s*:\s*$')
_ITEM_AFTER = re.compile(r'\s*,\s*["{\[]')


def read_json(text: str) -> Any | None:
    """The JSON object or array in the text, if it is the only one and complete; otherwise None.

    It may be the whole text, the whole content of the only code block, or part of prose. The prose may hold brackets
    such as {name} and citations such as "source [1]"; any other bracket belongs to a value that was cut, and means
    that the text is not JSON, as a second value does. A list of only numbers counts if there is nothing else.
    A key that repeats in its object, NaN, Infinity, and a number too large for a float are not JSON.
    """
    whole = _decoded(text.strip())
    if whole is not None:
        return whole
    blocks = _BLOCK.findall(text)
    if len(blocks) == 1 and (inside := _decoded("".join(blocks[0]).strip())) is not None:
        return inside
    found = _in_prose(text)
    if found is None:
        return None
    of_numbers = [value for value in found if _is_numbers(value)]
    found = [value for value in found if not _is_numbers(value)] or of_numbers
    return found[0] if len(found) == 1 and not _is_deep(found[0]) else None


def _in_prose(text: str) -> list[Any] | None:
    """The complete values between words; None if there is a bracket that is not part of one, nor of the prose."""
    values: list[Any] = []
    at = 0
    while bracket := _BRACKET.search(text, at):
        start = bracket.start()
        if aside := _CITATION.match(text, start):
            at = aside.end()
            continue
        try:
            value, at = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):  # ValueError: invalid, or a number of over 4,300 digits
            if not (aside := _ASIDE.match(text, start)):
                return None
            at = aside.end()
            continue
        if _KEY_BEFORE.search(text[max(0, start - 20) : start]) or _ITEM_AFTER.match(text, at):
            return None  # inside an object or list whose own brackets are missing
        values.append(value)
    return values


def _is_numbers(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, int | float) for item in value)


def _decoded(text: str) -> Any | None:
    """The value if the whole text is a JSON object or array."""
    if text[:1] not in ("{", "["):
        return None
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return None if _is_deep(value) else value


def _is_deep(value: Any) -> bool:
    level, depth = [value], 0
    while level and depth <= _MAX_DEPTH:
        inside = [list(item.values()) if isinstance(item, dict) else item for item in level]
        level = [one for items in inside if isinstance(items, list) for one in items if isinstance(one, dict | list)]
        depth += 1
    return bool(level)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key repeats")
    return found


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("too large")
    return value


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_constant=_refuse)
