"""slmkit --help: every command is a file with one line of help, imported only when it is called."""

import subprocess
import sys
from collections.abc import Callable

import typer
from project_files import REPOSITORY, Finished

from slmkit.cli.app import COMMANDS, SECTIONS, app

Slmkit = Callable[..., Finished]


def test_every_command_is_listed_with_one_sentence_that_fits_its_line(slmkit: Slmkit) -> None:
    lines = slmkit("--help").out.splitlines()
    summaries = dict(line.split(maxsplit=1) for line in lines if line.strip().startswith(tuple(COMMANDS)))
    assert set(summaries) == set(COMMANDS)
    assert all(summary[0].isupper() and summary.endswith(".") for summary in summaries.values())
    assert all(f"{title}:" in lines for title in SECTIONS)


def test_every_command_argument_and_option_has_help(slmkit: Slmkit) -> None:
    group = typer.main.get_command(app)
    gold = group.get_command(None, "gold")
    commands = {name: group.get_command(None, name) for name in COMMANDS}
    commands |= {f"gold {name}": command for name, command in gold.commands.items()}
    for name, command in commands.items():
        assert not [parameter.name for parameter in command.params if not parameter.help], name
        assert slmkit(*name.split(), "--help").out.startswith(f"Usage: slmkit {name} "), name


def test_help_imports_no_command() -> None:
    code = (
        "import sys; sys.argv = ['slmkit', '--help']\n"
        "from slmkit.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        f"print([name for name in {COMMANDS!r} if f'slmkit.cli.{{name}}' in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_arguments_print_the_help(slmkit: Slmkit) -> None:
    assert slmkit().out == slmkit("--help").out
    assert slmkit("gold").out == slmkit("gold", "--help").out
    assert slmkit("--version").out.startswith("slmkit ")
