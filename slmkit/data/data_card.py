"""The data card of a prepare run: where the data comes from, what was done to it, and what it contains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.steps import CleanedRows
from slmkit.data.read_canonical import CanonicalData
from slmkit.data.reading.find_files import data_files
from slmkit.files import sha256_of

_SAMPLES = 3
_CLIP = 300  # characters of a sample


def data_card(
    data: Path,
    *,
    found: CanonicalData,
    done: CleanedRows,
    train: Sequence[CanonicalRow],
    validation: Sequence[CanonicalRow],
    steps: Sequence[str],
    gold: Mapping[str, Any] | None,
    licence: str | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The contents of card.yaml and card.html.

    gold: its name, sha256 and licence. The card's licence is the given one, otherwise that of the gold set, otherwise
    the name of a licence file next to the data.
    """
    files = list(dict.fromkeys([*data_files(data), *(row.file for row in validation if row.is_validation)]))
    card: dict[str, Any] = {
        "source": [path.name for path in files],
        "sha256": sha256_of(files),
        "licence": licence or (gold or {}).get("licence") or _licence_file(files[0].parent),
        "shape": str(found.shape),
        "task": found.kind,
        "synthetic": found.is_synthetic,
        "synthetic_rows": found.num_read if found.is_synthetic else found.num_synthetic,
        "steps": list(steps),
        "gold": {key: gold[key] for key in ("name", "sha256")} if gold else None,
        "rows": {
            "read": found.num_read,
            "usable": len(found.rows),
            "dropped": dict(Counter(row.reason for row in done.dropped).most_common()),
            "changed": dict(Counter(row.step for row in done.changed).most_common()),
            "train": len(train),
            "validation": len(validation),
        },
    }
    if found.kind == "classification":
        card["labels"] = dict(sorted(Counter(row.target for row in train).items()))
    card["samples"] = [
        {"line": int(row.line), "input": row.input[:_CLIP], "target": row.target[:_CLIP]} for row in train[:_SAMPLES]
    ]
    card["warnings"] = list(warnings)
    return card


def _licence_file(folder: Path) -> str:
    found = sorted(p.name for p in folder.iterdir() if p.name.lower().startswith(("license", "licence", "copying")))
    return f"see {found[0]}" if found else "not stated"
