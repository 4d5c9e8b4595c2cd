"""What a command prints after its run: the verdict, the arms or metrics behind it, and the path of the report.

Reads only the run directory. Lines are aligned but never cut or wrapped, so a pipe gets the same text as a terminal.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.text import Text

from slmkit.console import aligned
from slmkit.report import formatting
from slmkit.report.headline import headline
from slmkit.report.read_run import Arm, Expectation, Measured, RunFiles, Table, read_run, read_tables

_MAX_METRICS = 12
_MAX_ROWS, _MAX_COLUMNS, _MAX_CELL = 12, 7, 48  # of a table printed in the terminal
_SIGNS = {"good": ("✓ ", "bold green"), "bad": ("✗ ", "bold red"), "plain": ("", "")}


def summary(run_dir: Path) -> Text:
    """The verdict, the arms or else the metrics, the checks of the claim, and the path of the report."""
    run = read_run(run_dir)
    blocks = [[_headline(run)]]
    if run.arms:
        blocks.append(_arms(run.arms))
    elif run.result.metrics:
        blocks.append(_metrics(run.result.metrics))
    if run.result.expect:
        blocks.append(_checks(run.result.expect))
    report = run_dir / "report.html"
    if report.is_file():
        blocks.append([Text.assemble(("report  ", "dim"), (str(report), f"link {report.absolute().as_uri()}"))])
    return Text("\n\n").join(Text("\n").join(lines) for lines in blocks)


def lesson_summary(run_dir: Path) -> Text:
    """For a lesson: the claim, its checks, the small tables behind it, and the path of its page."""
    run = read_run(run_dir)
    blocks = [[_headline(run)]]
    if run.result.verdict and run.recipe.teaches:  # without a verdict, the headline is the claim
        blocks.append([Text(run.recipe.teaches)])
    if run.result.expect:
        named = [check.model_copy(update={"metric": check.metric.replace("_", " ")}) for check in run.result.expect]
        blocks.append(_checks(named))
    elif run.result.metrics:
        blocks.append(_metrics(run.result.metrics))
    if run.arms:
        blocks.append(_arms(run.arms))
    blocks += [_table(table) for table in read_tables(run_dir) if _is_small(table)]
    figures = [str(path) for path in sorted((run_dir / "figures").glob("*.svg"))]
    files = [("figure", figure) for figure in figures] + [("page", str(run_dir / "report.html"))]
    blocks.append([Text.assemble((f"{what:<8}", "dim"), path) for what, path in files])
    return Text("\n\n").join(Text("\n").join(lines) for lines in blocks)


def _is_small(table: Table) -> bool:
    return 0 < table.count <= _MAX_ROWS and len(table.columns) <= _MAX_COLUMNS


def _table(table: Table) -> list[Text]:
    """A small table under its name, numbers flush right."""
    rows: list[list[str | Text]] = [[Text(column.replace("_", " "), "dim") for column in table.columns]]
    rows += [[_cell(row.get(column)) for column in table.columns] for row in table.rows]
    numeric = {
        index
        for index, column in enumerate(table.columns)
        if all(isinstance(row.get(column), int | float | None) for row in table.rows)
    }
    return [Text(table.name.replace("_", " "), "bold"), *aligned(rows, right=numeric)]


def _cell(value: object) -> str:
    text = formatting.number(value)
    return text if len(text) <= _MAX_CELL else text[: _MAX_CELL - 1] + "…"


def _headline(run: RunFiles) -> Text:
    line = headline(run)
    return Text.assemble(_SIGNS[line.tone], (line.text, "bold"))


def _arms(arms: Sequence[Arm]) -> list[Text]:
    """One line per arm, the best first; the arm the verdict recommends is bold."""
    reference = next((arm.reference for arm in arms if arm.reference), "")
    against = f"difference to {reference}" if reference else "difference"
    has_costs = any(arm.cost_per_1000 is not None for arm in arms)
    columns = ("system", "score", against, *(["cost/1,000"] if has_costs else []))
    rows: list[list[str | Text]] = [[Text(name, "dim") for name in columns]]
    for arm in arms:
        score = f"{formatting.score(arm.score)} {formatting.interval(arm.low, arm.high)}"
        ends = formatting.signed_interval(arm.difference_low, arm.difference_high)
        difference = f"{formatting.signed(arm.difference)} {ends}".rstrip()
        cost = [formatting.number(arm.cost_per_1000)] if has_costs else []
        rows.append([Text(arm.system, "bold" if arm.chosen else ""), score, difference, *cost])
    return aligned(rows, right={1, 2, 3})


def _metrics(metrics: dict[str, Measured]) -> list[Text]:
    rows: list[list[str | Text]] = []
    for name, metric in list(metrics.items())[:_MAX_METRICS]:
        n = f" n={metric.n:,}" if metric.n is not None else ""
        rows.append([Text(name, "dim"), _value(metric), formatting.interval(metric.low, metric.high) + n])
    if len(metrics) > _MAX_METRICS:
        rows.append([Text(f"and {len(metrics) - _MAX_METRICS} more in the report", "dim")])
    return aligned(rows, right={1})


def _value(metric: Measured) -> str:
    return formatting.number(metric.value) if metric.low is None else formatting.score(metric.value)


def _checks(checks: Sequence[Expectation]) -> list[Text]:
    rows: list[list[str | Text]] = []
    for check in checks:
        mark = Text("✓ holds", "green") if check.ok else Text("✗ fails", "red")
        rows.append(
            [
                mark,
                check.metric,
                formatting.number(check.value),
                f"expected {formatting.bounds(check.low, check.high)}",
            ]
        )
    return aligned(rows, right={2})
