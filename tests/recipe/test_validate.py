"""Values and types are accepted and refused exactly as pydantic does for the same types."""

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


def part_with(annotation: Any) -> Callable[..., None]:
    def part(*, key): ...  # type: ignore[no-untyped-def]

    part.__annotations__ = {"key": annotation}
    return part


@pytest.mark.parametrize("annotation", TYPES, ids=str)
def test_values_are_accepted_and_refused_as_by_pydantic(annotation: Any) -> None:
    theirs: TypeAdapter[Any] = TypeAdapter(annotation, config=ConfigDict(strict=True, allow_inf_nan=False))
    part = part_with(annotation)
    for value in VALUES:
        outcomes: list[Any] = []
        for ask in (lambda v: validate(part, {"key": v})["key"], theirs.validate_python):
            try:
                accepted = ask(value)
                outcomes.append((type(accepted), repr(accepted)))
            except ValidationError as error:
                outcomes.append([one["msg"] for one in error.errors()])
        assert outcomes[0] == outcomes[1], value
    schema = json_schema(part)["properties"]["key"]
    schema.pop("title")
    assert schema == theirs.json_schema()


class Thing: ...


@pytest.mark.parametrize(
    "annotation",
    [Thing, datetime.date, Path | None, tuple[int, int], list[bytes], enum.Enum, Annotated[Thing, "a note"]],
)
def test_a_type_that_yaml_cannot_express_is_refused_with_its_location(annotation: Any) -> None:
    with pytest.raises(SlmkitError, match="part") as error:
        validate(part_with(annotation), {})
    assert error.value.where.startswith(__file__)


@dataclass(frozen=True, kw_only=True)
class Inner:
    names: list[str] = field(default_factory=list)
    rate: LearningRate = 0.5


@dataclass(frozen=True, kw_only=True)
class Reading:
    rows: dict[str, Input | None]


def test_a_group_is_validated_by_its_fields_and_its_defaults_are_never_shared() -> None:
    part = part_with(Inner | None)
    validate(part, {"key": {}})["key"].values["names"].append("x")
    assert validate(part, {"key": {"rate": 0.1}})["key"] == Group(Inner, {"names": [], "rate": 0.1})
    assert validate(part, {"key": None})["key"] is None
    for wrong in ({"rate": 1.5}, {"names": "a"}, {"other": 1}, [], "a"):
        with pytest.raises(ValidationError):
            validate(part, {"key": wrong})


@pytest.mark.parametrize("annotation", [Reading, list[Reading] | None])
def test_a_group_with_an_input_is_refused(annotation: Any) -> None:
    with pytest.raises(SlmkitError, match=r"Reading\.rows"):
        validate(part_with(annotation), {})


def test_defaults_are_validated_and_never_shared() -> None:
    def part(*, names: list[str] = []): ...  # type: ignore[no-untyped-def]  # noqa: B006

    validate(part, {})["names"].append("x")
    assert validate(part, {})["names"] == []

    def other(*, names: list[str] = [1]): ...  # type: ignore[no-untyped-def, list-item]  # noqa: B006

    with pytest.raises(ValidationError):
        validate(other, {})
