"""slmkit chat: talk to a base model, or to one that a recipe trained, in the terminal."""

from __future__ import annotations

import sys

from slmkit.console import console, out
from slmkit.errors import SlmkitError
from slmkit.recipe.bind import find_model
from slmkit.recipe.load_recipe import load_profile
from slmkit.recipe.lookup import find
from slmkit.runs.store import find_run, read_result
from slmkit.types import ModelRef


def talk(model: str, *, profile: str, max_new_tokens: int) -> None:
    """Reads a line, answers, and keeps the turns, until an empty line or the end of the input."""
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render
    from slmkit.models.load import load_model

    scale = load_profile(profile)[1].value
    loaded = load_model(_model(model), device=scale.get("device", "auto"))
    console.print(f"{model}: an empty line ends it", style="dim", markup=False)
    messages: list[dict[str, str]] = []
    while line := _read_line():
        messages.append({"role": "user", "content": line})
        answer = generate(loaded, render(loaded.tokenizer, [messages]), max_new_tokens=max_new_tokens)[0]
        if answer.error:
            raise SlmkitError(answer.error, fix="start again: the conversation outgrew the model's context")
        out.print(answer.text, markup=False)
        messages.append({"role": "assistant", "content": answer.text})


def _model(name: str) -> ModelRef:
    """The model of a recipe's newest run, or one by card, folder or hub id."""
    if not find("recipes", name):
        found = find_model(name, "command line")
        return ModelRef(name, str(found.path) if found.path else found.name)
    folder = find_run(name)
    if read_result(folder) is None:
        raise SlmkitError(
            f"the run of {name} is not finished", where=str(folder), fix=f"slmkit run {name} finishes it"
        )
    return ModelRef(name, str(folder))


def _read_line() -> str:
    try:
        line = input("> " if sys.stdin.isatty() else "").strip()
        return line.encode(errors="surrogateescape").decode(errors="replace")  # piped bytes that are no UTF-8
    except EOFError:
        return ""
    except UnicodeDecodeError as error:
        raise SlmkitError(f"the input is not UTF-8: {error.reason}", fix="type or pipe UTF-8 text") from None
