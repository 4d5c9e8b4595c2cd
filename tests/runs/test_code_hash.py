"""Keys follow the meaning of the code: what it computes, not how it is written or explained."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import REPOSITORY, write

from slmkit.recipe.lookup import load_part, load_stage
from slmkit.runs.code_hash import code_hash, reachable
from slmkit.runs.definitions import parse_definitions

TRAINED_BY = ("training/config.py", "models/lora.py", "rows/loss_mask.py")  # loop/train reaches them
KEYS = (
    "import json; from slmkit.runs.plan import make_plan\n"
    "print(json.dumps([make_plan(name, profile='tiny').target.key for name in ('loop/train', 'loop/compare')]))"
)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package, its recipes and its gold sets."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("slmkit", "recipes", "configs", "gold"):
        shutil.copytree(REPOSITORY / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def keys(checkout: Path) -> list[str]:
    """The keys of loop/train and loop/compare in a fresh process."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "XDG_CACHE_HOME": str(checkout / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", KEYS], cwd=checkout, env=environment, capture_output=True, text=True, check=True
    )
    found: list[str] = json.loads(done.stdout)
    return found


def test_only_a_change_of_meaning_changes_the_keys(checkout: Path) -> None:
    before = keys(checkout)
    texts = {name: (checkout / "slmkit" / name).read_text() for name in TRAINED_BY}
    for name, text in texts.items():
        tree = ast.parse(text)  # unparsing it drops every comment and all of the formatting
        tree.body[0] = ast.Expr(ast.Constant("Another docstring."))
        (checkout / "slmkit" / name).write_text(f"# another comment\n{ast.unparse(tree)}\n")
    assert keys(checkout) == before
    for name, text in texts.items():
        (checkout / "slmkit" / name).write_text(with_another_constant(text, Path(name).name))
        assert not set(keys(checkout)) & set(before), name
        (checkout / "slmkit" / name).write_text(text)


def with_another_constant(text: str, file: str) -> str:
    """The code with the first number changed in a definition that training reaches."""
    reached = reachable(load_stage("sft"))
    tree = ast.parse(text)
    definitions = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    numbers = (
        inner
        for definition in definitions
        if f"{file}:{definition.name}" in reached
        for statement in definition.body
        for inner in ast.walk(statement)
        if isinstance(inner, ast.Constant) and type(inner.value) in (int, float)
    )
    next(numbers).value += 1
    return ast.unparse(tree)


def test_a_stage_reaches_its_libraries_and_not_what_shows_the_run() -> None:
    files = {name.partition(":")[0] for name in reachable(load_stage("sft"))}
    assert {"sft.py", "config.py", "lora.py", "loss_mask.py"} <= files
    assert not files & {"main.py", "execute.py", "run.py", "console.py", "page.py"}
    assert "match.py:exact_match" not in reachable(load_part("metrics", "f1"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    return 1", "def f():\n    'Why.'\n    # how\n    return (1)"),
        (
            "class A:\n    x = {'a': 1, 'b': 2}",
            "class A:\n    'Why.'\n    x = {\n        'a': 1,\n        'b': 2,\n    }",
        ),
        (
            "async def f(a: int = 3) -> int: return a",
            'async def f(\n    a: int = 3,\n) -> int:\n    """Why."""\n    return a',
        ),
    ],
)
def test_writing_it_in_another_way_means_the_same(one: str, other: str) -> None:
    assert parse_definitions(one).hashes == parse_definitions(other).hashes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("def f():\n    return 1", "def f():\n    return 2"),
        ("def f():\n    return 1", "def f():\n    return 1.0"),
        ("def f():\n    return 1", "def f():\n    return True"),
        ("def f(a):\n    return -a", "def f(a):\n    return +a"),
        ("def f(a=None):\n    return a", "def f(a=0):\n    return a"),
        ("def f(a, *, b): ...", "def f(a, b): ..."),
        ("@once\ndef f(): ...", "def f(): ..."),
        ("X = 'a'", "X = 'b'"),
        ("X = 'a'", "X = b'a'"),
    ],
)
def test_another_meaning_has_another_hash(one: str, other: str) -> None:
    name = "X" if one.startswith("X") else "f"
    assert parse_definitions(one).hashes[name] != parse_definitions(other).hashes[name]


MINE = """
import helpers_of_mine
from helpers_of_mine import half
from slmkit.metrics.match import exact_match as same
import numbers_of_mine as own

LIMIT = 3

def stage(run):
    import later_of_mine
    return half(LIMIT) + later_of_mine.late() + own.deep.value

def other(run):
    return helpers_of_mine.unused()
"""


HELPERS = """
def half(x):
    return _half(x)

def _half(x):
    return x / 2

def unused():
    return 0
"""


def test_own_modules_are_followed_to_the_definitions_that_are_used(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(project)
    write(
        project / "helpers_of_mine.py",
        "def half(x):\n    return _half(x)\n\ndef _half(x):\n    return x / 2\n\ndef unused():\n    return 0\n",
    )
    write(project / "later_of_mine.py", "def late():\n    return 1\n")
    write(project / "numbers_of_mine/__init__.py", "from numbers_of_mine import deep\n")
    write(project / "numbers_of_mine/deep.py", "value = 1\n")
    write(project / "mine.py", MINE)

    def hashed() -> str:
        return code_hash([load_stage("./mine.py:stage")])

    before = hashed()
    for file, old, new, counts in [
        ("helpers_of_mine.py", "return 0", "return 1", False),
        ("helpers_of_mine.py", "x / 2", "x / 3", True),
        ("later_of_mine.py", "return 1", "return 2", True),
        ("numbers_of_mine/deep.py", "value = 1", "value = 2", True),
        ("mine.py", "LIMIT = 3", "LIMIT = 4", True),
        ("mine.py", "helpers_of_mine.unused()", "None", False),
        ("mine.py", "def other", "# a comment\ndef other", False),
    ]:
        text = (project / file).read_text()
        write(project / file, text.replace(old, new))
        assert (hashed() != before) == counts, (file, new)
        write(project / file, text)
    assert hashed() == before
