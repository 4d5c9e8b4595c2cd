"""The keys of runs and of parts: hashes of all that decides what comes out.

A run's key is a hash over the stage, its arguments, the keys of input runs, the content of input files and models, the
seed, and the source of the stage, of every part bound into it and of the libraries they import. Profile, device,
versions and git commit are recorded in the run, not hashed: they do not change what was asked.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.cuda import cuda_is_available
from slmkit.files import PACKAGE
from slmkit.recipe.call import Call, Part, Reference, parts_in, plain

_NOT_HASHED = ("device", "report_to")  # recorded only: the answer asked for is the same
_PRICE = "price_per_"  # so begin the parameters that say what an endpoint's tokens cost
_WHOLE_MODEL_FILE = 64 * 2**20  # larger weight files are hashed by size, first and last MiB


def stage_key(call: Call, inputs: Sequence[Mapping[str, Any]], *, seed: int) -> str:
    """The key of a run: 12 hex digits. inputs: a row for each thing read, as recipe.json keeps them."""
    return _hash(
        {
            "stage": call.recipe.stage,
            "arguments": _without_references({k: v for k, v in call.arguments.items() if k not in _NOT_HASHED}),
            "contents": {row["parameter"]: _content(row) for row in inputs},
            "seed": seed,
            "source": source_hash(call.function, call.arguments),
        }
    )


def part_key(inputs: Sequence[Mapping[str, Any]], place: str, part: Part, *, seed: int) -> str:
    """A hash of all that the work of one part of a step depends on: options, what it reads, code, and the machine.

    Prices change no answer, but where there are some a server must tell its tokens.
    """
    arguments = {k: v for k, v in part.arguments.items() if not k.startswith(_PRICE)}
    return _hash(
        {
            "part": part.name,
            "arguments": _without_references(arguments),
            "has_prices": any(v for k, v in part.arguments.items() if k.startswith(_PRICE)),
            "machine": [platform.node(), cuda_is_available()],
            "contents": {
                row["parameter"].removeprefix(place): _content(row)
                for row in inputs
                if row["parameter"].startswith(f"{place}.")
            },
            "seed": seed,
            "source": source_hash(part.function, part.arguments),
        }
    )


def _hash(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _content(row: Mapping[str, Any]) -> str:
    """What of an input decides the result; of a single file also its suffix, by which it is read."""
    path = Path(row.get("path", ""))
    suffix = path.suffix.lower() if path.is_file() else ""
    return str(row.get("key") or row.get("sha256") or row["name"]) + suffix


def _without_references(value: Any) -> Any:
    """Plain arguments in which what is read is left out, since its content is hashed instead of its name."""
    if isinstance(value, Reference):
        return "(read)"
    if isinstance(value, dict):
        return {key: _without_references(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_references(inner) for inner in value]
    if isinstance(value, Part):
        kept = {k: v for k, v in value.arguments.items() if k not in _NOT_HASHED}
        return {"use": value.name, **_without_references(kept)}
    if _is_own_folder(value):  # such as an embedder: trained anew, it is another one under the same name
        return f"{value} {content_hash(Path(value), sample=True)}"
    return plain(value)


def _is_own_folder(value: Any) -> bool:
    """Whether a text names a folder by a path."""
    is_path = isinstance(value, str) and "/" in value and len(value) < 256 and value.isprintable()
    return is_path and Path(value).is_dir()


def content_hash(path: Path, *, sample: bool = False) -> str:
    """sha256 of a file, or of a folder's sorted relative names and contents, hidden ones left out.

    Modification times never count.
    sample=True (models): files over 64 MiB count by size, first and last MiB, so that 10 GB cost nothing.
    """
    if path.is_file():
        return _file_hash(path, sample)
    digest = hashlib.sha256()
    for inner in sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file()):
        if not any(part.startswith(".") for part in inner.parts):
            digest.update(f"{inner.as_posix()}\0{_file_hash(path / inner, sample)}\n".encode())
    return digest.hexdigest()


def _file_hash(path: Path, sample: bool) -> str:
    stat = path.stat()
    return _hash_once(path.absolute(), stat.st_size, stat.st_mtime_ns, sample)


@functools.cache
def _hash_once(path: Path, size: int, modified: int, sample: bool) -> str:
    """Within one process a file that several recipes read is hashed once; `modified` only guards that."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if sample and size > _WHOLE_MODEL_FILE:
            digest.update(str(size).encode() + file.read(2**20))
            file.seek(-(2**20), 2)
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def source_hash(called: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """A hash of the files whose code decides the result: what is called, parts in it, and the modules they import."""
    files: set[Path] = set()
    for function in [called, *(part.function for _, part in parts_in(dict(arguments)))]:
        files |= _imported(Path(inspect.getfile(function)))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.name}\0{_file_hash(path, sample=False)}\n".encode())
    return digest.hexdigest()


# The kernel decides how things run, not what comes out: a nicer progress bar must not make every run stale.
_KERNEL = {
    "charts", "cli", "console", "cuda", "errors", "importers", "labelling", "recipe", "report", "runs", "types",
}  # fmt: skip


# An import statement, also inside functions. Read as text: parsing every file would cost a third of a second at each
# start.
_IMPORT = re.compile(r"^[ \t]*(?:from ([\w.]+) import (\([^)]*\)|[^\n#]*)|import ([^\n#]+))", re.MULTILINE)


@functools.cache
def _imported(path: Path) -> frozenset[Path]:
    """A file and what it imports of slmkit's libraries and of the user's own modules, at any depth."""
    found, todo = {path}, [path]
    while todo:
        for file in _imports_of(todo.pop()):
            if file not in found:
                found.add(file)
                todo.append(file)
    return frozenset(found)


@functools.cache
def _imports_of(path: Path) -> frozenset[Path]:
    files = set()
    for package, imported, modules in _IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")):
        inner = [f"{package}.{name}" for name in re.findall(r"\w+", imported)]
        for module in (package, *inner) if package else re.findall(r"[\w.]+", modules):
            files.add(_library_file(module) or _own_file(module, path.parent))
    return frozenset(file for file in files if file is not None)


def _own_file(module: str, folder: Path) -> Path | None:
    """A module of the user: beside the file that imports it, or from the working directory as `python -m` finds it."""
    steps = [step for step in module.split(".") if step]
    if not steps or steps[0] == "slmkit" or folder.is_relative_to(PACKAGE):
        return None
    files = [root.joinpath(*steps).with_suffix(".py") for root in (folder, Path.cwd())]
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _library_file(module: str) -> Path | None:
    steps = module.split(".")
    if steps[0] != "slmkit" or len(steps) < 2 or steps[1] in _KERNEL:
        return None
    path = PACKAGE.joinpath(*steps[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None
