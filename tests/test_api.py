"""The Python API is the command line's path: the same runs, results and errors."""

import json
import runpy
import shlex
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
    result = api.run(recipe, size=7, rows=(4, 5))
    again = slmkit("run", recipe, "size=7", "rows=[4, 5]", "--json").json
    assert Path(again["dir"]).absolute() == result.path and again["ran"] == []


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


def test_metrics_of_the_whole_set_are_scored_too() -> None:
    gold = api.read_gold("tickets")
    right = [Answer(example.id, example.target, confidence=0.9) for example in gold.examples[:20]]
    assert api.score(right, gold, metric="ece").n == 20
    with pytest.raises(api.SlmkitError, match="target"):
        api.score(right, gold, metric="perplexity")
    for wrong in ([], right[:2] * 2):
        with pytest.raises(api.SlmkitError):
            api.score(wrong, gold)
    assert api.score(right, gold, metric=lambda example, answer: 0.25).value == 0.25
    with pytest.raises(api.SlmkitError, match="ZeroDivisionError") as error:
        api.score(right, gold, metric=lambda example, answer: 1 / 0)
    assert error.value.where.startswith(__file__)


def test_arguments_that_are_no_keys_are_checked_too(recipe: str) -> None:
    gold = api.read_gold("tickets")
    for seed in (-1, "a", 1.5):
        with pytest.raises(api.SlmkitError, match="seed"):
            api.run(recipe, seed=seed)
    for limit in (0, -1, 2.5, "x"):
        with pytest.raises(api.SlmkitError, match="limit"):
            api.ask("prompt", gold, limit=limit, model="nano")
    with pytest.raises(api.SlmkitError, match="'tickets'"):
        api.ask("prompt", "tickets", model="nano")


def test_a_system_that_learns_from_the_gold_set_is_refused(project: Path) -> None:
    gold = api.read_gold("tickets")
    rows = [
        {"messages": [{"role": "user", "content": e.input}, {"role": "assistant", "content": e.target}]}
        for e in gold.examples
    ]
    write(project / "leak.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(api.RefusedError):
        api.ask("retrieval_only", gold, limit=3, train="leak.jsonl")


def test_a_model_needs_a_finished_run(recipe: str, project: Path) -> None:
    folder = api.run(recipe).path
    (folder / "result.json").unlink()
    with pytest.raises(api.SlmkitError, match=recipe) as error:
        api.ask("prompt", api.read_gold("tickets"), model=recipe)
    assert error.value.where == str(folder.relative_to(project))


def test_the_recorded_command_makes_the_same_run(recipe: str, slmkit: Slmkit) -> None:
    result = api.run(recipe, {"rows": [3, 4]}, size=5, seed=2)
    command = json.loads((result.path / "recipe.json").read_text())["command"]
    again = slmkit(*shlex.split(command)[1:], "--json").json
    assert (result.path.name, []) == (again["key"], again["ran"])


def test_a_table_keeps_every_line_separator_in_its_strings(project: Path) -> None:
    write(project / "lines.py", "def lines(run):\n    run.table('rows', [{'text': 'a\\u2028b\\x85c'}])\n")
    write(project / "recipes/lines.yaml", "stage: ./lines.py:lines\n")
    assert api.run("lines").table("rows") == [{"text": "a\u2028b\x85c"}]


def test_a_helper_that_changes_between_two_runs_is_loaded_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(project)
    write(project / "helper_of_api.py", "VALUE = 1.0\n")
    write(project / "edited.py", "from helper_of_api import VALUE\n\ndef edited(run):\n    run.metric(value=VALUE)\n")
    write(project / "recipes/edited.yaml", "stage: ./edited.py:edited\n")
    first = api.run("edited")
    write(project / "helper_of_api.py", "VALUE = 222.0\n")
    second = api.run("edited")
    assert (first.metrics["value"], second.metrics["value"]) == (1.0, 222.0)
    assert first.path != second.path


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
    svm = next(line for line in printed.splitlines() if line.startswith("linear SVM"))
    assert float(svm.split()[2]) > 0.9  # one word decides the label: easy for the baseline
    assert (project / "gold/my/card.yaml").is_file()
    assert "nano: exact match 0." in printed and "n=40" in printed


SHORT = "max_steps: 3\n"
