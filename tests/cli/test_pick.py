"""slmkit pick asks its five questions in a terminal, and nowhere else."""

import os
import pty
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from project_files import Finished

from slmkit.cli.main import main
from slmkit.cli.pick_questions import QUESTIONS, read_answers
from slmkit.errors import SlmkitError


def _at_a_terminal(lines: list[str], *words: str) -> tuple[int, str]:
    """Exit code and screen of the command in a pseudo-terminal in which these lines are typed.

    A child of this process runs it, which has imported the libraries already.
    """
    child, terminal = pty.fork()
    if child == 0:
        _run_at_this_terminal(*words)
    os.write(terminal, "".join(f"{line}\n" for line in lines).encode())
    screen = b""
    while True:
        try:
            read = os.read(terminal, 4096)
        except OSError:  # Linux: the other end was closed
            break
        if not read:
            break
        screen += read
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), screen.decode(errors="replace")


def _run_at_this_terminal(*words: str) -> NoReturn:
    """The command line, on the terminal rather than on what pytest captures; ends this process."""
    try:
        sys.stdin, sys.stdout, sys.stderr = open(0), open(1, "w"), open(2, "w")  # noqa: SIM115
        sys.argv = ["slmkit", "pick", *words]
        main()
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 1)
    finally:
        os._exit(70)  # no exception may reach the tests of the parent


@pytest.fixture(autouse=True)
def wide_terminal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERM", "xterm")


def test_a_wrong_answer_is_asked_again(project: Path) -> None:
    (project / "mine.csv").write_text("text,label\n" + "Where is my new card and when will it come?,card\n" * 30)
    answers = ["nowhere.csv", "mine.csv", "free", "open", "en, de", "8 GB", "4096"]
    code, screen = _at_a_terminal(answers)
    assert code == 0, screen
    assert screen.count(QUESTIONS[0].text) == 2 and "nowhere.csv does not" in screen
    assert screen.count(QUESTIONS[1].text) == 2
    assert "slmkit pick data=mine.csv licence=open 'languages=[en,de]' memory_gb=8.0 context_length=4096" in screen
    record = next(project.glob("runs/loop/pick/*/pick.md")).read_text()
    for row in ("| licence | open |", "| languages | en, de |", " | 4,096 tokens |", "| memory | 8.0 GB"):
        assert row in record


def test_empty_lines_take_the_defaults(project: Path) -> None:
    code, screen = _at_a_terminal([""] * len(QUESTIONS), "--dry-run")
    assert code == 0, screen
    assert all(question.text in screen for question in QUESTIONS)


@pytest.mark.parametrize("words", [["--answer", "memory_gb=8"], ["--json"]], ids=str)
def test_a_command_with_arguments_asks_nothing(project: Path, words: list[str]) -> None:
    code, screen = _at_a_terminal([], *words, "--dry-run")
    assert code == 0, screen
    assert QUESTIONS[0].text not in screen


def test_nothing_is_asked_without_a_terminal(slmkit: Callable[..., Finished]) -> None:
    done = slmkit("pick", "--dry-run")
    assert done.code == 0
    assert QUESTIONS[0].text not in done.out + done.err


def test_answers_on_the_command_line_are_read_like_typed_ones(slmkit: Callable[..., Finished]) -> None:
    assert read_answers(["languages=en,de", "memory_gb=8GB", "role=base"]) == {
        "languages": ["en", "de"], "memory_gb": 8.0, "role": "base",
    }  # fmt: skip
    with pytest.raises(SlmkitError, match="'free'"):
        read_answers(["licence=free"])
    done = slmkit("pick", "--answer", "lisence=open", "--dry-run")
    assert done.code == 3
    assert "licence" in done.err
