"""slmkit learn: a lesson is asked, run and checked; its page; the list of lessons; the index of recipes."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

from slmkit.cli import learn
from slmkit.cli.lessons_read import mark_read, progress_file, read_lessons
from slmkit.recipe.curriculum import read_curriculum

Slmkit = Callable[..., Finished]
RECIPE = """\
title: Rows
teaches: You get what you ask for.
seeds: []
lesson:
  idea: The micro-world draws rows. Each has an answer that is known.
  question: How many rows do you get if you ask for ten?
  explore: [slmkit learn rows num_examples=20]
  read: [loop/01-pick-a-base, https://arxiv.org/abs/2305.13245]
  scores: {rows: [10, 10, 10, 10, 10]}
stage: world
with: {num_examples: 10}
expect: {rows: [10, 10], duplicates: [0, 3]}
breaks: {with: {num_examples: 9}, red: [rows]}
honest: <b>Invented</b> rows.
"""


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def rows(project: Path) -> Path:
    return write(project / "recipes/rows.yaml", RECIPE)


@pytest.mark.usefixtures("rows")
def test_a_lesson_asks_before_it_runs_and_ends_with_the_next_one(slmkit: Slmkit) -> None:
    done = slmkit("learn", "rows")
    assert done.code == 0
    order = [
        "The micro-world draws rows.",
        "How many rows",
        "✓ ",
        "You get what you ask for.",
        "exactly 10",
        "report.html",
        "<b>Invented</b> rows.",
        "slmkit learn rows num_examples=20",
        "slmkit run rows --break",
        "num_examples: 9",
        "loop/01-pick-a-base",
        "Next: slmkit learn",
    ]
    assert sorted(order, key=done.out.index) == order
    assert "rows" in read_lessons()


@pytest.mark.usefixtures("rows")
def test_break_succeeds_only_if_the_named_check_fails(slmkit: Slmkit) -> None:
    done = slmkit("run", "rows", "--break")
    assert done.code == 0 and "rows: fails" in done.err
    write(Path("recipes/rows.yaml"), RECIPE.replace("{num_examples: 9}", "{split: live}"))
    assert slmkit("run", "rows", "--break").code == 2


@pytest.mark.usefixtures("rows")
def test_the_page_of_a_lesson_has_what_the_terminal_prints(slmkit: Slmkit) -> None:
    done = slmkit("learn", "rows", "--json").json
    html = Path(done["report"]).read_text()
    order = ["How many rows do you get", "exactly 10", "slmkit run rows --break", "loop/01-pick-a-base"]
    assert sorted(order, key=html.index) == order
    assert "num_examples: 9" in html  # as YAML writes it
    assert "10 10 10 10 10" in " ".join(html.replace(",", " ").split())  # the five seeds
    assert "&lt;b&gt;Invented&lt;/b&gt; rows." in html
    assert done["lesson"] == "rows" and done["expect"][0]["ok"]


def test_a_changed_question_reaches_the_page_of_a_finished_run(slmkit: Slmkit, rows: Path) -> None:
    slmkit("learn", "rows")
    write(rows, RECIPE.replace("How many rows", "What number of rows"))
    done = slmkit("learn", "rows", "--json")
    assert len(list(Path("runs").rglob("result.json"))) == 1
    assert "What number of rows" in Path(done.json["report"]).read_text()


@pytest.mark.usefixtures("project")
def test_a_recipe_without_a_lesson_and_unwritten_or_misspelt_lessons_are_refused(slmkit: Slmkit) -> None:
    assert slmkit("learn", "world/tickets").error_lines[-1] == "fix:   slmkit run world/tickets"
    unwritten = slmkit("learn", "vision/01-vit")
    assert unwritten.code == 3 and "'vision/01-vit'" in unwritten.error_lines[0]
    assert "'loop/01-pick-a-base'" in slmkit("learn", "loop/pick-a-bse").error_lines[-1]
    assert read_lessons() == {}


def test_a_lesson_is_found_by_its_short_name_and_by_its_curriculum_item() -> None:
    assert learn.find_lesson("pick-a-base") == learn.find_lesson("t0.11") == "loop/01-pick-a-base"


def test_the_default_is_the_first_unread_lesson() -> None:
    written = read_curriculum().written_lessons
    assert learn.find_lesson("") == written[0]
    for name in written[:-1]:
        mark_read(name)
    assert learn.find_lesson("") == written[-1]


def test_it_waits_for_enter_only_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pressed = []
    monkeypatch.setattr("builtins.input", lambda: pressed.append(1))
    learn._wait_for_enter()
    assert not pressed
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    learn._wait_for_enter()
    assert pressed


def test_read_lessons_are_recorded_and_a_broken_record_is_replaced(data_folder: Path) -> None:
    mark_read("loop/01-pick-a-base")
    mark_read("rows")
    assert progress_file() == data_folder / "slmkit/lessons.json"
    assert list(read_lessons()) == ["loop/01-pick-a-base", "rows"]
    assert [path.name for path in progress_file().parent.iterdir()] == ["lessons.json"]  # no half-written file
    progress_file().write_text('{"loop')
    assert read_lessons() == {}
    mark_read("rows")
    assert list(read_lessons()) == ["rows"]


@pytest.mark.usefixtures("rows")
def test_a_lesson_can_be_taken_where_progress_cannot_be_saved(slmkit: Slmkit, data_folder: Path) -> None:
    write(data_folder, "a file where a folder should be")
    done = slmkit("learn", "rows")
    assert done.code == 0 and str(data_folder) in done.err


@pytest.mark.usefixtures("project")
def test_the_list_of_lessons_is_filtered_and_counts_those_read(slmkit: Slmkit) -> None:
    mark_read("loop/01-pick-a-base")
    written = len(read_curriculum().written_lessons)
    done = slmkit("ls", "--lessons")
    assert f"1 of {written} read" in done.out and f" {91 - written} not written yet" in done.out
    assert any(line.split()[:2] == ["✓", "loop/01-pick-a-base"] for line in done.out.splitlines())
    tutorial = slmkit("ls", "--lessons", "--source", "tutorial", "--json").json["lessons"]
    assert len({item for row in tutorial for item in row["items"] if item.startswith("tut.")}) == 17
    quick = slmkit("ls", "--track", "text", "--level", "beginner", "--minutes", "6", "--json").json["lessons"]
    assert quick and all(row["track"] == "text" and row["minutes"] <= 6 for row in quick)
    assert all(row["level"] == "beginner" for row in quick)
    assert "'beginner'" in slmkit("ls", "--lessons", "--level", "begginer").error_lines[-1]


@pytest.mark.usefixtures("project")
def test_the_index_is_what_make_index_writes(slmkit: Slmkit) -> None:
    assert slmkit("ls", "--markdown").out == (REPOSITORY / "recipes/README.md").read_text(encoding="utf-8")


def test_a_lesson_that_fails_is_not_recorded_as_read(slmkit: Slmkit, rows: Path) -> None:
    write(rows, RECIPE.replace("expect: {rows:", "expect: {lines:").replace("red: [rows]", "red: [lines]"))
    assert slmkit("learn", "rows").code == 3
    assert json.dumps(read_lessons()) == "{}"


@pytest.mark.usefixtures("rows")
def test_a_dry_run_of_a_lesson_runs_and_records_nothing(slmkit: Slmkit) -> None:
    done = slmkit("learn", "rows", "--dry-run", "--json")
    assert done.code == 0, done.err
    assert [step["run"] for step in done.json["steps"]] == [True]
    assert not Path("runs").exists()
    assert read_lessons() == {}
