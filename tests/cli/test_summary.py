"""The summary a command prints after a run."""

import json

from rich.cells import cell_len
from rich.console import Console

from slmkit.cli.summary import summary
from slmkit.files import write_json
from slmkit.runs.run_folder import Run


def shown(run_dir, **options) -> list[str]:
    console = Console(width=40, soft_wrap=True, highlight=False, **options)
    with console.capture() as capture:
        console.print(summary(run_dir))
    return capture.get().splitlines()


def finished(folder, **result):
    run = Run(folder / "loop/compare/3f9c0a1b2d4e")
    write_json(run.path("recipe.json"), {"name": "loop/compare", "key": "3f9c0a1b2d4e", "title": "Four ways"})
    write_json(run.path("result.json"), {"metrics": {}, "verdict": None, **result})
    return run


def test_the_verdict_is_above_the_arms_the_best_first(tmp_path):
    run = finished(tmp_path, verdict={"text": "Take [bold]tuned[/bold].", "positive": True})
    run.table(
        "arms",
        [
            {"system": "prompt", "score": 0.6, "low": 0.5, "high": 0.7, "reference": "prompt", "cost_per_1000": 12.0},
            {"system": "カード", "score": 0.8, "low": 0.7, "high": 0.9, "difference": 0.2, "difference_low": 0.1,
             "difference_high": 0.3, "reference": "prompt", "cost_per_1000": 0.004, "chosen": True},
        ],
    )  # fmt: skip
    run.path("report.html").touch()
    lines = shown(run.dir)
    assert lines[0] == "✓ Take [bold]tuned[/bold]."  # markup in a verdict is text
    assert lines[2].split() == ["system", "score", "difference", "to", "prompt", "cost/1,000"]
    assert lines[3].split()[0] == "カード" and lines[4].split()[0] == "prompt"
    assert lines[3].index("0.800") + 3 == lines[4].index("0.600")  # aligned: the name is wider than its length
    assert lines[-1] == f"report  {run.dir / 'report.html'}"
    assert not any("\x1b" in line for line in lines)  # plain text without a terminal
    assert len({cell_len(line) for line in lines[2:5]}) == 1  # the last column is right-aligned
    assert any("\x1b[1mカード" in line for line in shown(run.dir, force_terminal=True, color_system="standard"))


def test_without_arms_the_metrics_and_checks_are_below_the_claim(tmp_path):
    kept = {"metric": "loss", "low": None, "high": 0.5, "value": 0.31, "ok": True}
    broken = {"metric": "rows", "low": 100, "high": None, "value": 24, "ok": False}
    accuracy = {"value": 0.7, "low": 0.5, "high": 0.85, "n": 24}
    metrics = {"loss": 0.31, "accuracy": accuracy, **{f"extra_{i}": i for i in range(12)}}
    lines = shown(finished(tmp_path, metrics=metrics, expect=[kept, broken]).dir)
    assert lines[0].startswith("✗ ") and lines[0].endswith("Four ways")
    assert [line.split() for line in lines[2:4]] == [
        ["loss", "0.310"],
        ["accuracy", "0.700", "[0.500,", "0.850]", "n=24"],
    ]
    assert len([line for line in lines if "extra_" in line]) == 10 and any(" 2 more" in line for line in lines)
    rows = [line.split() for line in lines[-2:]]
    assert [(row[0], row[2], row[3], row[-1]) for row in rows] == [
        ("✓", "loss", "0.310", "0.500"),
        ("✗", "rows", "24", "100"),
    ]


def test_an_unfinished_run_has_a_summary_and_control_characters_are_escaped(tmp_path):
    assert "not finished" in shown(tmp_path)[0]
    run = finished(tmp_path, verdict={"text": "ends \x1b[2J here", "positive": False})
    assert json.loads((run.dir / "result.json").read_text())["verdict"]["text"] == "ends \x1b[2J here"
    assert shown(run.dir)[0] == "✗ ends ␛[2J here"
