"""The commands of slmkit, in the order of `slmkit --help`.

A command is the function its file is named after. The file is imported only when the command is called; `--help` reads
the first docstring line as text, so it stays fast.
"""

from __future__ import annotations

import importlib
import importlib.util
import keyword
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from slmkit import __version__
from slmkit.cli.options import with_options
from slmkit.errors import SlmkitError
from slmkit.recipe.lookup import first_line, suggest

SECTIONS = {
    "Start here": ("doctor", "learn", "loop", "new"),
    "Steps of the loop": ("pick", "prepare", "train", "eval", "compare"),
    "Recipes": ("run", "sweep", "ls", "show", "check", "schema", "import"),
    "Results": ("why", "report", "clean"),
    "Gold sets and models": ("gold", "get", "fit", "chat"),
}
COMMANDS = [name for names in SECTIONS.values() for name in names]


class LazyCommands(TyperGroup):
    """The group of all commands; typer's click is private, hence `Any` for its contexts and formatters."""

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; an unknown name is an error with the nearest right one."""
        if cmd_name not in COMMANDS:
            fix = suggest(cmd_name, COMMANDS, "`slmkit --help` lists the commands")
            raise SlmkitError(f"unknown command {cmd_name!r}", where="command line", fix=fix)
        return typer.main.get_command(_load(cmd_name))

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Lists the commands by section, with the first line of each docstring."""
        width = max(map(len, COMMANDS))
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), _summary(name)) for name in names])


app = typer.Typer(
    cls=LazyCommands,
    help="Choose, fine-tune, evaluate and compare small language models, with measured evidence.",
    epilog="`slmkit COMMAND --help` explains a command and its options.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _load(name: str) -> typer.Typer:
    """The command as a separate app; `slmkit gold` already is one, with subcommands."""
    module = importlib.import_module(f"slmkit.cli.{_module(name)}")
    found = getattr(module, _module(name))
    if isinstance(found, typer.Typer):
        return found
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(with_options(found))
    return single


def _summary(name: str) -> str:
    """The first docstring line of a command, read without importing its file."""
    module = _module(name)
    spec = importlib.util.find_spec(f"slmkit.cli.{module}")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin)
    return first_line(path, module) or first_line(path, f"_{module}")  # the callback of a group


def _module(name: str) -> str:
    return f"{name}_" if keyword.iskeyword(name) else name


def _print_version(value: bool) -> None:
    if value:
        print(f"slmkit {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass
