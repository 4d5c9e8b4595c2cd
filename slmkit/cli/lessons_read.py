"""Which lessons the user has read: one small file in their data folder."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path

from slmkit.files import write_json


def progress_file() -> Path:
    """$XDG_DATA_HOME/slmkit/lessons.json, by default ~/.local/share/slmkit/lessons.json."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "slmkit/lessons.json"


def read_lessons() -> dict[str, str]:
    """Lessons read, with the time; empty if the file is missing or unreadable."""
    try:
        found = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(when) for name, when in found.items()} if isinstance(found, dict) else {}


def mark_read(name: str) -> None:
    """Records that a lesson has been read now; the file is replaced atomically."""
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_json(path, {**read_lessons(), name: now})
