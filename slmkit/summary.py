"""What a command prints once its run is done: the verdict, the arms or the metrics behind it, the report's path.

It reads only the run directory. Lines are aligned here and never cut or wrapped, so they read the same in a pipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.cells import cell_len
from rich.text import Text

from slmkit.report import words
from slmkit.report.arms import ArmsChart, arms_chart
from slmkit.report.headline import headline
from slmkit.report.read_run import Expectation, Measured, Row, RunFiles, read_rows, read_run

_MOST_METRICS = 12
_SIGNS = {"good": ("✓ ", "bold green"), "bad": ("✗ ", "bold red"), "plain": ("", "")}


def summary(run_dir: Path) -> Text:
    """The verdict sentence, the arms side by side or else the metrics, the claim's checks, and where the report is."""
    run = read_run(run_dir)
    arms = arms_chart(list(read_rows(run_dir / "arms.jsonl")))
    blocks = [[_headline(run)]]
    if arms.arms:
        blocks.append(_arms(arms))
    elif run.result.metrics:
        blocks.append(_metrics(run.result.metrics))
    if run.result.expect:
        blocks.append(_checks(run.result.expect))
    report = run_dir / "report.html"
    if report.is_file():
        blocks.append([Text.assemble(("report  ", "dim"), (str(report), f"link {report.absolute().as_uri()}"))])
    return Text("\n\n").join(Text("\n").join(lines) for lines in blocks)


def _headline(run: RunFiles) -> Text:
    said = headline(run)
    return Text.assemble(_SIGNS[said.tone], (said.text, "bold"))


def _arms(chart: ArmsChart) -> list[Text]:
    """One line an arm, the best first, the one that the verdict takes in bold."""
    against = f"difference to {chart.reference}" if chart.reference else "difference"
    rows: list[list[str | Text]] = [[Text(name, "dim") for name in ("system", "score", against, "cost/1,000")]]
    for arm in chart.arms:
        row = arm.row
        score = f"{words.score(row.get('score'))} {words.interval(row.get('low'), row.get('high'))}"
        system = Text(str(row.get("system", "")), "bold" if arm.is_chosen else "")
        rows.append([system, score, _difference(row), words.number(row.get("cost_per_1000"))])
    return _aligned(rows, right={1, 2, 3})


def _difference(row: Row) -> str:
    ends = words.signed_interval(row.get("difference_low"), row.get("difference_high"))
    return f"{words.signed(row.get('difference'))} {ends}".rstrip()


def _metrics(metrics: dict[str, Measured]) -> list[Text]:
    rows: list[list[str | Text]] = []
    for name, metric in list(metrics.items())[:_MOST_METRICS]:
        n = f" n={metric.n:,}" if metric.n is not None else ""
        rows.append([Text(name, "dim"), _value(metric), words.interval(metric.low, metric.high) + n])
    if len(metrics) > _MOST_METRICS:
        rows.append([Text(f"and {len(metrics) - _MOST_METRICS} more in the report", "dim")])
    return _aligned(rows, right={1})


def _value(metric: Measured) -> str:
    return words.number(metric.value) if metric.low is None else words.score(metric.value)


def _checks(checks: Sequence[Expectation]) -> list[Text]:
    rows: list[list[str | Text]] = []
    for check in checks:
        mark = Text("✓ holds", "green") if check.ok else Text("✗ broken", "red")
        rows.append([mark, check.metric, words.number(check.value), f"expected {words.bounds(check.low, check.high)}"])
    return _aligned(rows, right={2})


def _aligned(rows: Sequence[Sequence[str | Text]], *, right: set[int]) -> list[Text]:
    """Rows as indented lines, each column as wide as its widest cell; the columns in `right` end at one place."""
    full = [row for row in rows if len(row) > 1]  # a line of its own sets no width
    widths = [max(cell_len(str(cell)) for cell in column) for column in zip(*full, strict=True)]
    lines = []
    for row in rows:
        line = Text("  ")
        for index, cell in enumerate(row):
            space = " " * (widths[index] - cell_len(str(cell)) if len(row) > 1 else 0)
            line.append_text(
                Text.assemble("  " if index else "", *((space, cell) if index in right else (cell, space)))
            )
        line.rstrip()
        lines.append(line)
    return lines
