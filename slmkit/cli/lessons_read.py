"""Which lessons have been read: one small file in the user's data folder."""

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
    """Lessons read, with the time; a file that is missing or cannot be read is no lesson."""
    try:
        found = json.loads(progress_file().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(when) for name, when in found.items()} if isinstance(found, dict) else {}


def mark_read(name: str) -> None:
    """Notes that a lesson has been read, now; the whole file is written anew or the old one stays."""
    path = progress_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    write_json(path, {**read_lessons(), name: now})
