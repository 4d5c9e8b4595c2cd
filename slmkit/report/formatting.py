"""Formats numbers, intervals, durations and times for the report, the index and the terminal."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

MISSING = "–"


def number(value: Any) -> str:
    """A number with three or four significant digits: 0.865, 4.20, 98.6, 2e-05; integers in full; None as a dash.

    Example: number(0.86453) -> "0.865"; number(0.00002) -> "2e-05"; number(1234.5) -> "1,234" (halves to even).
    """
    if value is None or value == "":
        return MISSING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if not isinstance(value, float):
        return str(value)
    if not math.isfinite(value):
        return "not a number" if math.isnan(value) else "infinite"
    if value.is_integer() and abs(value) < 1e15:
        return f"{value:,.0f}"
    size = abs(value)
    if size < 0.001:
        return f"{value:.2g}"
    return f"{value:.3f}" if size < 1 else f"{value:.2f}" if size < 10 else f"{value:,.{size < 1000:d}f}"


def score(value: Any) -> str:
    """A number with three decimals below 10, so that a column of scores lines up: 1.000, 0.865."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 10:
        return f"{value:z.3f}"
    return number(value)


def signed(value: Any) -> str:
    """A difference with its sign: +0.120, −0.031, 0.000."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return number(value)
    written = score(abs(value))
    is_zero = not written.strip("0.")  # after rounding: -0.0004 has no sign
    return f"{'' if is_zero else '+' if value > 0 else '−'}{written}"


def interval(low: Any, high: Any) -> str:
    """An interval as "[0.811, 1.000]"; empty if an end is unknown."""
    return "" if low is None or high is None else f"[{score(low)}, {score(high)}]"


def signed_interval(low: Any, high: Any) -> str:
    """The interval of a difference, with signs: "[+0.041, +0.199]"."""
    return "" if low is None or high is None else f"[{signed(low)}, {signed(high)}]"


def bounds(low: Any, high: Any) -> str:
    """The bounds of an expectation in words: "at least 0.9", "between 0.4 and 0.6", "exactly 1"."""
    if low is not None and low == high:
        return f"exactly {number(low)}"
    if low is None:
        return "anything" if high is None else f"at most {number(high)}"
    return f"at least {number(low)}" if high is None else f"between {number(low)} and {number(high)}"


def p_value(value: Any) -> str:
    """A p-value, never shown as zero: "0.032", "< 0.001"."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return number(value)
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def percent(value: Any) -> str:
    """A fraction as a percentage: 0.985 -> "98.5%"."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        return number(value)
    return f"{100 * value:.1f}%".replace(".0%", "%")


def duration(seconds: Any) -> str:
    """Seconds in a readable unit: "3 ms", "12.4 s", "3 min 20 s", "2 h 5 min"."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or not math.isfinite(seconds):
        return number(seconds)
    if seconds == 0:
        return "0 s"
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms" if seconds >= 0.01 else f"{1000 * seconds:.2g} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, hours = round(seconds) // 60, round(seconds) // 3600
    return f"{minutes} min {round(seconds) % 60} s" if hours == 0 else f"{hours} h {minutes % 60} min"


def memory(num_bytes: Any) -> str:
    """Bytes in decimal units: "512 MB" (1 MB = 10**6 bytes), "1.2 GB" (1 GB = 10**9 bytes)."""
    if not isinstance(num_bytes, int | float) or isinstance(num_bytes, bool) or not math.isfinite(num_bytes):
        return number(num_bytes)
    return f"{num_bytes / 1e6:,.0f} MB" if num_bytes < 999.5e6 else f"{num_bytes / 1e9:,.1f} GB"


def when(moment: str) -> str:
    """An ISO time as "2026-03-01 14:05 UTC"; other text is returned unchanged."""
    try:
        parsed = datetime.fromisoformat(moment.replace("Z", "+00:00"))
    except ValueError:
        return moment
    return f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if parsed.tzinfo else f"{parsed:%Y-%m-%d %H:%M}"


def shorten(text: str, max_characters: int, file: str) -> str:
    """The text cut to max_characters, with the number of characters that are only in the file."""
    num_cut = len(text) - max_characters
    return text if num_cut <= 0 else f"{text[:max_characters]} … ({num_cut:,} more characters in {file})"
