"""slmkit chat: a conversation with a model in the terminal, which is asked as it was trained."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from slmkit.cli.options import Profile
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import SlmkitError
from slmkit.recipe.find_reference import find_model
from slmkit.recipe.load_recipe import load_profile
from slmkit.recipe.lookup import find
from slmkit.runs.store import find_run, read_result
from slmkit.runs.trained_task import trained_task
from slmkit.types import Example, Message, ModelRef, Task


def chat(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="Model card, hub id, folder, or a recipe or run that trained one.")
    ] = "nano",
    profile: Profile = "auto",
    instruction: Annotated[
        str | None, typer.Option(metavar="TEXT", help="The system message. Default: that of the training rows.")
    ] = None,
    free: Annotated[
        bool, typer.Option("--free", help="Let a model that chooses from labels write any text, in a conversation.")
    ] = False,
    max_new_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Longest answer, in tokens.")] = 128,
) -> None:
    """Chat with a model in the terminal.

    A model that a run has trained is asked as in training and in eval: with the same system message, and it chooses
    from the labels if its task has any; each line is then a separate question. An empty line or Ctrl-D ends.
    """
    quiet_libraries()
    from slmkit.systems._chat import ChatOptions
    from slmkit.systems.prompt import prompt

    ref, folder = _find_model(model)
    task = (trained_task(folder) if folder else None) or Task("chat")
    if instruction is not None:
        task = replace(task, instruction=instruction)
    if free:
        task = replace(task, kind="generation", labels=())
    is_choice = task.kind == "classification" and bool(task.labels)
    device = load_profile(profile)[1].value.get("device", "auto")
    system = prompt(task, model=ref, chat=ChatOptions(device=device, max_new_tokens=max_new_tokens))
    _introduce(model, folder, task, is_choice=is_choice)
    messages: list[Message] = []
    while line := _read_line():
        asked: list[Message] = [*messages, {"role": "user", "content": line}]
        answer = system.answer([Example("chat", line, "", messages=tuple(asked))])[0]
        if answer.error:
            fix = "start a new conversation: this one exceeds the model's context length"
            raise SlmkitError(answer.error, where=model, fix=fix)
        sure = f"  ({answer.confidence:.0%})" if is_choice and answer.confidence is not None else ""
        out.print(answer.text + sure, markup=False)
        messages = [] if is_choice else [*asked, {"role": "assistant", "content": answer.text}]


def _introduce(model: str, folder: Path | None, task: Task, *, is_choice: bool) -> None:
    """Says which run and model is speaking, and how it is asked."""
    run = f" (run {folder.name})" if folder else ""
    console.print(f"{model}{run}: an empty line ends the conversation", style="dim", markup=False)
    if task.instruction:
        console.print(f"system message: {task.instruction!r}", style="dim", markup=False)
    if is_choice:
        text = f"it chooses from {len(task.labels)} labels, each line separately; --free for any text"
        console.print(text, style="dim", markup=False)


def _find_model(name: str) -> tuple[ModelRef, Path | None]:
    """A model named by card, folder or hub id; or that of a recipe's best run or of a run's folder or key, with it."""
    is_run = (Path(name) / "recipe.json").is_file()
    if not is_run and not find("recipes", name):
        found = find_model(name, "command line")
        return ModelRef(name, str(found.path) if found.path else found.name), None
    folder = find_run(name)
    if read_result(folder) is None:
        fix = f"finish it: slmkit run {name}"
        raise SlmkitError(f"the run of {name} is not finished", where=str(folder), fix=fix)
    return ModelRef(name, str(folder)), folder


def _read_line() -> str:
    try:
        line = input("> " if sys.stdin.isatty() else "").strip()
        return line.encode(errors="surrogateescape").decode(errors="replace")  # piped bytes that are not UTF-8
    except EOFError:
        return ""
    except UnicodeDecodeError as error:
        fix = "type or pipe UTF-8 text"
        raise SlmkitError(f"the input is not UTF-8: {error.reason}", where="standard input", fix=fix) from None
