"""Which evaluation on the validation split was best, and whether to stop: both read from the run's log.

The log goes back with the checkpoint when a run is resumed, so a killed run selects and stops as one left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmkit.errors import SlmkitError

Log = Sequence[dict[str, float]]

_NOT_CURVES = ("epoch", "num_tokens", "num_input_tokens_seen", "total_flos", "train_loss", "entropy", "step_time")


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A curve of the validation split, the evaluations to wait for a better value, and whether the best is taken.

    Example: validation_loss 0.9, 0.5, 0.6, 0.7 at steps 10 to 40, patience 2 -> best step 20, stopped at step 40.
    """

    metric: str  # "validation_loss"
    patience: int | None
    take_best: bool

    def best_step(self, log: Log) -> int | None:
        """The step whose evaluation was best, the earliest of equals; the base, step 0, does not count."""
        evaluated = self._evaluated(log)
        if not evaluated:
            return None
        sign = 1 if self.metric.endswith("loss") else -1
        return min(evaluated, key=lambda at: (sign * at[1], at[0]))[0]

    def is_over(self, log: Log) -> bool:
        """Whether the last `patience` evaluations were no better than the best before them."""
        best = self.best_step(log)
        if self.patience is None or best is None:
            return False
        return sum(step > best for step, _ in self._evaluated(log)) >= self.patience

    def check(self, values: dict[str, float]) -> None:
        """Raises SlmkitError where an evaluation has no such metric, with those it has."""
        if self.metric not in values:
            names = sorted(name.removeprefix("validation_") for name in values if name.startswith("validation_"))
            raise SlmkitError(
                f"the evaluation has no {self.metric.removeprefix('validation_')!r}",
                where="metric_for_best_model",
                fix=f"one of {', '.join(names)}",
            )

    def _evaluated(self, log: Log) -> list[tuple[int, float]]:
        return [(int(row["step"]), row[self.metric]) for row in log if self.metric in row and row["step"] > 0]


def curve_name(name: str) -> str:
    """The name of a curve here for TRL's: "eval_rewards/margins" -> "validation_rewards_margins"; "" for a clock."""
    if name in _NOT_CURVES or name.endswith(("_runtime", "_per_second", "_num_tokens", "_entropy", "_time")):
        return ""
    return name.replace("eval_", "validation_").replace("/", "_")
