"""Turns values that JSON does not have into text as people write it: ISO dates, digits of decimals; NaN into null.

date(2026, 1, 31)            -> "2026-01-31"
datetime(2026, 1, 31, 9, 5)  -> "2026-01-31T09:05:00"
timedelta(hours=26)          -> "1 day, 2:00:00"
Decimal("4.50")              -> "4.50"
b"caf\\xc3\\xa9"               -> "café"
"""

from __future__ import annotations

import math
from datetime import date, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from slmkit.errors import counted


def plain(value: Any) -> Any:
    """The value as JSON has it, at any depth. Raises: ValueError for an infinity, and for bytes that are not UTF-8."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        if math.isnan(value):
            return None
        raise ValueError(f"{value} is not a number that JSON has")
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        try:
            return bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            byte = error.object[error.start]
            size = counted(len(error.object), "byte")
            raise ValueError(
                f"{size} that {'is' if len(error.object) == 1 else 'are'} not UTF-8 text (byte {byte:#04x})"
            ) from None
    if isinstance(value, Decimal):
        return format(value, "f") if value.is_finite() else plain(float(value))
    if isinstance(value, date | time):  # a datetime is a date
        return value.isoformat()
    if isinstance(value, timedelta | UUID):
        return str(value)
    if isinstance(value, dict):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(part) for part in value]
    raise ValueError(f"a value of the type {type(value).__name__}, which is not text, a number or a record")
