"""Lines of cells: columns that stand under one another, and a last one that folds where a terminal ends."""

from __future__ import annotations

from rich.text import Text

from slmkit.console import aligned


def test_columns_stand_under_one_another_and_numbers_end_at_one_place():
    lines = [line.plain for line in aligned([["name", "n"], [Text("日本", "bold"), "12"], ["alone"]], right={1})]
    assert lines == ["  name   n", "  日本  12", "  alone"]  # each of those letters is two places wide


def test_the_last_cell_folds_under_itself_and_loses_no_word():
    [line] = aligned([["ab", "one two three four five six"]], indent=0, width=20)
    assert line.plain == "ab  one two three\n    four five six"
    [narrow] = aligned([["ab", "one two three four five six"]], indent=0, width=14)
    assert narrow.plain == "ab  one two three four five six"  # too narrow to fold


def test_brackets_are_shown_and_mean_nothing():
    assert aligned([["[bold]x[/]", "[]"]], indent=0)[0].plain == "[bold]x[/]  []"
