"""slmkit gold label: people answer items on a local page, and the terminal says how far they agree."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le

from slmkit.cli.arguments import Columns, existing, read_keys
from slmkit.console import out
from slmkit.errors import RefusedError, SlmkitError
from slmkit.types import PositiveInt


@dataclass(frozen=True, kw_only=True)
class LabelKeys(Columns):
    """What `gold label` takes: rows to label, the labels to choose from, how many to ask, and where the page is."""

    data: str | None = None
    labels: list[str] | None = None
    limit: PositiveInt = 200
    port: Annotated[int, Ge(0), Le(65535)] = 0  # 0: any that is free


def label(name: str, values: dict[str, Any], *, status: bool, as_json: bool) -> None:
    """Serves the page until Ctrl-C, then tells progress and agreement; with status only tells."""
    from slmkit.labelling.journal import start_labelling

    keys = read_keys("gold label", values, LabelKeys)
    folder = Path("gold") / f"{Path(name).name}.labels"
    data = existing("data", keys.data) if keys.data else None
    gold = None
    if not data and not (folder / "items.jsonl").exists():
        from slmkit.cli.gold_commands import find_gold

        gold = find_gold(name)
    labelling = start_labelling(
        folder,
        data=data,
        gold=gold,
        labels=keys.labels or (),
        limit=keys.limit,
        text_column=keys.text_column,
        label_column=keys.label_column,
    )
    if not status:
        _serve(name, folder, keys.port, labelling)
    _tell(folder, as_json=as_json)


def _serve(name: str, folder: Path, port: int, labelling: Any) -> None:
    from filelock import FileLock, Timeout

    from slmkit.labelling.server import LabelServer

    lock = FileLock(folder / ".lock", timeout=0)
    try:
        with lock, LabelServer(labelling, name=name, port=port) as server:
            out.print(f"{len(labelling.items):,} items in {folder}. Open, on this machine:", markup=False)
            out.print(server.url, markup=False, soft_wrap=True)
            out.print("Ctrl-C ends it; every key is saved, and the same command goes on.")
            out.file.flush()
            try:
                server.serve_forever()
            except KeyboardInterrupt:
                out.print()
    except Timeout:
        fix = "use the page it printed, or end it"
        raise RefusedError("another slmkit serves these items", where=str(folder), fix=fix) from None
    except OSError as error:
        where = f"port={port}"
        raise SlmkitError(f"cannot listen: {error.strerror}", where=where, fix="leave port= out") from None


def _tell(folder: Path, *, as_json: bool) -> None:
    from dataclasses import asdict

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
    found, path, agreed = agreements(labelling), write_agreed(labelling), len(labelling.agreed())
    if as_json:
        told = {"items": len(labelling.items), "people": people, "agreement": [asdict(a) for a in found]}
        print(json.dumps({**told, "agreed": agreed, "file": str(path)}, ensure_ascii=False))
        return
    for person, counts in people.items():
        out.print(
            f"{person}: {counts['answered']:,} of {len(labelling.items):,} answered, {counts['skipped']:,} skipped, "
            f"{counts['flagged']:,} flagged as ambiguous",
            markup=False,
        )
    for agreement in found:
        out.print(str(agreement), markup=False)
    out.print(f"{agreed:,} items answered alike by two or more: {path}", markup=False)
