"""The keys of runs and of parts: hashes of everything that decides the result.

A run's key is a hash over the stage, its arguments, the keys of input runs, the content of input files and models, the
seed, and the code that the stage and its parts can reach (see `code_hash`). Profile, device, versions and git commit
are recorded in the run, not hashed: they do not change what was asked for.
"""

from __future__ import annotations

import functools
import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.cuda import cuda_is_available
from slmkit.recipe.call import Call, Part, Reference, parts_in, plain
from slmkit.runs.code_hash import code_hash

_NOT_HASHED = ("device", "report_to")  # recorded only: the answer asked for is the same
_PRICE = "price_per_"  # prefix of the parameters that set an endpoint's token prices
_WHOLE_MODEL_FILE = 64 * 2**20  # larger weight files are hashed by size, first and last MiB


def stage_key(call: Call, inputs: Sequence[Mapping[str, Any]], *, seed: int) -> str:
    """The key of a run: 12 hex digits. inputs: a row for each thing read, as recipe.json keeps them."""
    return _hash(
        {
            "stage": call.recipe.stage,
            "arguments": _without_references({k: v for k, v in call.arguments.items() if k not in _NOT_HASHED}),
            "contents": {row["parameter"]: _content(row) for row in inputs},
            "seed": seed,
            "code": _code_hash(call.function, call.arguments),
        }
    )


def part_key(inputs: Sequence[Mapping[str, Any]], place: str, part: Part, *, seed: int) -> str:
    """A hash of all that the work of one part of a step depends on: options, what it reads, code, and the machine.

    Prices are not hashed, because they do not affect answers. Whether there are any is hashed: a server with prices
    must report token counts.
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
            "code": _code_hash(part.function, part.arguments),
        }
    )


def _code_hash(function: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """A hash of the code that a stage or part, and the parts bound into it, can reach."""
    return code_hash([function, *(part.function for _, part in parts_in(dict(arguments)))])


def _hash(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _content(row: Mapping[str, Any]) -> str:
    """What is hashed of an input: its key, sha256 or name, and the suffix of a file, which selects the reader."""
    path = Path(row.get("path", ""))
    suffix = path.suffix.lower() if path.is_file() else ""
    return str(row.get("key") or row.get("sha256") or row["name"]) + suffix


def _without_references(value: Any) -> Any:
    """The arguments as plain values with a placeholder for each input, which is hashed by content, not by name."""
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
    """sha256 of a file, or of a folder's sorted relative names and contents, without hidden ones.

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
