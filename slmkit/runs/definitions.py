"""The top-level definitions of a Python file: a hash of what each means, and the names that each uses.

Docstrings, comments and formatting do not count. Results are cached in the user's cache folder by the content of the
file, since parsing all of slmkit takes seconds; the cache can be deleted at any time.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from slmkit.files import PACKAGE, cache_folder, write_atomically

ALL = "*"  # in place of a name: everything in the module

Use = tuple[str, str, str]  # module ("" for the same file), name in it ("" for the module itself), attribute or ""
_Imports = Mapping[str, list[tuple[str, str]]]


@dataclass
class Definitions:
    """What one file defines: name -> hash of its meaning, name -> what it uses, and what its imported names are."""

    hashes: dict[str, str] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    imports: dict[str, list[tuple[str, str]]] = field(default_factory=dict)  # name -> module, name in it ("": module)


def read_definitions(path: Path) -> Definitions:
    """The definitions of a file, from the cache if the file has not changed. Raises: SyntaxError, OSError."""
    stat = path.stat()
    return _read(path.absolute(), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


def save_cache() -> None:
    """Writes what was parsed since the last call to the user's cache folder, if there is one to write to."""
    file = _cache_file()
    if not _parsed or file is None:
        return
    rows = {str(path): [digest, asdict(found)] for path, (digest, found) in _parsed.items()}
    kept = {path: row for path, row in _cache().items() if Path(path).exists()}
    _parsed.clear()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(kept | rows))
        for old in file.parent.glob(f"{file.name.rpartition('-')[0]}-*.json"):
            if old != file:  # of another version of this module
                old.unlink(missing_ok=True)
    except OSError:
        return
    _cache().update(rows)


_parsed: dict[Path, tuple[str, Definitions]] = {}  # since the last save


@functools.cache
def _read(path: Path, size: int, modified: int, changed: int) -> Definitions:
    """Within one process a file is read again when its size or one of its times changes."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    known, found = _cache().get(str(path), (None, None))
    if known == digest:
        return Definitions(**found)
    is_ours = path.is_relative_to(PACKAGE)
    definitions = parse_definitions(content.decode(errors="replace"), str(path), is_linted=is_ours)
    _parsed[path] = digest, definitions
    return definitions


@functools.cache
def _cache() -> dict[str, Any]:
    file = _cache_file()
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@functools.cache
def _cache_file() -> Path | None:
    """One file per Python version (syntax trees differ) and per version of this module; None without a home."""
    this = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    folder = cache_folder()
    return folder / f"code-{sys.version_info.major}.{sys.version_info.minor}-{this}.json" if folder else None


def parse_definitions(text: str, name: str = "", *, is_linted: bool = False) -> Definitions:
    """The definitions in a Python text. Raises: SyntaxError.

    An import that nothing uses is there for its side effects, and so counts with every definition; in code that is
    linted (is_linted) it is a re-export instead.
    """
    tree = ast.parse(text, name)
    statements: dict[str, list[ast.stmt]] = {}
    always: list[ast.stmt] = []  # runs at import: counts with every definition
    imports: dict[str, list[tuple[str, str]]] = {}

    def add(statement: ast.stmt, whole: ast.stmt | None = None) -> None:
        """whole: the if, try or with block around the statement, which decides whether it runs."""
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for bound, target in _bound(statement):
                imports.setdefault(bound, []).append(target)
        elif isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            statements.setdefault(statement.name, []).append(whole or statement)
        elif inner := _blocks(statement):
            is_typing = isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)
            if whole is None and not is_typing:
                always.append(statement)
            for one in inner:
                add(one, None if is_typing else whole or statement)
        elif names := _assigned(statement):
            for one_name in names:
                statements.setdefault(one_name, []).append(whole or statement)
        elif whole is None and not _is_docstring(statement):
            always.append(statement)

    for statement in tree.body:
        add(statement)
    used_anywhere = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    effects: list[Use] = [
        (*target, "")
        for bound, targets in imports.items()
        for target in targets
        if target[1] == ALL or (not is_linted and bound not in used_anywhere)
    ]
    found = Definitions(imports=imports)
    everything = [statement for group in statements.values() for statement in group]
    for defined, group in {**statements, ALL: everything}.items():
        counted = [*always, *group]
        found.hashes[defined] = hashlib.sha256("".join(map(_meaning, counted)).encode()).hexdigest()[:16]
        uses = {use for statement in counted for use in _uses(statement, statements.keys(), imports)}
        found.uses[defined] = sorted(uses.union(effects))
    return found


def _uses(statement: ast.stmt, defined: Any, imports: _Imports) -> Iterator[Use]:
    """What a statement mentions of this file and of what is imported, at the top of the file or inside it."""
    nodes = list(ast.walk(statement))
    local = {name: list(targets) for name, targets in imports.items()}
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for bound, target in _bound(node):
                local.setdefault(bound, []).append(target)
    attributes = {
        id(node.value): node.attr
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    for node in nodes:
        if isinstance(node, ast.Name):
            for module, name in local.get(node.id, []):
                yield module, name, attributes.get(id(node), "")
            if node.id in defined:
                yield "", node.id, ""
            elif node.id in ("globals", "eval", "exec"):
                yield "", ALL, ""


def _bound(statement: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, tuple[str, str]]]:
    """The names that an import statement binds, each with its module and its name there."""
    for alias in statement.names:
        if isinstance(statement, ast.ImportFrom):
            yield alias.asname or alias.name, ("." * statement.level + (statement.module or ""), alias.name)
        else:  # `import a.b` binds a; what is used through it is all of a.b
            yield alias.asname or alias.name.partition(".")[0], (alias.name, "")


def _blocks(statement: ast.stmt) -> list[ast.stmt]:
    """The statements inside an if, try, with, for or while; none for any other statement."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    inner = [one for name in ("body", "orelse", "finalbody") for one in getattr(statement, name, [])]
    return inner + [
        one for part in ("handlers", "cases") for case in getattr(statement, part, []) for one in case.body
    ]


def _assigned(statement: ast.stmt) -> list[str]:
    """The names that an assignment binds; none if it also sets an attribute or an item."""
    targets: list[ast.expr] = []
    if isinstance(statement, ast.Assign):
        targets = list(statement.targets)
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    names: list[str] = []
    while targets:
        target = targets.pop()
        if isinstance(target, ast.Name):
            names.append(target.id)
        elif isinstance(target, ast.Tuple | ast.List):
            targets += target.elts
        elif isinstance(target, ast.Starred):
            targets.append(target.value)
        else:
            return []
    return names


def _meaning(node: ast.AST) -> str:
    """A syntax tree as text, without docstrings, line numbers and empty fields."""
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
    """Whether a statement is a string that nothing uses."""
    value = statement.value if isinstance(statement, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
