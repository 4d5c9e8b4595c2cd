"""`slmkit gold …`: the commands on gold sets, each a few words on what commands/gold.py and commands/label.py do."""

from __future__ import annotations

from typing import Annotated

import typer

from slmkit.cli.arguments import parse
from slmkit.cli.options import AsJson

gold = typer.Typer(
    help="Gold sets: check, label, add to, freeze, compare.", no_args_is_help=True, rich_markup_mode=None
)
GoldName = Annotated[str, typer.Argument(metavar="GOLD", help="A gold set: its name or folder.")]


@gold.command("ls")
def gold_ls(as_json: AsJson = False) -> None:
    """List the frozen gold sets."""
    from slmkit.cli.ls import listing

    listing("gold", as_json=as_json)


@gold.command("check")
def gold_check(
    name: GoldName,
    given: Annotated[list[str] | None, typer.Argument(metavar="[data=|shots=|seeds=|documents=PATH]...")] = None,
    as_json: AsJson = False,
) -> int:
    """Check a gold set: hash, schema, repeats, balance, what it can tell, and leaks."""
    from slmkit.cli.gold_commands import check_gold

    return check_gold(name, parse([name, *(given or [])])[1], as_json=as_json)


@gold.command("add")
def gold_add(
    name: GoldName,
    file: Annotated[str, typer.Argument(help="Rows to add, in any form that prepare reads.")],
    given: Annotated[list[str] | None, typer.Argument(metavar="[data=FILE] [label_column=…]...")] = None,
    as_json: AsJson = False,
) -> None:
    """Add checked examples to a gold set and freeze it anew; repeats and leaks stay out."""
    from slmkit.cli.gold_commands import add

    add(name, file, parse([name, *(given or [])])[1], as_json=as_json)


@gold.command("label")
def gold_label(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A frozen gold set to check, or a name for new items.")],
    given: Annotated[list[str] | None, typer.Argument(metavar="[data=FILE] [labels=[a,b]] [limit=200]...")] = None,
    status: Annotated[bool, typer.Option("--status", help="Only tell progress and agreement.")] = False,
    as_json: AsJson = False,
) -> None:
    """Label items by hand on a local page, two people or more, and see how far they agree (Cohen's kappa)."""
    from slmkit.cli.label import label

    label(name, parse([name, *(given or [])])[1], status=status, as_json=as_json)


@gold.command("freeze")
def gold_freeze(
    given: Annotated[list[str], typer.Argument(metavar="data=FILE [gold=FILE] [name=NAME] [label_column=…]...")],
    as_json: AsJson = False,
) -> None:
    """Freeze a gold set from a data file, as the loop does on first sight."""
    from slmkit.cli.gold_commands import freeze

    freeze(parse(["", *given])[1], as_json=as_json)


@gold.command("diff")
def gold_diff(old: GoldName, new_name: GoldName, as_json: AsJson = False) -> int:
    """Compare two gold sets: examples added, removed, and answered differently."""
    from slmkit.cli.gold_commands import diff

    return diff(old, new_name, as_json=as_json)
