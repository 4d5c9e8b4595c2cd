"""What the README and the docs tell a reader to type works, and the files they name exist."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import REPOSITORY, Finished, write

README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted((REPOSITORY / "docs").glob("*.md"))}
LINES = [line for text in (README, *PAGES.values()) for line in text.splitlines()]
COMMANDS = list(dict.fromkeys(line.partition(" #")[0].strip() for line in LINES if line.startswith("    slmkit ")))
RUNNING = ("loop", "pick", "train", "compare", "eval", "prepare", "run", "sweep")
NOT_HERE = ("KEY", "chat", "why", "slmkit learn")  # need a finished run, or make one (tests/cli/test_learn.py)
Slmkit = Callable[..., Finished]


@pytest.fixture
def files(project: Path) -> None:
    """The files that the README's reader has."""
    rows = "".join(f"question {i} about thing {i % 7},intent {i % 3}\n" for i in range(60))
    write(project / "my.csv", "text,intent\n" + rows)
    write(project / "test.csv", "text,intent\n" + rows.replace("question", "another"))
    write(project / "axolotl.yml", "base_model: org/model\nmicro_batch_size: 2\nsequence_len: 512\n")
    write(project / "mine.py", "def same_length(example, answer, *, tolerance: int = 0): return 1.0\n")
    write(project / "handbook/page.md", "# Things\n\nThing one is blue.\n")
    (project / "my-model").symlink_to(REPOSITORY / "slmkit/assets/nano")


def test_the_pages_have_commands() -> None:
    assert len(COMMANDS) >= 30
    assert len(README.splitlines()) <= 100


@pytest.mark.parametrize("command", [c for c in COMMANDS if not any(word in c for word in NOT_HERE)])
@pytest.mark.usefixtures("files")
def test_a_command_of_the_readme_is_accepted(slmkit: Slmkit, command: str) -> None:
    words = shlex.split(command.partition(" > ")[0])[1:]
    if words[0] in RUNNING:
        words.append("--dry-run")
    if words[:2] == ["gold", "label"]:
        words.append("--status")  # without it, the page is served until Ctrl-C
    done = slmkit(*words)
    no_hub = "dataset=" in command and done.code == 4 and "stanfordnlp/imdb" in done.err
    assert (
        done.code == 0 or no_hub or ("model=HuggingFaceTB" in command and "the hub cannot be reached" in done.err)
    ), done.err


def test_make_has_the_two_targets() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in re.findall(r"^    make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_every_file_that_a_page_names_exists() -> None:
    for name in re.findall(r"`((?:slmkit|configs|recipes|gold|tests|docs|examples)/[\w./-]*)`", "\n".join(LINES)):
        assert (REPOSITORY / name).exists() or name in IN_A_PROJECT, name
    for folder, text in [(REPOSITORY, README), *((REPOSITORY / "docs", text) for text in PAGES.values())]:
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("http") or (folder / link).exists(), link
    assert all(f"(docs/{name})" in README for name in PAGES)


IN_A_PROJECT = (
    "gold/my/",
    "gold/NAME/",
    "configs/models/NAME.yaml",
    "configs/profiles/NAME.yaml",
    "slmkit/stages/mine.py",
)
