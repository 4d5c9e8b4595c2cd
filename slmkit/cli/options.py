"""Options that commands share. A command takes them as one dataclass, whose fields typer is shown as options."""

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

AsJson = Annotated[bool, typer.Option("--json", help="Print the outcome as JSON on standard output.")]
Profile = Annotated[str, typer.Option("--profile", help="A machine size of configs/profiles; auto looks for CUDA.")]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**32 - 1, help="Random seed of every stage.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check everything, print what would run, run nothing.")]


@dataclass(frozen=True)
class Options:
    """How a recipe is run, whatever it is."""

    profile: Profile = "auto"
    seed: Seed = 0
    dry_run: DryRun = False
    as_json: AsJson = False
    force: Annotated[bool, typer.Option("--force", help="Run again even if a result is there.")] = False
    verbose: Annotated[bool, typer.Option("--verbose", help="Also show what the libraries print.")] = False


@dataclass(frozen=True)
class Processes:
    """On how many processes and machines the last step runs."""

    num_processes: Annotated[
        int, typer.Option("--num-processes", min=1, help="Processes (GPUs) here for the last step.")
    ] = 1
    fsdp: Annotated[bool, typer.Option("--fsdp", help="Shard the weights over the processes (FSDP2).")] = False
    machine: Annotated[
        str | None, typer.Option("--machine", help="RANK/COUNT@HOST:PORT, one of several machines.")
    ] = None

    @property
    def launch(self) -> Launch:
        """What was asked for, checked."""
        return read_launch(self.num_processes, fsdp=self.fsdp, machine=self.machine)


def with_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The command with the fields of each dataclass that it takes as options of its own."""
    hints = typing.get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if dataclasses.is_dataclass(kind)}
    shown: list[inspect.Parameter] = []
    for parameter in inspect.signature(command).parameters.values():
        kind = groups.get(parameter.name)
        shown += _fields(kind) if kind else [parameter.replace(annotation=hints[parameter.name])]

    @functools.wraps(command)
    def called(**given: Any) -> Any:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in dataclasses.fields(kind)})
        return command(**given)

    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return called


@functools.cache
def _fields(kind: Any) -> list[inspect.Parameter]:
    hints = typing.get_type_hints(kind, include_extras=True)
    keyword = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=hints[field.name])
        for field in dataclasses.fields(kind)
    ]
