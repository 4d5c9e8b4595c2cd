"""The search space of a sweep: `key=[a, b, c]` is a choice, `key=low..high` a range; other values are fixed.

A recipe writes the same under `sweep:`. A range between whole numbers gives whole numbers; a range that spans a factor
of ten or more is searched on a logarithmic scale.
"""

from __future__ import annotations

import itertools
import json
import math
import random
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.recipe.dotted import leaves
from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.yaml_lines import read_value, write_value
from slmkit.runs.plan import Plan, make_plan

if TYPE_CHECKING:
    from optuna.trial import Trial

_RANGE = re.compile(r"\s*([-+\w.]+?)\s*\.\.\s*([-+\w.]+)\s*")
_MAX_COMBINATIONS = 100_000  # larger spaces are sampled instead of listed


@dataclass(frozen=True)
class Choices:
    """One of these values, of any type."""

    values: tuple[Any, ...]

    @property
    def ends(self) -> list[Any]:
        """The values to check before anything runs."""
        return list(self.values)

    def suggest(self, trial: Trial, key: str) -> Any:
        return json.loads(trial.suggest_categorical(key, [self.param(value) for value in self.values]))

    def param(self, value: Any) -> str:
        """The value as Optuna stores it."""
        return json.dumps(value)

    def __str__(self) -> str:
        return f"one of {', '.join(write_value(value) for value in self.values)}"


@dataclass(frozen=True)
class Range:
    """A number from low to high; fractional ones are rounded to three significant digits."""

    low: float
    high: float

    @property
    def is_integer(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def is_logarithmic(self) -> bool:
        return self.low > 0 and self.high / self.low >= 10

    @property
    def ends(self) -> list[Any]:
        """The values to check before anything runs."""
        return [self.low, self.high]

    def param(self, value: float) -> float:
        """The value as Optuna stores it."""
        return value

    def suggest(self, trial: Trial, key: str) -> Any:
        if self.is_integer:
            return trial.suggest_int(key, int(self.low), int(self.high), log=self.is_logarithmic)
        drawn = trial.suggest_float(key, self.low, self.high, log=self.is_logarithmic)
        return min(max(float(f"{drawn:.3g}"), self.low), self.high)

    def __str__(self) -> str:
        scale = ", on a logarithmic scale" if self.is_logarithmic else ""
        return f"{write_value(self.low)} to {write_value(self.high)}{scale}"


Space = dict[str, Choices | Range]


@dataclass(frozen=True)
class Search:
    """One sweep: the search space, the fixed values, and the metric."""

    name: str
    space: Space
    fixed: dict[str, Any]
    metric: str
    maximize: bool
    num_trials: int
    profile: str
    seed: int

    def plan(self, values: Mapping[str, Any]) -> Plan:
        """The run of one trial."""
        return make_plan(self.name, overrides={**self.fixed, **values}, profile=self.profile, seed=self.seed)

    def command(self, values: Mapping[str, Any]) -> str:
        """The command of that run, which finds its result."""
        words = [f"{key}={write_value(value)}" for key, value in {**self.fixed, **values}.items()]
        return "slmkit " + shlex.join(["run", self.name, *words, "--profile", self.profile, "--seed", str(self.seed)])


def read_space(recipe: Recipe, values: Mapping[str, Any]) -> tuple[Space, dict[str, Any]]:
    """The search space and the fixed values; the command line overrides the recipe's `sweep:`."""
    space: Space = {}
    fixed: dict[str, Any] = {}
    for key, value in {**dict(leaves(recipe.get("sweep") or {})), **values}.items():
        where = f"command line: {key}={value}" if key in values else place_in_recipe(recipe, key)
        dimension = read_dimension(key, value, where)
        if dimension is None and key not in values:
            raise SlmkitError(
                f"invalid value for sweep.{key}: {value!r}", where=where, fix="write [a, b, c] or low..high"
            )
        if dimension is None:
            fixed[key] = value
        else:
            space[key] = dimension
    return space, fixed


def place_in_recipe(recipe: Recipe, key: str) -> str:
    """File and line of a key of `sweep:`."""
    return recipe.layer.where(("sweep", *key.split(".")))


def read_dimension(key: str, value: Any, where: str) -> Choices | Range | None:
    """The values to search for a key, or None for a fixed value."""
    if isinstance(value, list):
        if not value:
            raise SlmkitError(f"{key} has no values to choose from", where=where, fix=f"write {key}=[a, b, c]")
        return Choices(tuple({json.dumps(one): one for one in value}.values()))  # without repeats
    found = _RANGE.fullmatch(value) if isinstance(value, str) else None
    ends = [read_value(end) for end in found.groups()] if found else []
    if not ends or not all(isinstance(end, int | float) and not isinstance(end, bool) for end in ends):
        return None
    low, high = ends
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SlmkitError(f"{key}: the range {value} is empty", where=where, fix="write low..high, the lower first")
    if isinstance(low, int) and isinstance(high, int):
        return Range(low, high)
    return Range(float(low), float(high))


def combinations(space: Space, *, seed: int, num_trials: int = 0) -> list[dict[str, Any]] | None:
    """Every combination of a finite space, shuffled with the seed; None if the space is to be sampled.

    A space of choices alone is listed, and one with whole-number ranges if it has at most num_trials combinations.
    """
    choices: list[Sequence[Any]] = []
    for dimension in space.values():
        if isinstance(dimension, Choices):
            choices.append(dimension.values)
        elif dimension.is_integer:
            choices.append(range(int(dimension.low), int(dimension.high) + 1))
        else:
            return None
    only_choices = all(isinstance(dimension, Choices) for dimension in space.values())
    if math.prod(map(len, choices)) > (_MAX_COMBINATIONS if only_choices else num_trials):
        return None
    found = [dict(zip(space, values, strict=True)) for values in itertools.product(*choices)]
    random.Random(seed).shuffle(found)
    return found


def assignments(values: Mapping[str, Any]) -> str:
    """Values in one line: "learning_rate=0.001  lora.r=8"."""
    return "  ".join(f"{key}={write_value(value)}" for key, value in values.items())
