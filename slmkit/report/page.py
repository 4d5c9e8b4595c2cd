"""Writes report.html: one self-contained page per run, verdict first.

All content comes from the run directory. The template engine escapes every text, figures are rebuilt from an
allow-list, and the page's content security policy admits only the page's own style and script.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from slmkit.files import write_atomically
from slmkit.report import formatting
from slmkit.report.answers_table import answers_by_item
from slmkit.report.headline import headline
from slmkit.report.inline_svg import inline_svg
from slmkit.report.interval_chart import interval_chart
from slmkit.report.lineage import lineage, values_and_origins
from slmkit.report.read_run import Arm, RunFiles, Table, read_rows, read_run, read_tables
from slmkit.report.render import cell, render
from slmkit.report.token_mask import LEGEND, mask_spans

_ARMS_FIGURES = {"arms", "score_against_cost"}  # shown in the section of the arms, not under "Figures"

_Column = tuple[str, str, Callable[[Any], str]]

# Columns of the tables below the scores: field of Arm, heading, formatter.
_COST_COLUMNS: list[_Column] = [
    ("cost_per_1000", "Cost per 1,000", formatting.number),
    ("seconds_per_answer", "Mean time", formatting.duration),
    ("p50_seconds", "p50", formatting.duration),
    ("p95_seconds", "p95", formatting.duration),
    ("prompt_tokens", "Tokens in", formatting.number),
    ("completion_tokens", "Tokens out", formatting.number),
    ("setup_seconds", "Setup", formatting.duration),
    ("train_seconds", "Training", formatting.duration),
    ("peak_memory_bytes", "Peak memory", formatting.memory),
]
_FORMAT_COLUMNS: list[_Column] = [
    ("parse_rate", "Parsed", formatting.percent),
    ("stop_rate", "Completed", formatting.percent),
    ("empty_rate", "Empty", formatting.percent),
    ("error_rate", "Error", formatting.percent),
]


@dataclass(frozen=True)
class Figure:
    """A chart of the run as sanitised markup."""

    name: str
    title: str
    svg: Markup


def write_report(run_dir: Path) -> Path:
    """Writes report.html into the run directory and returns its path; also for unfinished and failed runs."""
    run = read_run(run_dir)
    answers = answers_by_item(read_rows(run_dir / "answers.jsonl"))
    sample = answers.sample(5)
    problems = list(run.problems)
    figures = _figures(run_dir, problems)
    arms_tables = [
        _arms_table("Cost and latency", _COST_COLUMNS, run.arms),
        _arms_table("Answer format", _FORMAT_COLUMNS, run.arms),
    ]
    values = values_and_origins(run.recipe.values, run.recipe.origins)
    page = {
        "run": run,
        "recipe": run.recipe,
        "result": run.result,
        "headline": headline(run),
        "facts": _facts(run),
        "arms": interval_chart(run.arms),
        "arms_tables": [table for table in arms_tables if table["columns"]],
        "has_intervals": any(metric.low is not None for metric in run.result.metrics.values()),
        "curves": _curves(run_dir),
        "arms_figures": [figure for figure in figures if figure.name == "score_against_cost"],
        "figures": [figure for figure in figures if not (run.arms and figure.name in _ARMS_FIGURES)],
        "tables": [_with_numeric_columns(table) for table in read_tables(run_dir)],
        "mask": mask_spans(read_rows(run_dir / "mask.jsonl")),
        "mask_legend": LEGEND,
        "answers": answers,
        "sample": sample,
        "honest": _lines(run.recipe.honest),
        "seeds": run.recipe.lesson.scores if run.recipe.lesson else {},
        "sources": _lines(run.recipe.source),
        "lineage": lineage(run),
        "values": [row for row in values if row[2] != "default"],
        "defaults": [row for row in values if row[2] == "default"],
        "notes": [str(row.get("text", "")) for row in read_rows(run_dir / "notes.jsonl")],
        "environment": [(name, cell(value)) for name, value in run.result.environment.items()],
        "problems": problems,
    }
    page["sections"] = _sections(page)
    script = "browser.js" if len(answers.items) > len(sample) else None
    path = run_dir / "report.html"
    write_atomically(path, render("report.html", script=script, **page))
    return path


def _facts(run: RunFiles) -> list[tuple[str, str]]:
    recipe, result = run.recipe, run.result
    facts = [
        ("Stage", recipe.stage),
        ("Run", recipe.key),
        ("Profile", recipe.profile or ""),
        ("Seed", "" if recipe.seed is None else str(recipe.seed)),
        ("Started", formatting.when(recipe.started)),
        ("Next lesson", recipe.next_lesson or ""),
        ("Duration", "" if result.seconds is None else formatting.duration(result.seconds)),
    ]
    return [(name, value) for name, value in facts if value]


def _arms_table(title: str, columns: Sequence[_Column], arms: list[Arm]) -> dict[str, Any]:
    """One formatted row per arm; columns that are 0 or missing for every arm are dropped."""
    used = [column for column in columns if any(getattr(arm, column[0]) for arm in arms)]
    rows = [(arm.system, [to_text(getattr(arm, key)) for key, _, to_text in used]) for arm in arms]
    return {"title": title, "columns": [heading for _, heading, _ in used], "rows": rows}


def _curves(run_dir: Path) -> list[Markup]:
    rows = list(read_rows(run_dir / "log.jsonl"))
    if len(rows) < 2:
        return []
    import matplotlib

    from slmkit.charts import curves

    drawn = []
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "slmkit"}):
        for index, figure in enumerate(curves(rows)):
            buffer = io.StringIO()
            figure.savefig(buffer, format="svg", transparent=True)
            label = f"{figure.axes[0].get_ylabel()} over {figure.axes[0].get_xlabel()}"
            drawn.append(inline_svg(buffer.getvalue(), prefix=f"curve{index}", label=label))
    return drawn


def _figures(run_dir: Path, problems: list[str]) -> list[Figure]:
    figures = []
    for index, path in enumerate(sorted((run_dir / "figures").glob("*.svg"))):
        title = path.stem.replace("_", " ").capitalize()
        try:
            svg = inline_svg(path.read_text(encoding="utf-8", errors="replace"), prefix=f"figure{index}", label=title)
        except ValueError as error:
            problems.append(f"figures/{path.name} is not shown: {error}")
        else:
            figures.append(Figure(path.stem, title, svg))
    return figures


def _with_numeric_columns(table: Table) -> dict[str, Any]:
    """The table's fields, plus which columns hold only numbers: those are right-aligned."""
    numeric = {
        column
        for column in table.columns
        if all(isinstance(row.get(column), int | float | None) for row in table.rows)
    }
    return {**vars(table), "numeric": numeric}


def _lines(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def _sections(page: dict[str, Any]) -> list[tuple[str, str]]:
    """Id and name of each section that is not empty, for the table of contents."""
    recipe, result = page["recipe"], page["result"]
    sections = [
        ("lesson", "Question", bool(recipe.lesson)),
        ("arms", "Systems", bool(page["run"].arms)),
        ("claim", "Claim" if result.expect else "Idea", bool(result.expect or recipe.teaches or recipe.honest)),
        *([("figures", "Figures", bool(page["figures"])), ("go-on", "Try it", True)] if recipe.lesson else []),
        ("metrics", "Metrics", bool(result.metrics)),
        ("curves", "Curves", bool(page["curves"])),
        *([] if recipe.lesson else [("figures", "Figures", bool(page["figures"]))]),
        ("mask", "Loss mask", bool(page["mask"])),
        ("examples", "Examples", bool(page["sample"])),
        ("answers", "All answers", len(page["answers"].items) > len(page["sample"])),
        ("tables", "Tables", bool(page["tables"])),
        ("lineage", "Lineage", True),
        ("notes", "Notes", bool(page["notes"])),
        ("environment", "Environment", bool(page["environment"])),
    ]
    return [(id, name) for id, name, is_shown in sections if is_shown]
