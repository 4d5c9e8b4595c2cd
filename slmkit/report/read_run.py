"""Reads a run directory as plain data: every file may be missing, and no text in it is trusted.

Strings are made printable here: control characters become visible symbols and lone surrogates the replacement
character, so that no page or terminal interprets them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, field_validator

Row = dict[str, Any]
Status = Literal["done", "failed", "unfinished"]

# Tables with their own section in the report; "answered" has the same answers, written as they arrive.
_TABLES_WITH_A_SECTION = {"log", "notes", "arms", "answers", "answered", "mask"}
_MAX_TABLE_ROWS = 50
# Control characters, line separators that end a script string, bidirectional overrides, surrogates, non-characters.
_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


class _FromFile(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Measured(_FromFile):
    """A metric: its value and, if it was measured on examples, its 95% interval and their number."""

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None


class Expectation(_FromFile):
    """One check of the recipe's claim and whether the run passed it."""

    metric: str
    low: float | None = None
    high: float | None = None
    value: float | None = None
    ok: bool = False


class Verdict(_FromFile):
    """The conclusion of a run in one sentence."""

    text: str
    positive: bool = True


class InputRecord(_FromFile):
    """An input of the run: another run, a file, or a model."""

    parameter: str = ""
    name: str = ""
    kind: str = ""
    key: str | None = None
    dir: str | None = None
    path: str | None = None
    sha256: str | None = None


class LessonRecord(_FromFile):
    """The teaching material around a lesson's run."""

    idea: str
    question: str
    explore: list[str] = []
    read: list[str] = []
    scores: dict[str, list[float]] = {}


class BreaksRecord(_FromFile):
    """A change that must make the named checks fail."""

    values: Row = Field(default_factory=dict, alias="with")
    red: list[str] = []


class RecipeRecord(_FromFile):
    """recipe.json: the arguments of the run and where each value came from."""

    name: str = ""
    key: str = ""
    title: str | None = None
    teaches: str | None = None
    source: str | list[str] | None = None
    honest: str | list[str] | None = None
    lesson: LessonRecord | None = None
    breaks: BreaksRecord | None = None
    next_lesson: str | None = None
    stage: str = ""
    profile: str | None = None
    seed: int | None = None
    values: Row = Field(default_factory=dict, alias="with")
    origins: dict[str, str] = {}
    inputs: list[InputRecord] = []
    command: str = ""
    started: str = ""


class ResultRecord(_FromFile):
    """result.json: metrics, verdict and checks; it exists once the run is done."""

    metrics: dict[str, Measured] = {}
    verdict: Verdict | None = None
    expect: list[Expectation] = []
    expect_lifted: bool = False
    seconds: float | None = None
    finished: str = ""
    environment: Row = {}

    @field_validator("metrics", mode="before")
    @classmethod
    def _plain_numbers(cls, metrics: Any) -> Any:
        if not isinstance(metrics, dict):
            return metrics
        return {name: value if isinstance(value, dict) else {"value": value} for name, value in metrics.items()}


class Arm(_FromFile):
    """A row of arms.jsonl: one system's score, its difference from the reference, and its cost."""

    system: str
    score: FiniteFloat
    low: FiniteFloat | None = None
    high: FiniteFloat | None = None
    n: int | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    p_value: float | None = None
    reference: str = ""  # the arm that differences are measured from
    chosen: bool = False  # the verdict recommends this arm
    cost_per_1000: float | None = None
    seconds_per_answer: float | None = None
    p50_seconds: float | None = None
    p95_seconds: float | None = None
    prompt_tokens: float | None = None
    completion_tokens: float | None = None
    setup_seconds: float | None = None
    train_seconds: float | None = None
    peak_memory_bytes: float | None = None  # while answering
    parse_rate: float | None = None
    stop_rate: float | None = None
    empty_rate: float | None = None
    error_rate: float | None = None


@dataclass(frozen=True)
class Table:
    """The first rows of <name>.jsonl and the total number of rows."""

    name: str
    file: str
    columns: list[str]
    rows: list[Row]
    count: int


@dataclass(frozen=True)
class RunFiles:
    """The records of one run."""

    dir: Path
    status: Status
    recipe: RecipeRecord
    result: ResultRecord
    arms: list[Arm]  # best first
    error: str  # why the run failed
    problems: list[str]  # files that could not be read, and why


def read_run(run_dir: Path) -> RunFiles:
    """The run's recipe, result, arms and status; an unreadable file is listed in `problems` instead of raising."""
    problems: list[str] = []
    recipe = _read(run_dir / "recipe.json", RecipeRecord, problems) or RecipeRecord()
    if not recipe.name:
        recipe = recipe.model_copy(update={"name": printable(run_dir.parent.name), "key": printable(run_dir.name)})
    result = _read(run_dir / "result.json", ResultRecord, problems)
    arms = [_record(row, Arm, "arms.jsonl", problems) for row in read_rows(run_dir / "arms.jsonl")]
    best_first = sorted((arm for arm in arms if arm), key=lambda arm: arm.score, reverse=True)
    error_file = run_dir / "error.txt"
    error = printable(error_file.read_text(encoding="utf-8", errors="replace")) if error_file.is_file() else ""
    status: Status = "done" if result else "failed" if error else "unfinished"
    return RunFiles(run_dir, status, recipe, result or ResultRecord(), best_first, "" if result else error, problems)


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a table; a missing file has none, and a line cut off by a kill is skipped."""
    if not path.is_file():
        return
    with open(path, encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(row, dict):
                yield printable(row)


def read_tables(run_dir: Path) -> list[Table]:
    """The tables without their own section in the report, each with its first rows."""
    tables = []
    for path in sorted(run_dir.glob("*.jsonl")):
        if path.stem in _TABLES_WITH_A_SECTION:
            continue
        rows: list[Row] = []
        with open(path, "rb") as file:
            count = sum(1 for line in file if line.strip())
        for row in read_rows(path):
            rows.append(row)
            if len(rows) == _MAX_TABLE_ROWS:
                break
        columns = list(dict.fromkeys(key for row in rows for key in row))
        tables.append(Table(printable(path.stem), printable(path.name), columns, rows, count))
    return tables


def printable(value: Any) -> Any:
    """The JSON value with all strings, keys included, safe to display."""
    if isinstance(value, str):
        return _UNPRINTABLE.sub(_visible, value)
    if isinstance(value, dict):
        return {printable(str(key)): printable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [printable(item) for item in value]
    return value


def _visible(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == 0x0D:
        return ""  # \r\n becomes \n
    if code < 0x20:
        return chr(0x2400 + code)  # the block "Control Pictures" mirrors the first 32 characters
    return "\u2421" if code == 0x7F else "\n" if code in (0x2028, 0x2029) else "\ufffd"


_Record = TypeVar("_Record", bound=_FromFile)


def _read(path: Path, kind: type[_Record], problems: list[str]) -> _Record | None:
    if not path.is_file():
        return None
    try:
        value = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        problems.append(f"{path.name} could not be read: {error}")
        return None
    return _record(printable(value), kind, path.name, problems)


def _record(value: Any, kind: type[_Record], file: str, problems: list[str]) -> _Record | None:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        problems.append(f"{file} could not be read: {where}: {first['msg']}")
        return None
