"""What the checker takes and refuses is what pydantic, asked for the same types, takes and refuses."""

from __future__ import annotations

import datetime
import typing
from collections.abc import Callable
from typing import Any, Literal

import pytest
from pydantic import ConfigDict, TypeAdapter
from pydantic_core import ValidationError

from slmkit.checker import checked, json_schema
from slmkit.errors import SlmkitError
from slmkit.types import Count, PartOfOne, Positive, Rate, Share

TYPES: list[Any] = [
    str, int, float, bool, object, Any, Count, Share, Positive, PartOfOne, Rate, list[str], list[float], list[Share],
    str | None, Count | None, bool | Literal["auto"], Literal["a", "auto"], Literal[1, None], Rate | Literal["auto"],
    str | list[str], Literal["a"] | Literal["b"] | None, dict[str, float | None], list[list[int]] | None,
    datetime.date, datetime.date | None, int | tuple[int, int], list[bytes] | str,
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
        for ask in (lambda v: checked(part, {"key": v})["key"], theirs.validate_python):
            try:
                taken = ask(value)
                told.append((type(taken), repr(taken)))
            except ValidationError as error:
                told.append([one["msg"] for one in error.errors()])
        assert told[0] == told[1], value
    if object not in typing.get_args(annotation):
        asked = json_schema(part)["properties"]["key"]
        asked.pop("title")
        assert asked == theirs.json_schema()


def test_a_type_without_values_in_yaml_is_refused_with_its_place() -> None:
    class Thing: ...

    with pytest.raises(SlmkitError, match="part has a key that no YAML can give") as error:
        checked(taking(Thing), {})
    assert error.value.where.startswith(__file__)


def test_defaults_are_checked_and_never_shared() -> None:
    def part(*, names: list[str] = []): ...  # type: ignore[no-untyped-def]  # noqa: B006

    checked(part, {})["names"].append("x")
    assert checked(part, {})["names"] == []

    def other(*, names: list[str] = [1]): ...  # type: ignore[no-untyped-def, list-item]  # noqa: B006

    with pytest.raises(ValidationError):
        checked(other, {})
