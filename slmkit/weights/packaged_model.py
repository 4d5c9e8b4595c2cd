"""Models that a Python package carries as a GGUF file, for machines that reach a package index but no hub.

The card in configs/models names package, version, file and hashes; `slmkit get` downloads it.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.weights.models_cache import file_sha256, models_cache


@dataclass(frozen=True, kw_only=True)
class PackagedModel:
    """The key `package` of a card."""

    name: str  # as on the package index
    version: str
    file: str  # inside the package
    sha256: str  # of the file
    wheel_sha256: str
    wheel_bytes: int

    @property
    def title(self) -> str:
        return f"{self.name} {self.version}"

    @property
    def cached_file(self) -> Path:
        """Where `slmkit get` puts the file."""
        return models_cache() / f"{self.name.replace('-', '_')}-{self.version}" / Path(self.file).name


def read_package(values: Mapping[str, Any], *, where: str) -> PackagedModel:
    """The package of a card. Raises: SlmkitError for keys that are missing or unknown."""
    known = [field.name for field in fields(PackagedModel)]
    if not isinstance(values, Mapping) or set(values) != set(known):
        raise SlmkitError("`package` of a model card is not complete", where=where, fix=f"give {', '.join(known)}")
    return PackagedModel(
        **{**{key: str(value) for key, value in values.items()}, "wheel_bytes": values["wheel_bytes"]}
    )


def packaged_file(package: PackagedModel) -> Path | None:
    """The GGUF file, if it is in slmkit's cache or the package is installed; its hash is checked.

    Raises: RefusedError if the file is not the one that the card names.
    """
    path = package.cached_file
    if not path.is_file():
        installed = _installed_file(package)
        if installed is None:
            return None
        path = installed
    check_sha256(path, package.sha256, fix=f"delete it, then `pip uninstall {package.name}` if it is installed")
    return path


def check_sha256(path: Path, expected: str, *, fix: str) -> None:
    """Raises RefusedError if the file has another hash."""
    found = file_sha256(path)
    if found != expected:
        what = f"{path.name} has the SHA-256 {found[:12]}…, not {expected[:12]}… as its card says"
        raise RefusedError(what, where=str(path), fix=fix)


def package_of(path: Path) -> str | None:
    """Name and version of the package that a file belongs to, in slmkit's cache or installed; None for any other."""
    folder = path.resolve().parent
    if folder.parent == models_cache().resolve() and "-" in folder.name:
        name, _, version = folder.name.rpartition("-")
        return f"{name.replace('_', '-')} {version}"
    for about in folder.parent.glob(f"{folder.name}-*.dist-info"):
        name, _, version = about.name.removesuffix(".dist-info").rpartition("-")
        return f"{name.replace('_', '-')} {version}"
    return None


def _installed_file(package: PackagedModel) -> Path | None:
    try:
        distribution = importlib.metadata.distribution(package.name)
    except importlib.metadata.PackageNotFoundError:
        return None
    path = Path(str(distribution.locate_file(package.file)))
    return path if distribution.version == package.version and path.is_file() else None
