"""Aligned columns, and a last column that wraps at the width of the terminal."""

from __future__ import annotations

from rich.text import Text

from slmkit.console import aligned


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
