"""slmkit's cache of models, and the hash of a large file, computed once per version of the file.

The folder is slmkit/models in XDG_CACHE_HOME, or in ~/.cache where that is not set; `slmkit get` fills it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from slmkit.errors import SlmkitError
from slmkit.files import cache_folder, sha256_of, write_json


def models_cache() -> Path:
    """The folder of converted and downloaded models; it need not exist."""
    folder = cache_folder()
    if folder is None:
        fix = "set XDG_CACHE_HOME to a folder that you can write to"
        raise SlmkitError("there is no home directory to keep models in", where="HOME", fix=fix)
    return folder / "models"


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file; while its size and time stay the same it is read from the cache, not computed again."""
    path = path.resolve()
    stat = path.stat()
    stamp = [stat.st_size, stat.st_mtime_ns]
    known = models_cache() / "hashes" / f"{hashlib.sha256(str(path).encode()).hexdigest()[:24]}.json"
    try:
        row = json.loads(known.read_text(encoding="utf-8"))
        if row["stamp"] == stamp and row["path"] == str(path):
            return str(row["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    found = sha256_of([path])
    try:
        known.parent.mkdir(parents=True, exist_ok=True)
        write_json(known, {"path": str(path), "stamp": stamp, "sha256": found})
    except OSError:  # a cache that cannot be written costs time, nothing else
        pass
    return found
