"""slmkit chat: a conversation with a model in the terminal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from slmkit.cli.options import Profile
from slmkit.console import console, out, quiet_libraries
from slmkit.errors import SlmkitError
from slmkit.recipe.find_reference import find_model
from slmkit.recipe.load_recipe import load_profile
from slmkit.recipe.lookup import find
from slmkit.runs.store import find_run, read_result
from slmkit.types import ModelRef


def chat(
    model: Annotated[
        str, typer.Argument(metavar="[MODEL]", help="Model card, hub id, folder, or a recipe that trained a model.")
    ] = "nano",
    profile: Profile = "auto",
    max_new_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Longest answer, in tokens.")] = 128,
) -> None:
    """Chat with a model in the terminal.

    An empty line or Ctrl-D ends the conversation.
    """
    quiet_libraries()
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render
    from slmkit.models.load import load_model

    profile_values = load_profile(profile)[1].value
    loaded = load_model(_find_model(model), device=profile_values.get("device", "auto"))
    console.print(f"{model}: an empty line ends the conversation", style="dim", markup=False)
    messages: list[dict[str, str]] = []
    while line := _read_line():
        messages.append({"role": "user", "content": line})
        answer = generate(loaded, render(loaded.tokenizer, [messages]), max_new_tokens=max_new_tokens)[0]
        if answer.error:
            fix = "start a new conversation: this one exceeds the model's context length"
            raise SlmkitError(answer.error, where=model, fix=fix)
        out.print(answer.text, markup=False)
        messages.append({"role": "assistant", "content": answer.text})


def _find_model(name: str) -> ModelRef:
    """The model of a recipe's newest run, or one named by card, folder or hub id."""
    if not find("recipes", name):
        found = find_model(name, "command line")
        return ModelRef(name, str(found.path) if found.path else found.name)
    folder = find_run(name)
    if read_result(folder) is None:
        fix = f"finish it: slmkit run {name}"
        raise SlmkitError(f"the run of {name} is not finished", where=str(folder), fix=fix)
    return ModelRef(name, str(folder))


def _read_line() -> str:
    try:
        line = input("> " if sys.stdin.isatty() else "").strip()
        return line.encode(errors="surrogateescape").decode(errors="replace")  # piped bytes that are not UTF-8
    except EOFError:
        return ""
    except UnicodeDecodeError as error:
        fix = "type or pipe UTF-8 text"
        raise SlmkitError(f"the input is not UTF-8: {error.reason}", where="standard input", fix=fix) from None
