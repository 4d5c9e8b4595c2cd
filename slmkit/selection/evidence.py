"""What was measured of a base model, and how a later run finds it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.files import read_jsonl
from slmkit.training.probe import Probe
from slmkit.types import Score

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Evidence:
    """The measurements of one model; None if there was nothing to measure on, or for the reason in `missing`."""

    tokens_a_word: float  # of the tokenizer, on the user's text
    template: str  # "sane", or the first fault of the chat template on the user's rows
    end_learnt: bool  # the end of turn is one token, known to the base model and included in the loss
    stop_rate: float | None  # of free-text answers, the fraction that the model ended itself
    zero_shot: Score | None
    few_shot: Score | None
    tokens_per_second: float | None  # prompt and completion, on this machine
    answer_memory_bytes: int | None  # peak while answering; on a CPU of the whole process
    probe: Probe | None
    probe_memory_bytes: int | None
    missing: str = ""

    @property
    def best(self) -> Score | None:
        """The better of the zero-shot and few-shot scores."""
        return max((s for s in (self.zero_shot, self.few_shot) if s), key=lambda s: s.value, default=None)

    @property
    def facts(self) -> dict[str, str]:
        """The measurements by name, as text."""
        end_token = f"end token {'learned' if self.end_learnt else 'not learned'}"
        stops = "" if self.stop_rate is None else f"; it ended {self.stop_rate:.0%} of its answers"
        memory = ((self.answer_memory_bytes, "answering"), (self.probe_memory_bytes, "training"))
        return {
            "fertility": f"{self.tokens_a_word:.2f} tokens per word",
            "template": NOT_MEASURED if self.template == NOT_MEASURED else f"{self.template}, {end_token}{stops}",
            "zero-shot": str(self.zero_shot or NOT_MEASURED),
            "few-shot": str(self.few_shot or NOT_MEASURED),
            "probe": str(self.probe or NOT_MEASURED),
            "speed": f"{self.tokens_per_second:,.0f} tokens/s here" if self.tokens_per_second else NOT_MEASURED,
            "peak memory": ", ".join(f"{size / 1e9:.2f} GB {phase}" for size, phase in memory if size) or NOT_MEASURED,
            **({"why not": self.missing} if self.missing else {}),
        }


def read_evidence(row: Mapping[str, Any]) -> Evidence:
    """The evidence in a row of evidence.jsonl."""
    values = {key: row[key] for key in Evidence.__dataclass_fields__}
    for name in ("zero_shot", "few_shot"):
        values[name] = Score(**values[name]) if values[name] else None
    return Evidence(**{**values, "probe": Probe(**values["probe"]) if values["probe"] else None})


def earlier_evidence(runs: Path) -> list[dict[str, Any]]:
    """The rows of evidence.jsonl in all runs of a recipe, the newest of each key."""
    files = sorted(runs.glob("*/evidence.jsonl"), key=lambda path: path.stat().st_mtime)
    rows = [row for file in files for row in read_jsonl(file)]
    return list({row["key"]: row for row in rows if "key" in row}.values())
