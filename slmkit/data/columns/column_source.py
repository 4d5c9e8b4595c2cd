"""What text_column and label_column name: one column, several with their names, a template, or a path.

    text_column=question                       the column
    text_column=[premise, hypothesis]          "premise: …" and "hypothesis: …", a line each
    label_column=[scenario, intent]            one JSON record {"scenario": …, "intent": …}
    text_column='{Body} {Question}'            a template; {{ and }} are braces, \\n is a line break
    text_column=data.paragraphs.qas.question   a path into nested values; each leaf of it is a row

A name is a column first, whatever characters it contains; then a template; then a path.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from unicodedata import normalize

from slmkit.data.cell import as_prose, as_text, is_empty
from slmkit.data.columns.column_path import last_step, paths_in, walk
from slmkit.data.reading.json_layout import WRAPPERS
from slmkit.data.reading.read import Row
from slmkit.errors import SlmkitError, all_quoted, listed
from slmkit.types import ColumnNames

_FIELD = re.compile(r"\{\{|\}\}|\{([^{}]+)\}|[{}]")
_SOME_ROWS = 50  # in which a path is looked for


@dataclass(frozen=True)
class Source:
    """Where a text or an answer comes from."""

    name: str  # as the user wrote it; the made value is in the column of this name
    paths: tuple[str, ...]  # of the columns it is made from
    literals: tuple[str, ...] = ()  # of a template: the text before, between and after its columns
    is_column: bool = False  # a column as it is: nothing has to be made

    @property
    def is_list(self) -> bool:
        """Whether several columns are joined with their names."""
        return len(self.paths) > 1 and not self.literals

    @property
    def names(self) -> list[str]:
        """The names of the columns in a list: the last step of a path, unless two paths share it."""
        short = [last_step(path) for path in self.paths]
        return short if len(set(short)) == len(short) else list(self.paths)

    @property
    def said(self) -> str:
        """How a sentence names it: "'premise' and 'hypothesis'"."""
        return all_quoted(self.paths if self.is_list else [self.name])

    def text(self, values: Sequence[Any]) -> Any:
        """The text made from the values of the columns; None if all are empty."""
        if len(self.paths) == 1 and not self.literals:
            return values[0]
        if all(map(is_empty, values)):
            return None
        if self.is_list:
            pairs = zip(self.names, map(as_prose, values), strict=True)
            return "\n".join(f"{name}: {text}" for name, text in pairs if text)
        return _filled(self.literals, [as_prose(value) for value in values])

    def answer(self, values: Sequence[Any]) -> Any:
        """The answer made from the values of the columns: a record for a list; None if a template has a gap."""
        if len(self.paths) == 1 and not self.literals:
            return values[0]
        if self.is_list:
            record = {name: None if is_empty(v) else v for name, v in zip(self.names, values, strict=True)}
            return record if any(value is not None for value in record.values()) else None
        return None if any(map(is_empty, values)) else _filled(self.literals, [as_text(value) for value in values])


def find_source(names: ColumnNames, rows: Sequence[Row], *, key: str) -> Source:
    """What the value of `key` names in these rows. Raises: SlmkitError with the nearest column or path."""
    columns = dict.fromkeys(name for row in rows for name in row.values)
    if isinstance(names, list):
        if not names:
            raise _refused(f"{key} is an empty list", rows, columns, f"{key}=NAME")
        whole = f"[{', '.join(map(str, names))}]"
        paths = tuple(_path(name, rows, columns, key, whole=whole) for name in names)
        if len(set(paths)) < len(paths):
            raise _refused(f"{key} names a column twice: {listed(map(str, names))}", rows, columns, "name each once")
        if len(paths) > 1:
            return Source(whole, paths)
        return Source(paths[0], paths, is_column=paths[0] in columns)
    if isinstance(names, str) and names not in columns and ("{" in names or "}" in names):
        return _template(names, rows, columns, key)
    path = _path(names, rows, columns, key)
    return Source(path if path in columns else str(names), (path,), is_column=path in columns)


def _template(text: str, rows: Sequence[Row], columns: Mapping[str, Any], key: str) -> Source:
    literals, paths, end = [""], [], 0
    for match in _FIELD.finditer(text):
        literals[-1] += text[end : match.start()]
        end = match.end()
        if match[1] is not None:
            paths.append(_path(match[1].strip(), rows, columns, key, whole=text))
            literals.append("")
        elif match[0] in ("{{", "}}"):
            literals[-1] += match[0][0]
        else:
            what = f"{key}={text!r} has a {match[0]!r} without its partner"
            raise _refused(what, rows, columns, f"write {match[0] * 2} for a brace of the text")
    literals[-1] += text[end:]
    if not paths:
        raise _refused(f"{key}={text!r} names no column", rows, columns, f"{key}='{{NAME}}'")
    return Source(text, tuple(paths), tuple(part.replace("\\n", "\n").replace("\\t", "\t") for part in literals))


def _path(
    name: str | int | float | bool, rows: Sequence[Row], columns: Mapping[str, Any], key: str, *, whole: str = ""
) -> str:
    """The column or path that a name means: without the key around all rows of the file, which is not a column.

    whole: the list or template that contains the name.
    """
    if not isinstance(name, str):
        return _number_column(name, rows, columns, key)
    same = [column for column in columns if column == name or normalize("NFC", column) == normalize("NFC", name)]
    if name in columns or len(same) == 1:
        return name if name in columns else same[0]
    some = rows[:_SOME_ROWS]
    path = name
    while path:
        if any(walk(row.values, path) for row in some):
            return path
        first, _, rest = path.partition(".")
        is_outside = first in WRAPPERS or all(row.values.get("section") == first for row in some)
        path = rest if is_outside and first not in columns else ""
    if any(walk(row.values, name) for row in rows[_SOME_ROWS:]):
        return name
    raise _unknown(name, rows, columns, key, whole=whole)


def _number_column(name: int | float | bool, rows: Sequence[Row], columns: Mapping[str, Any], key: str) -> str:
    """The column whose name YAML reads as this number or boolean: 7 means the column "7", or else "007"."""
    text = str(name).lower() if isinstance(name, bool) else str(name)
    same = [text] if text in columns else [column for column in columns if _value_of(column) == (type(name), name)]
    if len(same) == 1:
        return same[0]
    if same:
        what = f"{key}={text} can be {' or '.join(map(repr, same))}"
        raise _refused(what, rows, columns, f"{key}='\"{same[0]}\"'")
    raise _unknown(text, rows, columns, key)


def _value_of(column: str) -> tuple[type, object]:
    if column.lower() in ("true", "false"):
        return bool, column.lower() == "true"
    for kind in (int, float):
        try:
            return kind, kind(column)
        except ValueError:
            continue
    return str, column


def _unknown(name: str, rows: Sequence[Row], columns: Mapping[str, Any], key: str, *, whole: str = "") -> SlmkitError:
    parts = [part.strip() for part in name.split(",")]
    if len(parts) > 1 and all(part in columns for part in parts):
        meant = shlex.join([f"{key}=[{', '.join(parts)}]"])
        return _refused(f"{key}={name!r} is not a column", rows, columns, f"did you mean {meant}?")
    paths = list(dict.fromkeys(path for row in rows[:_SOME_ROWS] for path in paths_in(row.values)))
    nested = [path for path in paths if path not in columns]
    near = _nearest(name, [*columns, *nested])
    shown = f"; inside them: {listed(nested)}" if nested and "." in name else ""
    what = f"{key}={whole} names {name!r}, which is not a column" if whole else f"{key}={name!r} is not a column"
    if near is None:
        return _refused(what, rows, columns, f"set {key}= to one of these", shown=shown)
    meant = whole.replace(name, near) if whole else near
    return _refused(what, rows, columns, f"did you mean {shlex.join([f'{key}={meant}'])}?", shown=shown)


def _nearest(name: str, known: Sequence[str]) -> str | None:
    lower = {one.lower(): one for one in reversed(known)}
    inside = [one for one in known if last_step(one).lower() == last_step(name).lower()]
    found = difflib.get_close_matches(name.lower(), lower, n=1)
    return lower[found[0]] if found else inside[0] if len(inside) == 1 else None


def _refused(what: str, rows: Sequence[Row], columns: Mapping[str, Any], fix: str, *, shown: str = "") -> SlmkitError:
    return SlmkitError(f"{what}. Columns: {listed(columns)}{shown}", where=rows[0].where, fix=fix)


def _filled(literals: Sequence[str], texts: Sequence[str]) -> str:
    return (literals[0] + "".join(text + literal for text, literal in zip(texts, literals[1:], strict=True))).strip()
