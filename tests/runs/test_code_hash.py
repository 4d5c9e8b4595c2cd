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

from slmkit.files import PACKAGE
from slmkit.recipe.lookup import load_part, load_stage, part_files
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


@pytest.mark.long
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


def test_nothing_that_makes_or_shows_a_run_is_reached() -> None:
    stages = {name: reachable(load_stage(name)) for name in part_files("stages")}
    kernel = {path.name for folder in ("runs", "cli", "recipe", "report") for path in (PACKAGE / folder).glob("*.py")}
    kernel -= {path.name for path in PACKAGE.rglob("*.py") if path.parent.name in ("stages", "data", "gold")}
    assert not {
        (name, file) for name, found in stages.items() for file in kernel if any(f.startswith(file) for f in found)
    }


HELPERS = "def half(x):\n    return _half(x)\n\ndef _half(x):\n    return x / 2\n\ndef unused():\n    return 0\n"
USER_FILES = {
    "h_used.py": HELPERS,
    "h_late.py": "def late():\n    return 1\n",
    "h_pkg/__init__.py": "from h_pkg import deep\n",
    "h_pkg/deep.py": "value = 1\n",
    "h_pkg/other.py": "value = 1\nfrom ._inner import inner\n",
    "h_pkg/_inner.py": "inner = 1\n",
    "h_star.py": "starred = 1\n",
    "h_if.py": "chosen = 1\n",
    "h_else.py": "chosen = 1\n",
    "h_effect.py": "import h_used\n# sets something up\nNUMBER = 1\n",
    "h_decorator.py": "def plain(f):\n    return lambda run: f(run)\n",
}
MINE = """
import sys

import h_effect
import h_pkg.deep
import h_pkg.other
import h_used
from h_decorator import plain
from h_star import *
from h_used import half
from slmkit.metrics.match import exact_match as same

if sys.version_info > (3, 0):
    from h_if import chosen
else:
    from h_else import chosen

LIMIT = 3
h_used.patched = LIMIT + 4
OWN = {"own": lambda: 5}


@plain
def stage(run):
    import h_late
    return half(LIMIT) + h_late.late() + h_pkg.deep.value + starred + chosen


def by_name(run):
    return globals()["hidden"]()


def hidden():
    return 7


def other(run):
    return h_used.unused()
"""


def test_user_code_is_followed_to_whatever_can_decide_the_result(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(project)
    for name, text in {**USER_FILES, "mine.py": MINE}.items():
        write(project / name, text)

    def hashed(stage: str = "stage") -> str:
        return code_hash([load_stage(f"./mine.py:{stage}")])

    before = hashed()
    for file, old, new, counts in [
        ("h_used.py", "return 0", "return 1", True),  # imported twice; `import h_used` is used as a whole
        ("h_used.py", "x / 2", "x / 3", True),
        ("h_late.py", "return 1", "return 2", True),
        ("h_pkg/deep.py", "value = 1", "value = 2", True),
        ("h_pkg/other.py", "value = 1", "value = 2", True),
        ("h_pkg/_inner.py", "inner = 1", "inner = 2", True),
        ("h_star.py", "starred = 1", "starred = 2", True),
        ("h_if.py", "chosen = 1", "chosen = 2", True),
        ("h_else.py", "chosen = 1", "chosen = 2", True),
        ("h_effect.py", "NUMBER = 1", "NUMBER = 2", True),
        ("h_effect.py", "# sets something up", "# another comment", False),
        ("h_decorator.py", "f(run)", "f(run, 1)", True),
        ("mine.py", "LIMIT = 3", "LIMIT = 4", True),
        ("mine.py", "LIMIT + 4", "LIMIT + 5", True),
        ("mine.py", "return h_used.unused()", "return None", False),
        ("mine.py", "return 7", "return 8", False),
        ("mine.py", "def other", "# a comment\ndef other", False),
    ]:
        text = (project / file).read_text()
        write(project / file, text.replace(old, new))
        assert (hashed() != before) == counts, (file, new)
        write(project / file, text)
    assert hashed() == before
    before = hashed("by_name")
    write(project / "mine.py", MINE.replace("return 7", "return 8"))
    assert hashed("by_name") != before
