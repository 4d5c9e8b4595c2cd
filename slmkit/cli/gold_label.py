"""slmkit gold label: serves the labelling page, then prints progress and agreement."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le

from slmkit.console import out
from slmkit.errors import RefusedError, SlmkitError
from slmkit.gold.own_gold import find_gold
from slmkit.recipe.read_keys import Columns, existing_path, read_keys
from slmkit.types import PositiveInt


@dataclass(frozen=True, kw_only=True)
class LabelKeys(Columns):
    """Keys of `gold label`: the rows, the labels to choose from, how many rows, and the port of the page."""

    data: str | None = None
    labels: list[str] | None = None
    limit: PositiveInt = 200
    port: Annotated[int, Ge(0), Le(65535)] = 0  # 0: any free port


def label(name: str, values: dict[str, Any], *, status: bool, as_json: bool) -> None:
    """Serves the page until Ctrl-C, then prints progress and agreement; with status it only prints."""
    from slmkit.labelling.journal import start_labelling

    keys = read_keys("gold label", values, LabelKeys)
    folder = Path("gold") / f"{Path(name).name}.labels"
    data = existing_path("data", keys.data) if keys.data else None
    gold = None if data or (folder / "items.jsonl").exists() else find_gold(name)
    labelling = start_labelling(
        folder,
        data=data,
        gold=gold,
        labels=keys.labels or (),
        limit=keys.limit,
        **keys.columns,
    )
    if not status:
        _serve(name, folder, keys.port, labelling)
    _print_agreement(folder, as_json=as_json)


def _serve(name: str, folder: Path, port: int, labelling: Any) -> None:
    from filelock import FileLock, Timeout

    from slmkit.labelling.server import LabelServer

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        with lock, LabelServer(labelling, name=name, port=port) as server:
            out.print(f"{len(labelling.items):,} items in {folder}. Open on this machine:", markup=False)
            out.print(server.url, markup=False, soft_wrap=True)
            out.print("Press Ctrl-C to stop. Every keystroke is saved; run the same command to continue.")
            out.file.flush()
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                out.print()
    except Timeout:
        fix = "use the page it printed, or stop it"
        raise RefusedError("another slmkit process serves these items", where=str(folder), fix=fix) from None
    except OSError as error:
        fix = "remove port= to use any free port"
        raise SlmkitError(f"cannot listen: {error.strerror}", where=f"port={port}", fix=fix) from None


def _print_agreement(folder: Path, *, as_json: bool) -> None:
    from slmkit.labelling.agreement import agreements
    from slmkit.labelling.journal import read_labelling, write_agreed

    labelling = read_labelling(folder)
    people = {
        person: {
            "answered": len(labelling.answers(person)),
            "flagged": sum(work.is_flagged for work in done.values()),
            "skipped": sum(work.is_skipped for work in done.values()),
        }
        for person, done in sorted(labelling.work.items())
    }
    pairs, path, agreed = agreements(labelling), write_agreed(labelling), len(labelling.agreed())
    if as_json:
        summary = {"items": len(labelling.items), "people": people, "agreement": [asdict(pair) for pair in pairs]}
        print(json.dumps({**summary, "agreed": agreed, "file": str(path)}, ensure_ascii=False))
        return
    for person, counts in people.items():
        out.print(
            f"{person}: {counts['answered']:,} of {len(labelling.items):,} answered, {counts['skipped']:,} skipped, "
            f"{counts['flagged']:,} flagged as ambiguous",
            markup=False,
        )
    for pair in pairs:
        out.print(str(pair), markup=False)
    out.print(f"{agreed:,} items with the same answer from two or more people: {path}", markup=False)
