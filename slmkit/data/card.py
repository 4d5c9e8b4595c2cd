"""The card of prepared data: where it came from, what was done to it and what is in it, as YAML for all to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slmkit.data.canonical import Canonicals
from slmkit.data.convert import Canonical
from slmkit.data.files import sha256_of, to_yaml
from slmkit.data.gold import Gold
from slmkit.data.read import data_files
from slmkit.data.steps import Stepped

_SAMPLES = 3
_CLIP = 300  # characters of a sample


def data_card(
    data: Path,
    *,
    found: Canonicals,
    done: Stepped,
    train: Sequence[Canonical],
    validation: Sequence[Canonical],
    steps: Sequence[str],
    gold: Gold | None,
) -> str:
    """card.yaml of a prepare run."""
    licence = gold.card.get("licence") if gold else None
    card: dict[str, Any] = {
        "source": [path.name for path in data_files(data)],
        "sha256": sha256_of(data_files(data)),
        "licence": licence or "not stated",
        "shape": str(found.shape),
        "task": found.kind,
        "synthetic": found.is_synthetic,
        "steps": list(steps),
        "gold": {"name": gold.task.name, "sha256": gold.sha256} if gold else None,
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
        {"line": row.line, "input": row.input[:_CLIP], "target": row.target[:_CLIP]} for row in train[:_SAMPLES]
    ]
    return to_yaml(card)
