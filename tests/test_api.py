"""The Python API is the command line's path: the same runs, results and errors."""

import runpy
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

import slmkit as api
from slmkit.types import Answer, Score

Slmkit = Callable[..., Finished]
STAGE = """
def measure(run, *, size: int = 3, rows: list[int] | None = None):
    run.metric(size=size)
    run.table("rows", [{"row": row} for row in rows or []])
    run.verdict("large" if size > 2 else "small", positive=size > 2)
"""


@pytest.fixture
def recipe(project: Path) -> str:
    write(project / "mine.py", STAGE)
    write(project / "recipes/mine.yaml", "stage: ./mine.py:measure\nwith: {rows: [1, 2]}\nexpect: {size: [4, null]}\n")
    return "mine"


def test_all_names_are_importable_and_documented() -> None:
    for name in api.__all__:
        assert getattr(api, name).__doc__, name
        assert f"`{name}`" in (REPOSITORY / "docs/python.md").read_text(), name
    assert set(api.__all__) <= set(dir(api))
    assert (REPOSITORY / "slmkit/py.typed").is_file()
    with pytest.raises(AttributeError, match="nothing"):
        api.nothing  # noqa: B018


def test_a_run_has_metrics_a_verdict_and_tables(recipe: str) -> None:
    result = api.run(recipe)
    assert result.metrics == {"size": 3}
    assert (str(result.verdict), result.verdict.positive) == ("large", True)
    assert not result.claims_hold
    assert result.table("rows") == [{"row": 1}, {"row": 2}]
    assert result.tables == ["rows"]
    assert result.report.is_file() and "<iframe" in result._repr_html_()
    with pytest.raises(api.SlmkitError, match="'row'") as error:
        result.table("row")
    assert "'rows'" in error.value.fix
    assert not api.run(recipe, size=1).verdict.positive
    assert api.run(recipe, {"size": 5}).claims_hold  # a changed value lifts the claims


def test_the_command_line_finds_the_run_of_the_api(recipe: str, slmkit: Slmkit) -> None:
    result = api.run(recipe, size=7, rows=(4, Path("5").name and 5))
    again = slmkit("run", recipe, "size=7", "rows=[4, 5]", "--json").json
    assert again["dir"] == str(result.path) and again["ran"] == []


def test_errors_are_those_of_the_command_line(recipe: str) -> None:
    with pytest.raises(api.SlmkitError, match="'sise'") as error:
        api.run(recipe, sise=3)
    assert "'size'" in error.value.fix
    with pytest.raises(api.SlmkitError, match="'nope'"):
        api.read_gold("nope")
    gold = api.read_gold("tickets")
    with pytest.raises(api.SlmkitError, match="'num_shot'") as error:
        api.ask("prompt", gold, model="nano", num_shot=1)
    assert "'num_shots'" in error.value.fix
    with pytest.raises(api.SlmkitError, match="'promt'"):
        api.ask("promt", gold)
    with pytest.raises(api.SlmkitError, match="'else'"):
        api.score([Answer("else", "x")], gold)


def test_answers_are_scored_by_the_metric_of_the_gold_set_or_another() -> None:
    gold = api.read_gold("tickets")
    right = [Answer(example.id, example.target) for example in gold.examples[:10]]
    wrong = [Answer(example.id, "") for example in gold.examples[10:20]]
    assert api.score(right + wrong, gold).value == 0.5
    assert api.score(right + wrong, gold).n == 20
    assert api.score(right[:5], gold, metric="f1").value == 1.0
    assert isinstance(api.score(right, gold), Score)


def test_the_examples_run(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    topics = {"card": "card lost", "fee": "charged twice", "login": "no access"}
    rows = [f"my {topic} number {i},{label}\n" for i in range(30) for topic, label in topics.items()]
    write(project / "my.csv", "text,label\n" + "".join(rows))
    write(project / "configs/profiles/tiny.yaml", (REPOSITORY / "configs/profiles/tiny.yaml").read_text() + SHORT)
    for name, words in {"compare": ["my.csv"], "ask_and_score": []}.items():
        monkeypatch.setattr(sys, "argv", [name, *words])
        runpy.run_path(str(REPOSITORY / "examples" / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr().out
    assert "fine-tuned + RAG" in printed and "report.html" in printed and "arms.svg" in printed
    assert "nano: exact match 0." in printed and "n=40" in printed


SHORT = "max_steps: 3\n"
