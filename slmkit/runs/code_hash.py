"""A hash over the code that a call can reach, by what the code means.

From a function the walk follows every name it uses, through imports at the top of a file or inside a function, to the
definitions behind them. Neither rewording a comment nor changing a function that the run never calls makes a run
stale.

Followed: slmkit's libraries and parts, and modules of the user. Not followed: other packages, and the packages in
`_KERNEL`, which decide how a run is made and shown, not what comes out. What only a string names
(`importlib.import_module`) is not seen; where a module is used as a whole, all of it counts.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from slmkit.files import PACKAGE
from slmkit.runs.definitions import ALL, Definitions, read_definitions, save_cache

_KERNEL = {
    "charts", "cli", "console", "cuda", "errors", "files", "importers", "labelling", "recipe", "report", "runs",
    "types",
}  # fmt: skip

Node = tuple[Path, str]  # a file and the name of one of its top-level definitions


def code_hash(functions: Iterable[Callable[..., object]]) -> str:
    """A hash (64 hex digits) over every definition that the functions can reach, in slmkit and in the user's modules.

    Raises: SyntaxError for a module of the user that is not Python.
    """
    digest = hashlib.sha256()
    read = functools.cache(read_definitions)  # each file is looked at once per call
    for path, name in sorted(_reached(functions, read)):
        digest.update(f"{path.name} {name} {read(path).hashes[name]}\n".encode())
    save_cache()
    return digest.hexdigest()


def reachable(function: Callable[..., object]) -> set[str]:
    """The definitions that a function can reach, as "file.py:name"."""
    return {f"{path.name}:{name}" for path, name in _reached([function], read_definitions)}


def _reached(functions: Iterable[Callable[..., object]], read: Callable[[Path], Definitions]) -> set[Node]:
    todo = [node for function in functions for node in _nodes(function, read)]
    found = set(todo)
    while todo:
        path, name = todo.pop()
        for module, inner, attribute in read(path).uses[name]:
            nodes = _resolved(path, module, inner, attribute, read) if module else [(path, inner)]
            for node in nodes:
                if node not in found:
                    found.add(node)
                    todo.append(node)
    return found


def _nodes(function: Callable[..., object], read: Callable[[Path], Definitions]) -> Iterator[Node]:
    """The definition of a function and, if it is decorated, of the functions that it wraps."""
    todo: list[object] = [function]
    seen: set[int] = set()
    while todo:
        one = todo.pop()
        if id(one) in seen or not inspect.isfunction(one):
            continue
        seen.add(id(one))
        path, name = Path(inspect.getfile(one)), one.__qualname__.partition(".")[0]
        if path.is_relative_to(PACKAGE) or not _is_installed(path):
            yield path, name if name in read(path).hashes else ALL
        todo += [cell.cell_contents for cell in one.__closure__ or () if _holds_value(cell)]
        todo += [getattr(one, "__wrapped__", None)]


def _holds_value(cell: Any) -> bool:
    try:
        return bool(cell.cell_contents is not None)
    except ValueError:  # an empty cell
        return False


def _is_installed(path: Path) -> bool:
    """Whether a file belongs to another package, or to Python itself."""
    return "site-packages" in path.parts or path.is_relative_to(Path(os.__file__).parent)


def _resolved(
    importer: Path, module: str, name: str, attribute: str, read: Callable[[Path], Definitions]
) -> list[Node]:
    """The definitions behind something imported; none where its code does not count."""
    file = None
    if name and name != ALL:
        file = _file(importer, f"{module}.{name}" if module.strip(".") else f"{module}{name}")
    if file is None:
        file, attribute = _file(importer, module), name or attribute  # a definition in the module, or the module
    if file is None:
        return []
    found = read(file)
    if attribute in found.hashes:  # also ALL
        return [(file, attribute)]
    if attribute in found.imports:
        return [node for target in found.imports[attribute] for node in _resolved(file, *target, "", read)]
    return [(file, ALL)]


def _file(importer: Path, module: str) -> Path | None:
    """The file of a module whose code counts; None for the kernel and for other packages."""
    level = len(module) - len(module.lstrip("."))
    steps = [step for step in module.split(".") if step]
    if steps and steps[0] == "slmkit" and not level:
        return None if len(steps) < 2 or steps[1] in _KERNEL else _package_file(tuple(steps[1:]))
    if importer.is_relative_to(PACKAGE):
        return None
    # a module of the user: relative to the file that imports it, beside it, or where `python -m` looks
    roots = [importer.parents[level - 1]] if level else [importer.parent, Path.cwd()]
    return next((file for root in roots for file in _files(root.joinpath(*steps))), None)


@functools.cache
def _package_file(steps: tuple[str, ...]) -> Path | None:
    return next(_files(PACKAGE.joinpath(*steps)), None)


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())
