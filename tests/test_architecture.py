"""The rules of the house that a program can check: who imports whom, and what is never imported at start-up."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from project_files import REPOSITORY

from slmkit import keys

PACKAGE = REPOSITORY / "slmkit"
FILES = sorted(PACKAGE.rglob("*.py"))

KERNEL = {
    "names",
    "places",
    "recipe",
    "checker",
    "bind",
    "keys",
    "runs",
    "plan",
    "run",
    "runner",
    "launch",
    "console",
    "curriculum",
    "cli",
    "commands",
    "report",
    "signature",
    "summary",
}
PARTS = {"stages", "lessons", "metrics", "retrievers", "systems"}
BASE = {"types", "errors"}  # anyone may import these

# Each folder or module, and what of slmkit it may import besides itself and BASE.
MAY_IMPORT = {
    "types": set(),
    "errors": set(),
    "console": set(),
    "names": set(),
    "places": set(),
    "recipe": {"names"},
    "curriculum": {"names", "recipe"},
    "signature": set(),
    "checker": {"names", "signature"},
    "bind": {"checker", "names", "recipe", "signature"},
    "keys": {"bind", "names", "recipe"},
    "runs": {"keys", "names", "recipe"},
    "plan": {"bind", "keys", "names", "recipe", "runs", "signature"},
    "run": {"console"},
    "launch": {"console", "names", "plan", "recipe", "run", "runner"},
    "runner": {
        "bind",
        "console",
        "curriculum",
        "keys",
        "launch",
        "names",
        "plan",
        "report",
        "run",
        "runs",
        "signature",
    },
    "report": {"charts", "places", "run"},
    "summary": {"console", "report"},
    "charts": set(),
    "cli": {"commands", "console", "names", "report", "runs"},
    "commands": KERNEL | {"charts", "data", "models"},
    "data": {"models"},
    "models": {"data"},
    "metrics": {"models"},
    "evidence": {"data", "metrics", "models"},
    "retrievers": {"models", "data"},
    "systems": {"retrievers", "models", "data", "evidence"},
    "stages": {
        "run",
        "charts",
        "systems",
        "retrievers",
        "models",
        "data",
        "metrics",
        "evidence",
    },
    "lessons": {
        "run",
        "charts",
        "systems",
        "retrievers",
        "models",
        "data",
        "metrics",
        "evidence",
    },
}
HEAVY = {
    "accelerate", "bitsandbytes", "bm25s", "datasets", "datasketch", "evaluate", "huggingface_hub", "matplotlib",
    "numpy", "optuna", "pandas", "peft", "pyarrow", "safetensors", "scipy", "sklearn", "statsmodels", "tokenizers",
    "torch", "transformers", "trl",
}  # fmt: skip
MACHINE_PATH = re.compile(r"[^.\w]/" + r"(root|work|home|farm)/\w")


def room(path: Path) -> str:
    """The folder of slmkit/ a file is in, or its own name."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(tree: ast.AST) -> set[str]:
    """Every module an import statement names, as far as it can be told without running it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_top(tree: ast.Module) -> set[str]:
    """The imports that run when the module is imported: not in functions, not under TYPE_CHECKING."""
    nodes = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.ClassDef)]
    nodes = [n for n in nodes if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))]
    return imports(ast.Module(body=nodes, type_ignores=[]))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_one_way(path: Path) -> None:
    here = room(path)
    if here in ("__init__", "__main__"):
        return
    rooms = {name.split(".")[1] for name in imports(ast.parse(path.read_text())) if name.startswith("slmkit.")}
    wrong = rooms - {here, "__version__"} - BASE - MAY_IMPORT[here]
    assert not wrong, f"{here} must not import {wrong}"


def test_a_stage_never_imports_a_stage() -> None:
    for folder in ("stages", "lessons"):
        for path in (PACKAGE / folder).glob("[!_]*.py"):
            assert not any(name.startswith(f"slmkit.{folder}.") for name in imports(ast.parse(path.read_text()))), path


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_heavy_library_at_module_top(path: Path) -> None:
    heavy = {name.split(".")[0] for name in at_top(ast.parse(path.read_text()))} & HEAVY
    assert not heavy


def test_the_rule_would_see_a_wrong_import() -> None:
    tree = ast.parse("import torch\ndef f():\n    from slmkit.runner import execute\n")
    assert at_top(tree) & HEAVY == {"torch"}
    assert "slmkit.runner.execute" in imports(tree)


def test_no_part_of_the_kernel_makes_runs_stale() -> None:
    assert set(keys._KERNEL) >= KERNEL | BASE


@pytest.mark.parametrize("command", [["--help"], ["ls"], ["show", "loop/train"], ["check"], ["schema"]])
def test_looking_never_imports_torch(command: list[str]) -> None:
    code = (
        f"import sys; sys.argv = ['slmkit', *{command!r}]\n"
        "from slmkit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'trl', 'peft', 'datasets', 'sklearn', 'matplotlib'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stderr.strip().splitlines()[-1] == "HEAVY []"


def test_every_module_says_what_it_is() -> None:
    for path in FILES:
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)) or not text, path


def test_no_machine_path_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    for name in listed.splitlines():
        path = REPOSITORY / name
        if path.suffix in (".py", ".yaml", ".md", ".toml", ".json", ".jsonl", ".txt") and path.is_file():
            assert not MACHINE_PATH.search(path.read_text(encoding="utf-8")), name
