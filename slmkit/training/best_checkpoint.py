"""Picks the best checkpoint by the validation split, and decides when to stop early; both from the run's log.

The log is rewound together with the checkpoint when a run resumes, so a killed run picks and stops like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmkit.errors import SlmkitError

Log = Sequence[dict[str, float]]

_NOT_CURVES = ("epoch", "num_tokens", "num_input_tokens_seen", "total_flos", "train_loss", "entropy", "step_time")


@dataclass(frozen=True, kw_only=True)
class BestCheckpoint:
    """By which validation metric to pick the checkpoint, how long to wait for a better one, and whether to restore it.

    Example: validation_loss 0.9, 0.5, 0.6, 0.7 at steps 10 to 40, patience 2 -> best step 20, stopped at step 40.
    """

    metric: str  # "validation_loss"
    patience: int | None  # evaluations without a better value before training stops
    restore: bool  # whether the best checkpoint's weights are the result

    def best_step(self, log: Log) -> int | None:
        """The step of the best evaluation, the earliest of equals; the base, step 0, does not count."""
        evaluations = self._evaluations(log)
        if not evaluations:
            return None
        sign = 1 if self.metric.endswith("loss") else -1
        return min(evaluations, key=lambda evaluation: (sign * evaluation[1], evaluation[0]))[0]

    def should_stop(self, log: Log) -> bool:
        """Whether none of the last `patience` evaluations was better than the best before them."""
        best = self.best_step(log)
        if self.patience is None or best is None:
            return False
        return sum(step > best for step, _ in self._evaluations(log)) >= self.patience

    def check(self, values: dict[str, float]) -> None:
        """Raises SlmkitError if an evaluation lacks the metric."""
        if self.metric not in values:
            names = sorted(name.removeprefix("validation_") for name in values if name.startswith("validation_"))
            raise SlmkitError(
                f"the evaluation has no metric {self.metric.removeprefix('validation_')!r}",
                where="metric_for_best_model",
                fix=f"use one of {', '.join(names)}",
            )

    def _evaluations(self, log: Log) -> list[tuple[int, float]]:
        return [(int(row["step"]), row[self.metric]) for row in log if self.metric in row and row["step"] > 0]


def curve_name(name: str) -> str:
    """Our name for one of TRL's curves: "eval_rewards/margins" -> "validation_rewards_margins"; "" for timings."""
    if name in _NOT_CURVES or name.endswith(("_runtime", "_per_second", "_num_tokens", "_entropy", "_time")):
        return ""
    return name.replace("eval_", "validation_").replace("/", "_")
