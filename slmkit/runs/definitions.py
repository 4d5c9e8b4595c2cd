"""The top-level definitions of a Python file: a hash of what each means, and the names that each uses.

Docstrings, comments and formatting do not count. What was read is kept in the user's cache folder by size and time of
the file, since parsing all of slmkit takes seconds; deleting the cache costs nothing else.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slmkit.files import write_atomically

ALL = "*"  # in place of a name: everything in the module

Use = tuple[str, str, str]  # module ("" for the same file), name in it ("" for the module itself), attribute or ""


@dataclass
class Definitions:
    """What one file defines: name -> hash of its meaning, name -> what it uses, and what the names it imports are."""

    hashes: dict[str, str] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)  # name -> module and name in it ("": the module)


def read_definitions(path: Path) -> Definitions:
    """The definitions of a file, from the cache where the file has not changed; `ALL` stands for all of them."""
    stat = path.stat()
    return _read(path.absolute(), stat.st_size, stat.st_mtime_ns)


def save_cache() -> None:
    """Writes what was parsed since the last call to the user's cache folder; a folder that is read-only is ignored."""
    if not _parsed:
        return
    rows = {str(path): [stamp, asdict(found)] for path, (stamp, found) in _parsed.items()}
    kept = {path: row for path, row in _cache().items() if Path(path).exists()}
    _parsed.clear()
    try:
        _cache_file().parent.mkdir(parents=True, exist_ok=True)
        write_atomically(_cache_file(), json.dumps(kept | rows))
    except OSError:
        return
    _cache().update(rows)


_parsed: dict[Path, tuple[list[int], Definitions]] = {}  # since the last save


@functools.cache
def _read(path: Path, size: int, modified: int) -> Definitions:
    stamp, found = _cache().get(str(path), (None, None))
    if stamp == [size, modified]:
        return Definitions(**found)
    definitions = parse_definitions(path.read_text(encoding="utf-8", errors="replace"), str(path))
    _parsed[path] = [size, modified], definitions
    return definitions


@functools.cache
def _cache() -> dict[str, Any]:
    try:
        found = json.loads(_cache_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _cache_file() -> Path:
    """One cache file per Python version (syntax trees differ) and per version of this module."""
    this = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return folder / "slmkit" / f"code-{sys.version_info.major}{sys.version_info.minor}-{this}.json"


def parse_definitions(text: str, name: str = "") -> Definitions:
    """The definitions in a Python text. Raises: SyntaxError."""
    statements: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []  # runs at import and defines nothing: counts with every definition
    found = Definitions()

    def add(statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            found.imports |= dict(_bound(statement))
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            statements.setdefault(statement.name, []).append(statement)
        elif isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test):
            for inner in statement.body:
                add(inner)
        elif names := _assigned(statement):
            for target in names:
                statements.setdefault(target, []).append(statement)
        elif not _is_docstring(statement):
            always.append(statement)

    for statement in ast.parse(text, name).body:
        add(statement)
    everything = [statement for group in statements.values() for statement in group]
    for defined, group in {**statements, ALL: everything}.items():
        found.hashes[defined] = hashlib.sha256("".join(map(_meaning, [*always, *group])).encode()).hexdigest()[:16]
        uses = {use for statement in [*always, *group] for use in _uses(statement, statements.keys(), found.imports)}
        found.uses[defined] = sorted(uses)
    return found


def _uses(statement: ast.stmt, defined: Any, imports: dict[str, tuple[str, str]]) -> Iterator[Use]:
    """What a statement mentions of this file and of what is imported, at the top of the file or inside it."""
    nodes = list(ast.walk(statement))
    imports = dict(imports)
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= dict(_bound(node))
    with_attribute = {
        id(node.value): node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Name):
            if node.id in imports:
                yield *imports[node.id], with_attribute.get(id(node), "")
            elif node.id in defined:
                yield "", node.id, ""


def _bound(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, tuple[str, str]]]:
    """The names that an import statement binds, each with its module and its name there."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, ("." * statement.level + (statement.module or ""), alias.name)
        else:  # `import a.b` binds a; what is used through it is all of a.b
            yield alias.asname or alias.name.partition(".")[0], (alias.name, "")


def _assigned(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return []
    return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]


def _meaning(node: ast.AST) -> str:
    """A syntax tree as text, without docstrings, places and empty fields."""
    parts = [type(node).__name__]
    has_docstring = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    for name, found in ast.iter_fields(node):
        value = found[1:] if name == "body" and has_docstring and _is_docstring(found[0]) else found
        if isinstance(value, ast.AST):
            parts.append(f"{name}={_meaning(value)}")
        elif isinstance(value, list):
            if value:
                inside = ",".join(_meaning(inner) if isinstance(inner, ast.AST) else repr(inner) for inner in value)
                parts.append(f"{name}=[{inside}]")
        elif name not in ("ctx", "kind", "type_comment") and (value is not None or name == "value"):
            parts.append(f"{name}={value!r}")
    return f"({' '.join(parts)})"


def _is_docstring(statement: ast.stmt) -> bool:
    """Whether a statement is a text that nothing uses."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
