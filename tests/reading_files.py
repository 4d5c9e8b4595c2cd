"""Writes small files for the tests of reading, and reads them."""

from pathlib import Path
from typing import Any

import pytest

from slmkit.data.reading.read import read_rows
from slmkit.errors import SlmkitError


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def values(path: Path, notes: list[str] | None = None) -> list[dict[str, Any]]:
    """The rows of a file or folder; its notes are appended to `notes`."""
    return [row.values for row in read_rows(path, on_note=None if notes is None else notes.append)]


def fault(path: Path, **options: Any) -> SlmkitError:
    """The error with which a file or folder is refused."""
    with pytest.raises(SlmkitError) as caught:
        list(read_rows(path, **options))
    assert caught.value.exit_code == 3
    assert len(str(caught.value).splitlines()) == 3
    return caught.value
