"""slmkit pick: a base model, chosen by constraints and, with --measure, by results."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import Arguments, Options
from slmkit.cli.pick_questions import ask, is_interactive, read_answers
from slmkit.cli.run_recipe import run_recipe
from slmkit.errors import SlmkitError


def pick(
    arguments: Arguments = None,
    answers: Annotated[
        list[str] | None, typer.Option("--answer", metavar="KEY=VALUE", help="Answer one of the questions in advance.")
    ] = None,
    measure: Annotated[
        bool, typer.Option("--measure", help="Also score and fine-tune the models found on this machine.")
    ] = False,
    *,
    options: Options,
) -> int:
    """Pick the smallest base model that meets your constraints.

    In a terminal and without arguments it asks five questions. `slmkit show loop/pick` lists the keys you can change.
    """
    recipe, values = parse(arguments, default="loop/pick")
    is_asking = is_interactive(arguments, answers, as_json=options.as_json)
    answered = ask() if is_asking else read_answers(answers or [])
    for key in values.keys() & answered.keys():
        raise SlmkitError(f"{key} is given twice", where=f"--answer {key}", fix="pass it once")
    values |= answered
    if measure:
        values["measure"] = True
    if values.get("measure") is True and "data" in values and "gold" not in values:
        from slmkit.gold.own_gold import find_gold, known_gold_of

        gold = known_gold_of(values["data"])
        if gold and (find_gold(gold) / "dev.jsonl").is_file():
            values["gold"] = gold
    return run_recipe(recipe, values, options)
