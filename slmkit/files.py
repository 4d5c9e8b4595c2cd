"""Writes files atomically, hashes their bytes, and dumps values as JSON or YAML."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent  # the folder of slmkit


def cache_folder() -> Path | None:
    """slmkit's folder in the user's cache, in XDG_CACHE_HOME if that is set; None without a home directory."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slmkit"
    except RuntimeError:
        return None


def write_atomically(path: Path, text: str | Iterable[str]) -> None:
    """Writes a text, or its parts, completely or not at all; the parent folder must exist."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "w", encoding="utf-8") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes a value atomically as indented JSON; dataclasses become objects."""
    write_atomically(path, json.dumps(value, indent=1, ensure_ascii=False, default=_plain) + "\n")


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The rows of a JSONL file. Lines end at a newline only: a string may contain other line separators (U+2028)."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def write_folder_atomically(folder: Path, files: Mapping[str, str], *, replace: bool = False) -> None:
    """Writes a folder of text files in one move, or leaves nothing behind.

    With replace=True the folder takes the place of the old one and keeps those of its files that are not in `files`.
    Raises: OSError, also if the folder exists and replace is False.
    """
    temporary, old = (folder.with_name(f".{folder.name}.{os.getpid()}.{end}") for end in ("tmp", "old"))
    try:
        if replace:
            shutil.copytree(folder, temporary)
        else:
            temporary.mkdir(parents=True)
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8")
        if replace:
            folder.rename(old)
        temporary.rename(folder)
    except BaseException:  # Ctrl-C between the two moves too
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        if folder.exists():
            shutil.rmtree(old, ignore_errors=True)


def sha256_of(paths: Sequence[Path]) -> str:
    """The SHA-256 of the concatenated bytes of the files."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def to_yaml(values: Mapping[str, Any]) -> str:
    """The values as YAML, in the given order."""
    from ruamel.yaml import YAML

    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.dump(dict(values), stream)
    return stream.getvalue()
