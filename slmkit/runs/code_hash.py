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
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

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
    todo = [_node(function, read) for function in functions]
    found = set(todo)
    while todo:
        path, name = todo.pop()
        for module, inner, attribute in read(path).uses[name]:
            node = _resolved(path, module, inner, attribute, read) if module else (path, inner)
            if node is not None and node not in found:
                found.add(node)
                todo.append(node)
    return found


def _node(function: Callable[..., object], read: Callable[[Path], Definitions]) -> Node:
    path = Path(inspect.getfile(function))
    name = getattr(function, "__qualname__", ALL).partition(".")[0]
    return path, name if name in read(path).hashes else ALL


def _resolved(
    importer: Path, module: str, name: str, attribute: str, read: Callable[[Path], Definitions]
) -> Node | None:
    """The definition behind something imported; None where its code does not count."""
    file = _file(importer, f"{module.rstrip('.')}.{name}") if name else _file(importer, module)
    if file is None and name:
        file, attribute = _file(importer, module), name  # a definition, not a module
    if file is None:
        return None
    found = read(file)
    if attribute in found.hashes:
        return file, attribute
    if attribute in found.imports:
        return _resolved(file, *found.imports[attribute], "", read)
    return file, ALL


@functools.cache
def _file(importer: Path, module: str) -> Path | None:
    """The file of a module whose code counts; None for the kernel and for other packages."""
    steps = [step for step in module.split(".") if step]
    if not steps:
        return None
    if steps[0] == "slmkit":
        return None if len(steps) < 2 or steps[1] in _KERNEL else next(_files(PACKAGE.joinpath(*steps[1:])), None)
    if importer.is_relative_to(PACKAGE):
        return None
    # a module of the user: beside the file that imports it, or where `python -m` looks
    return next((file for root in (importer.parent, Path.cwd()) for file in _files(root.joinpath(*steps))), None)


def _files(path: Path) -> Iterator[Path]:
    return (file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file())
