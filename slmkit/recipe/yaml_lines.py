"""YAML files and values as plain data, with the line of each place.

YAML is read as 1.2: `on` and `12:30` are text, `2e-4` is a number.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError, file_error, shown
from slmkit.recipe.layer import KeyPath, Layer


def read_yaml(path: Path) -> Layer:
    """A YAML file as plain values with the line of each place; must be a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SlmkitError(f"not UTF-8: {error.reason}", where=shown(path), fix="save the file as UTF-8") from None
    except OSError as error:
        raise file_error(error) or error from None
    layer = _parsed(text, shown(path))
    return Layer(_copied(layer.value), dict(layer.lines))  # layers are laid on top of each other in place


@functools.lru_cache(maxsize=512)
def _parsed(text: str, file: str) -> Layer:
    """The layer of a file's text: a check of all recipes reads a profile, or an input of many, again and again."""
    from ruamel.yaml.error import YAMLError

    lines: dict[KeyPath, str] = {}
    try:
        value = _yaml_value(text, lines, file)
    except (ValueError, KeyError) as error:  # 2024-13-45 looks like a date, and is none; !!bool maybe
        fix = "put what looks like a date in quotes, and write no tags"
        raise SlmkitError(f"not valid YAML: {error}", where=file, fix=fix) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or getattr(error, "context", None) or str(error).splitlines()[0]
        raise SlmkitError(f"not valid YAML: {problem}", where=where, fix=_yaml_fix(error)) from None
    except RecursionError:
        raise SlmkitError("not valid YAML: too deeply nested", where=file, fix="write it flatter") from None
    if not isinstance(value, Mapping):
        found = "nothing" if value is None else type(value).__name__
        raise SlmkitError(f"a mapping of keys was expected, found {found}", where=f"{file}:1", fix="see `slmkit show`")
    return Layer(value, lines)


def _copied(value: Any) -> Any:
    """As copy.deepcopy, which takes sixteen times as long for plain values."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def read_value(text: str) -> Any:
    """A value typed on the command line: 2e-4, true, null, [1, 2], {use: bm25} and "3" as YAML, all else as typed."""
    from ruamel.yaml.error import YAMLError

    is_closed = text.strip()[:1] in ("[", "{", '"', "'")  # a list, a mapping or a quoted text, whatever is in it
    if not is_closed and re.search(r"[\s#]", text.strip()):  # a sentence, not a comment, a block or two lines
        return text
    try:
        value = _yaml_value(text, {}, "")
    except (*_UNREADABLE, SlmkitError, YAMLError):  # 2024-13-45 looks like a date, !important like a tag
        return text
    is_null = text.strip().lower() in ("null", "~")
    return value if is_closed or is_null or isinstance(value, bool | int | float) else text


def _yaml_value(text: str, lines: dict[KeyPath, str], file: str) -> Any:
    """The plain value of a YAML 1.2 text; fills `lines`."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    node = yaml.compose(text)
    if node is None:
        return None
    _note_lines(node, (), lines, file, yaml.constructor)
    return _without_dates(yaml.constructor.construct_document(node))


def _note_lines(node: Any, place: KeyPath, lines: dict[KeyPath, str], file: str, constructor: Any) -> None:
    """Fills `lines` from a node, which knows where it stands, and refuses what no plain value is."""
    if len(place) > _DEEPEST:
        what = f"nested deeper than {_DEEPEST} levels, or an anchor that contains itself"
        raise SlmkitError(what, where=_line(node, file), fix="write it flatter")
    if node.tag not in _PLAIN:
        fix = "write the plain value, in quotes where it begins with ! or ="
        raise SlmkitError("a YAML tag is not allowed in a recipe", where=_line(node, file), fix=fix)
    inside: list[tuple[Any, Any, Any]] = []  # a step, where it begins, what stands there
    if node.id == "sequence":
        inside = [(i, inner, inner) for i, inner in enumerate(node.value)]
    elif node.id == "mapping":
        constructor.flatten_mapping(node)  # <<: *anchor
        if odd := next((key for key, _ in node.value if key.id != "scalar"), None):
            what = "a key must be a word, not a list or a mapping"
            raise SlmkitError(what, where=_line(odd, file), fix="write key: value")
        inside = [(constructor.construct_object(key), key, inner) for key, inner in node.value]
    for step, begin, inner in inside:
        lines[*place, step] = _line(begin, file)
        _note_lines(inner, (*place, step), lines, file, constructor)


def _line(node: Any, file: str) -> str:
    return f"{file}:{node.start_mark.line + 1}"


_UNREADABLE = (ValueError, KeyError, RecursionError)  # what ruamel raises beside its own errors
_DEEPEST = 40
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dates(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_dates(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _yaml_fix(error: Any) -> str:
    if "duplicate key" in str(error):
        return "keep one of the two"
    if "special characters" in str(error):
        return "save it as plain text: a control character stands in it"
    if "another document" in str(error):
        return "keep one document: remove the line --- and what is below it"
    if re.search(r"\btab\b|\\t", str(error)):
        return "indent with spaces, not tabs"
    return "check the indentation, and quote text that holds ': ' or '#'"
