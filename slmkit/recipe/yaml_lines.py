"""Reads YAML files and values as plain data, with the line of each key.

YAML 1.2 rules: `on` and `12:30` are text, `2e-4` is a number.
"""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError, file_error, shown
from slmkit.recipe.layer import KeyPath, Layer


def read_yaml(path: Path) -> Layer:
    """A YAML file, which must be a mapping, as plain values with the line of each key."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SlmkitError(f"not UTF-8: {error.reason}", where=shown(path), fix="save the file as UTF-8") from None
    except OSError as error:
        raise file_error(error) or error from None
    layer = _parse(text, shown(path))
    return Layer(_copy(layer.value), dict(layer.lines))  # copied: _parse is cached, and layers are modified in place


@functools.lru_cache(maxsize=512)
def _parse(text: str, file: str) -> Layer:
    """The layer of a file's text; cached, because checking all recipes reads profiles and shared inputs repeatedly."""
    from ruamel.yaml.error import YAMLError

    lines: dict[KeyPath, str] = {}
    try:
        value = _yaml_value(text, lines, file)
    except (ValueError, KeyError) as error:  # 2024-13-45 as a date, or an unknown value of !!bool
        fix = "put quotes around an invalid date, and remove tags such as !!bool"
        raise SlmkitError(f"not valid YAML: {error}", where=file, fix=fix) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or getattr(error, "context", None) or str(error).splitlines()[0]
        raise SlmkitError(f"not valid YAML: {problem}", where=where, fix=_yaml_fix(error)) from None
    except RecursionError:
        raise SlmkitError("not valid YAML: too deeply nested", where=file, fix="reduce the nesting") from None
    if not isinstance(value, Mapping):
        found = "nothing" if value is None else type(value).__name__
        raise SlmkitError(
            f"expected a mapping of keys to values, found {found}",
            where=f"{file}:1",
            fix="write `key: value` lines; `slmkit show NAME` prints a recipe as an example",
        )
    return Layer(value, lines)


def _copy(value: Any) -> Any:
    """A deep copy of plain values, 16 times as fast as copy.deepcopy."""
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    return [_copy(inner) for inner in value] if isinstance(value, list) else value


def read_value(text: str) -> Any:
    """A command-line value: numbers, true, null, [1, 2], {use: bm25} and "3" are YAML, anything else is text.

    Braces without a colon, such as {Body}, are a template and therefore text.
    """
    from ruamel.yaml.constructor import DuplicateKeyError
    from ruamel.yaml.error import YAMLError

    is_closed = text.strip()[:1] in ("[", '"', "'")  # a list or quoted text
    is_closed |= text.strip()[:1] == "{" and (":" in text or not text.strip("{} "))  # a mapping
    if not is_closed and re.search(r"[\s#]", text.strip()):  # text, not a YAML comment, block or document
        return text
    try:
        value = _yaml_value(text, {}, "")
    except (*_UNREADABLE, SlmkitError, YAMLError) as error:  # 2024-13-45 is not a date, !important not a tag
        if is_closed and isinstance(error, DuplicateKeyError):  # two systems of one name are not a text
            fix = "remove one of the two; a text that looks so needs quotes"
            what = f"the value has a key twice: {text!r}"
            raise SlmkitError(what, where="command line", fix=fix) from None
        return text
    is_null = text.strip().lower() in ("null", "~")
    return value if is_closed or is_null or isinstance(value, bool | int | float) else text


def write_value(value: Any) -> str:
    """A value as it is typed on the command line, the inverse of read_value."""
    return value if isinstance(value, str) and read_value(value) == value else json.dumps(value)


def _yaml_value(text: str, lines: dict[KeyPath, str], file: str) -> Any:
    """The plain value of YAML 1.2 text; fills `lines`."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    node = yaml.compose(text)
    if node is None:
        return None
    _note_lines(node, (), lines, file, yaml.constructor)
    return _without_dates(yaml.constructor.construct_document(node))


def _note_lines(node: Any, path: KeyPath, lines: dict[KeyPath, str], file: str, constructor: Any) -> None:
    """Fills `lines` from a node and refuses tags, deep nesting and keys that are not scalars."""
    if len(path) > _MAX_DEPTH:
        what = f"nested more than {_MAX_DEPTH} levels deep, or an anchor contains itself"
        raise SlmkitError(what, where=_line(node, file), fix="reduce the nesting")
    if node.tag not in _PLAIN:
        fix = "write the value without a tag; quote text that begins with ! or ="
        raise SlmkitError(f"the YAML tag {node.tag!r} is not allowed", where=_line(node, file), fix=fix)
    inside: list[tuple[Any, Any, Any]] = []  # key or index, the node of the key, the node of the value
    if node.id == "sequence":
        inside = [(i, inner, inner) for i, inner in enumerate(node.value)]
    elif node.id == "mapping":
        constructor.flatten_mapping(node)  # <<: *anchor
        if odd := next((key for key, _ in node.value if key.id != "scalar"), None):
            what = "a key is a list or a mapping"
            raise SlmkitError(what, where=_line(odd, file), fix="use text as the key")
        inside = [(constructor.construct_object(key), key, inner) for key, inner in node.value]
    for step, begin, inner in inside:
        lines[*path, step] = _line(begin, file)
        _note_lines(inner, (*path, step), lines, file, constructor)


def _line(node: Any, file: str) -> str:
    return f"{file}:{node.start_mark.line + 1}"


_UNREADABLE = (ValueError, KeyError, RecursionError)  # raised by ruamel in addition to its own errors
_MAX_DEPTH = 40
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dates(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_dates(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _yaml_fix(error: Any) -> str:
    if "duplicate key" in str(error):
        return "remove one of the two keys"
    if "special characters" in str(error):
        return "remove the control character from the file"
    if "another document" in str(error):
        return "keep one document: remove the line --- and everything below it"
    if re.search(r"\btab\b|\\t", str(error)):
        return "indent with spaces, not tabs"
    return "check the indentation, and quote text that contains ': ' or '#'"
