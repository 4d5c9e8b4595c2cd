"""Options and arguments that commands share. A command takes options as one dataclass; typer sees its fields."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from slmkit.runs.launch import Launch, read_launch

Arguments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="Recipe to run instead of the default, and values to change.",
        show_default=False,
    ),
]
RunName = Annotated[str, typer.Argument(metavar="RUN", help="Folder or key of a run, or the name of its recipe.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
Profile = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME",
        help="Machine profile, a file of configs/profiles; auto is gpu with CUDA, else tiny.",
    ),
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, max=2**32 - 1, help="Random seed of every stage.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything and print the plan; run nothing.")]


@dataclass(frozen=True)
class Options:
    """How to run a recipe, whichever it is."""

    profile: Profile = "auto"
    seed: Seed = 0
    dry_run: DryRun = False
    as_json: AsJson = False
    force: Annotated[bool, typer.Option("--force", help="Run again even if a finished run exists.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", help="Also show the output of the libraries.")] = False


@dataclass(frozen=True)
class Processes:
    """How many processes and machines run the last step."""

    num_processes: Annotated[
        int,
        typer.Option("--num-processes", metavar="N", min=1, help="Processes (GPUs) per machine for the last step."),
    ] = 1
    fsdp: Annotated[bool, typer.Option("--fsdp", help="Shard the weights across the processes (FSDP2).")] = False
    machine: Annotated[
        str | None,
        typer.Option(
            "--machine",
            metavar="RANK/COUNT@HOST:PORT",
            help="Rank of this machine, number of machines, and where they meet.",
        ),
    ] = None

    @property
    def launch(self) -> Launch:
        """The options, checked."""
        return read_launch(self.num_processes, fsdp=self.fsdp, machine=self.machine)


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the fields of each dataclass parameter as options."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    expanded: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = groups.get(parameter.name)
        expanded += _fields(kind) if kind else [parameter.replace(annotation=hints[parameter.name])]

    @functools.wraps(command)
    def call(**values: Any) -> Any:
        for name, kind in groups.items():
            values[name] = kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})
        return command(**values)

    call.__signature__ = inspect.Signature(expanded)  # type: ignore[attr-defined]
    return call


@functools.cache
def _fields(kind: Any) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind, include_extras=True)
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in dataclasses.fields(kind)
    ]
