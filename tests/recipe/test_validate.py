"""What the checker takes and refuses is what pydantic, asked for the same types, takes and refuses."""

from __future__ import annotations

import datetime
import enum
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from annotated_types import MultipleOf
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import ValidationError

from slmkit.errors import SlmkitError
from slmkit.recipe.validate import Group, json_schema, validate
from slmkit.types import Fraction, FractionBelowOne, Input, LearningRate, PositiveFloat, PositiveInt

TYPES: list[Any] = [
    str, int, float, bool, object, Any, PositiveInt, Fraction, PositiveFloat, FractionBelowOne, LearningRate,
    list[str], list[float], list[Fraction], str | None, PositiveInt | None, bool | Literal["auto"],
    Literal["a", "auto"], Literal[1, None], LearningRate | Literal["auto"], str | list[str],
    Literal["a"] | Literal["b"] | None, dict[str, float | None], list[list[int]] | None,
    Annotated[int, MultipleOf(2)], Annotated[int, MultipleOf(2)] | None,
    Annotated[str, "a note"], Annotated[int, {"a": "note"}],
]  # fmt: skip
VALUES: list[Any] = [
    True, False, 0, 1, -1, 3, 10**30, 0.0, 0.5, 1.0, 1.5, -0.1, float("inf"), float("nan"), "", "a", "b", "auto", "1",
    None, [], ["a"], [1], [1.5], [0.5, 2], [True], ["a", 1], [[1], [2]], [None], (1, 2), {}, {"a": 1}, {"a": None},
    {"a": "x"}, {1: 1.0}, datetime.date(2026, 1, 2), b"a", object,
]  # fmt: skip


def taking(annotation: Any) -> Callable[..., None]:
    def part(*, key): ...  # type: ignore[no-untyped-def]

    part.__annotations__ = {"key": annotation}
    return part


@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_values_are_taken_and_refused_as_by_pydantic(annotation: Any) -> None:
    theirs: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
    part = taking(annotation)
    for value in VALUES:
        told: list[Any] = []
        for ask in (lambda v: validate(part, {"key": v})["key"], theirs.validate_python):
            try:
                taken = ask(value)
                told.append((type(taken), repr(taken)))
            except ValidationError as error:
                told.append([one["msg"] for one in error.errors()])
        assert told[0] == told[1], value
    asked = json_schema(part)["properties"]["key"]
    asked.pop("title")
    assert asked == theirs.json_schema()


class Thing: ...


@pytest.mark.parametrize(
    "annotation",
    [Thing, datetime.date, Path | None, tuple[int, int], list[bytes], enum.Enum, Annotated[Thing, "a note"]],
)
def test_a_type_without_values_in_yaml_is_refused_with_its_place(annotation: Any) -> None:
    with pytest.raises(SlmkitError, match="part has a key that no YAML can give") as error:
        validate(taking(annotation), {})
    assert error.value.where.startswith(__file__)


@dataclass(frozen=True, kw_only=True)
class Inner:
    names: list[str] = field(default_factory=list)
    rate: LearningRate = 0.5


@dataclass(frozen=True, kw_only=True)
class Reading:
    rows: dict[str, Input | None]


def test_a_group_is_checked_by_its_fields_and_its_defaults_are_never_shared() -> None:
    part = taking(Inner | None)
    validate(part, {"key": {}})["key"].values["names"].append("x")
    assert validate(part, {"key": {"rate": 0.1}})["key"] == Group(Inner, {"names": [], "rate": 0.1})
    assert validate(part, {"key": None})["key"] is None
    for wrong in ({"rate": 1.5}, {"names": "a"}, {"other": 1}, [], "a"):
        with pytest.raises(ValidationError):
            validate(part, {"key": wrong})


@pytest.mark.parametrize("annotation", [Reading, list[Reading] | None])
def test_a_group_that_reads_something_is_refused(annotation: Any) -> None:
    with pytest.raises(SlmkitError, match=r"Reading\.rows names something read, which a group cannot"):
        validate(taking(annotation), {})


def test_defaults_are_checked_and_never_shared() -> None:
    def part(*, names: list[str] = []): ...  # type: ignore[no-untyped-def]  # noqa: B006

    validate(part, {})["names"].append("x")
    assert validate(part, {})["names"] == []

    def other(*, names: list[str] = [1]): ...  # type: ignore[no-untyped-def, list-item]  # noqa: B006

    with pytest.raises(ValidationError):
        validate(other, {})
