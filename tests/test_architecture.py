"""Rules of the code base that a program can check; import-linter checks the layers (see pyproject.toml)."""

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import grimp
import networkx
from project_files import REPOSITORY

PACKAGE = REPOSITORY / "slmkit"
FILES = sorted(PACKAGE.rglob("*.py"))

HEAVY = {
    "accelerate", "bitsandbytes", "bm25s", "datasets", "datasketch", "evaluate", "httpx", "huggingface_hub",
    "matplotlib", "numpy", "optuna", "pandas", "peft", "pyarrow", "safetensors", "scipy", "sklearn", "statsmodels",
    "tokenizers", "torch", "transformers", "trl",
}  # fmt: skip
MACHINE_PATH = re.compile(r"[^.\w]/" + r"(root|work|home|farm)/\w")


def imports(tree: ast.AST) -> set[str]:
    """Every module or name that an import statement names."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def at_top(tree: ast.Module) -> set[str]:
    """The imports that run when the module is imported: outside functions and TYPE_CHECKING blocks."""
    nodes = [n for n in tree.body if not isinstance(n, ast.FunctionDef | ast.ClassDef)]
    nodes = [n for n in nodes if not (isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test))]
    return imports(ast.Module(body=nodes, type_ignores=[]))


def test_imports_have_no_cycle() -> None:
    graph = grimp.build_graph("slmkit", exclude_type_checking_imports=True, cache_dir=None)
    edges = [(file, other) for file in graph.modules for other in graph.find_modules_directly_imported_by(file)]
    assert not [
        circle for circle in networkx.strongly_connected_components(networkx.DiGraph(edges)) if len(circle) > 1
    ]


# For each layer, a module that imports from the layer above it, and a stage that imports another.
WRONG_IMPORTS = {
    "text.identity": "data.reading.read",
    "recipe.layer": "report.formatting",
    "gold.diff": "runs.store",
    "runs.store": "selection.machine",
    "selection.machine": "stages.pick",
    "stages.pick": "cli.options",
    "stages.dpo": "stages.sft",
}


def test_the_import_contracts_reject_a_wrong_import_of_every_layer(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / "slmkit", ignore=shutil.ignore_patterns("assets", "__pycache__"))
    shutil.copy(REPOSITORY / "pyproject.toml", tmp_path)
    for module, other in WRONG_IMPORTS.items():
        with open(tmp_path / "slmkit" / f"{module.replace('.', '/')}.py", "a", encoding="utf-8") as file:
            file.write(f"\n\ndef planted() -> None:\n    import slmkit.{other}  # also inside a function\n")
    lint = "from importlinter.cli import lint_imports_command as lint; lint()"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, '.'); {lint}", "--no-cache"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert not [
        pair for pair in WRONG_IMPORTS.items() if "slmkit.{} -> slmkit.{} ".format(*pair) not in done.stdout
    ], done.stdout


def test_heavy_libraries_are_imported_inside_functions() -> None:
    heavy = {str(path): {name.split(".")[0] for name in at_top(ast.parse(path.read_text()))} & HEAVY for path in FILES}
    assert not {path: names for path, names in heavy.items() if names}


def test_the_check_for_heavy_imports_finds_one() -> None:
    tree = ast.parse("import torch\ndef f():\n    from slmkit.runs.execute import execute\n")
    assert at_top(tree) & HEAVY == {"torch"}
    assert "slmkit.runs.execute.execute" in imports(tree)


def test_commands_that_only_read_do_not_import_torch() -> None:
    commands = [["--help"], ["ls"], ["show", "loop/train"], ["schema"], ["check"]]
    code = (
        "import sys\n"
        "from slmkit.cli.main import main\n"
        f"for command in {commands!r}:\n"
        "    sys.argv = ['slmkit', *command]\n"
        "    try: main()\n"
        "    except SystemExit: pass\n"
        f"    heavy = {HEAVY!r} & set(sys.modules)\n"
        "    print('HEAVY', command, sorted(heavy), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    found = [line for line in done.stderr.splitlines() if line.startswith("HEAVY")]
    assert found == [f"HEAVY {command} []" for command in commands]


def test_every_module_has_a_docstring() -> None:
    for path in FILES:
        text = path.read_text()
        assert ast.get_docstring(ast.parse(text)) or not text, path


def test_no_absolute_path_of_a_machine_is_committed() -> None:
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True, cwd=REPOSITORY).stdout
    for name in listed.splitlines():
        path = REPOSITORY / name
        if path.suffix in (".py", ".yaml", ".md", ".toml", ".json", ".jsonl", ".txt") and path.is_file():
            assert not MACHINE_PATH.search(path.read_text(encoding="utf-8")), name
