"""How often training sees its rows, and how much of its time goes to validation."""

from __future__ import annotations

import math

_SMALL = 20e6  # parameters; below it a model knows little of a task before, and its steps cost next to nothing
_EVALUATION = 0.5  # the cost of evaluating a row, in trainings of a row: adapters on frozen weights need two passes
_SHARE = 0.1  # of the time of training, for all evaluations
_LEAST_ROWS = 10  # with fewer, a validation loss says nothing
_LEAST_TO_CHOOSE = 50  # with fewer, chance chooses the best checkpoint


def auto_epochs(num_params: int, num_rows: int) -> tuple[float, str]:
    """The epochs of num_train_epochs "auto", and why.

    A model of a few million parameters needs four. A pretrained one needs fewer, the more rows there are: 3 up to 500
    rows, 2 up to 2,000, then 1. SmolLM2-135M on 303 rows of eight labels: loss 0.0005 before the third epoch ended.
    """
    if num_params < _SMALL:
        return 4.0, f"a model of {num_params / 1e6:,.0f} M parameters learns a task from little before"
    epochs = 3.0 if num_rows <= 500 else 2.0 if num_rows <= 2_000 else 1.0
    return epochs, f"{num_rows:,} rows, {num_params / 1e6:,.0f} M parameters"


def validation_rows(available: int, *, trained_rows: int, chooses: bool = False) -> int:
    """How many validation rows to use, so that evaluating before and after takes at most a tenth of training's time.

    `chooses`: ten more evaluations choose the best checkpoint, and take their time too.

    Example: 80 rows trained -> 10, the least; 1,000 rows trained -> 100, or 50 to choose by.
    """
    most = int(_SHARE * trained_rows / _EVALUATION / (11 if chooses else 2))
    return min(available, max(_LEAST_TO_CHOOSE if chooses else _LEAST_ROWS, most))


def num_evaluations(num_validation: int, *, trained_rows: int) -> int:
    """How often to evaluate during training: at most ten times, and within a tenth of its time, with that before it.

    Example: 1,000 rows trained, 30 validation rows -> 5.
    """
    affordable = math.floor(_SHARE * trained_rows / _EVALUATION / max(1, num_validation)) - 1
    return max(1, min(10, affordable))
