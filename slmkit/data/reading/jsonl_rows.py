"""The rows of a JSONL file: one object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from slmkit.data.reading.encoding import Encoding
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.json_values import JsonReader, nan_note
from slmkit.data.reading.open_file import open_text
from slmkit.errors import SlmkitError

_EXCERPT = 60  # characters of a line in an error message


def jsonl_rows(file: Path, encoding: Encoding, *, on_note: OnNote) -> Iterator[tuple[dict[str, Any], int]]:
    """Each object and its line."""
    reader = JsonReader()
    decode = reader.decode
    with open_text(file, encoding) as stream:
        for number, raw in enumerate(stream, 1):
            line = raw.strip().lstrip("\ufeff")  # the mark of a file that was appended to another
            if not line:
                continue
            try:
                values = decode(line)
            except (ValueError, RecursionError) as error:
                why = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
                raise SlmkitError(
                    f"not valid JSON ({why}): {line[:_EXCERPT]!r}",
                    where=f"{file}:{number}",
                    fix=_fix(line),
                ) from None
            if not isinstance(values, dict):
                raise SlmkitError(
                    f"expected a JSON object, found {type(values).__name__}: {line[:_EXCERPT]!r}",
                    where=f"{file}:{number}",
                    fix='write one JSON object per line: {"text": ..., "label": ...}, or name the file .json',
                )
            yield values, number
    if reader.num_nan:
        on_note(nan_note(file.name, reader.num_nan))


def _fix(line: str) -> str:
    if line.startswith("{'"):
        return "write each line with json.dumps: names and texts in double quotes, no comma at its end"
    if line.startswith('{"') and line.endswith("},"):
        return "remove the comma at the end of each line"
    return "write one complete JSON object per line, or name the file .json"
