"""The bytes of data files as one hash, and values as YAML: what the cards of data and of gold have in common."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def sha256_of(paths: Sequence[Path]) -> str:
    """One hash over the bytes of the files, in their order."""
    digest = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def to_yaml(values: Mapping[str, Any]) -> str:
    """The values as YAML, in their order."""
    from ruamel.yaml import YAML

    stream = io.StringIO()
    yaml = YAML()
    yaml.width = 110
    yaml.dump(dict(values), stream)
    return stream.getvalue()
