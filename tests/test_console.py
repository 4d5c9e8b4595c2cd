"""Aligned columns, and a last column that wraps at the width of the terminal."""

from __future__ import annotations

import pytest
from rich.text import Text

from slmkit import console as console_module
from slmkit.console import Ticker, aligned, console


def test_columns_are_aligned_and_numbers_right_aligned():
    lines = [line.plain for line in aligned([["name", "n"], [Text("日本", "bold"), "12"], ["alone"]], right={1})]
    assert lines == ["  name   n", "  日本  12", "  alone"]  # each of those letters is two cells wide


def test_the_last_cell_wraps_under_itself_and_keeps_every_word():
    [line] = aligned([["ab", "one two three four five six"]], indent=0, width=20)
    assert line.plain == "ab  one two three\n    four five six"
    [narrow] = aligned([["ab", "one two three four five six"]], indent=0, width=14)
    assert narrow.plain == "ab  one two three four five six"  # too narrow to wrap


def test_brackets_are_not_read_as_markup():
    assert aligned([["[bold]x[/]", "[]"]], indent=0)[0].plain == "[bold]x[/]  []"


def test_the_time_left_does_not_count_what_was_slow_before_the_first_step(monkeypatch):
    if console.is_terminal:
        pytest.skip("a terminal has a bar instead")
    now, lines = [0.0], []
    monkeypatch.setattr(console_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(console, "quiet", False)
    monkeypatch.setattr(console, "print", lambda text, **options: lines.append(text))
    ticker = Ticker("train", 100, "steps")
    now[0] = 250.0  # loading and a trial step
    ticker.advance(1, tokens=800)
    assert "left" not in lines[0] and "tokens/s" not in lines[0]
    for _ in range(2):
        now[0] += 20
        ticker.advance(1, tokens=800)
    assert lines[2].startswith("  train: 3/100 steps, 1,940 s left") and "40 tokens/s" in lines[2]
