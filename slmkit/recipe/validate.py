"""Checks the values of a signature's keys: a schema for pydantic-core, pydantic's engine, made from their types.

Pydantic makes the same schema, but importing it takes longer than all else that a command does before it works. So the
types that YAML can give are written down here, and what an Annotated says of them beyond a range is left to pydantic.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from annotated_types import Ge, Gt, Le, Lt
from pydantic_core import CoreConfig, CoreSchema, SchemaValidator, core_schema

from slmkit.errors import SlmkitError
from slmkit.recipe import lookup
from slmkit.recipe.signature import parameters, source_location
from slmkit.types import PartOf, Reads

_CONFIG = CoreConfig(strict=True, allow_inf_nan=False, extra_fields_behavior="forbid")
_PLAIN: dict[Any, Callable[[], CoreSchema]] = {
    str: core_schema.str_schema,
    int: core_schema.int_schema,
    float: core_schema.float_schema,
    bool: core_schema.bool_schema,
    type(None): core_schema.none_schema,
    object: core_schema.any_schema,
    Any: core_schema.any_schema,
}
_PHRASES = {
    "Input should be ": "",
    "Value error, ": "",
    "greater than or equal to": "at least",
    "less than or equal to": "at most",
    "greater than": "more than",
}
_BOUNDS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}


@dataclass(frozen=True)
class Pending:
    """A name that stands for something to look up: what is read, or a part with its options."""

    marker: Any  # Reads or PartOf
    value: Any


@dataclass(frozen=True)
class Group:
    """The checked fields of a small dataclass; what is pending in them is looked up before it is made."""

    kind: type
    values: dict[str, Any]


def validate(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A value for every key of a function, defaults included.

    Raises: pydantic_core.ValidationError; SlmkitError for a key whose type no YAML can give.
    """
    found: dict[str, Any] = _validator(function).validate_python(dict(values))
    return found


def expected_text(messages: Iterable[str]) -> str:
    """What pydantic asks for, in fewer words: "at least 1, or 'auto'"."""
    asked = list(messages)
    for phrase, ours in _PHRASES.items():
        asked = [message.replace(phrase, ours) for message in asked]
    return ", or ".join(dict.fromkeys(asked))


def quoting_hint(value: Any, asked: str, key: str = "") -> str:
    """How a number is given as text, where text is asked for; key: of the command line, whose shell takes quotes."""
    if "string" not in asked or not isinstance(value, int | float):
        return ""
    return f"; {key}='\"{value}\"' is text" if key else f'; "{value}" is text'


def json_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a stage's `with`, for editors."""
    from pydantic.json_schema import GenerateJsonSchema

    class WithMarkers(GenerateJsonSchema):
        def function_plain_schema(self, schema: Any) -> dict[str, Any]:
            return _marker_schema(schema["metadata"]["marker"])

    return WithMarkers().generate(_of_function(function))


@functools.cache
def _validator(function: Callable[..., Any]) -> SchemaValidator:
    return SchemaValidator(_of_function(function), _CONFIG)


def _of_function(function: Callable[..., Any]) -> CoreSchema:
    try:
        return _of_fields({name: (p.annotation, p.default) for name, p in parameters(function).items()})
    except _CannotBeGivenError as error:
        what = f"{function.__name__} has a key that no YAML can give: {error}"
        fix = "use str, int, float, bool, Literal[…], list[…], Input, Model or a small dataclass of such values"
        raise SlmkitError(what, where=source_location(function), fix=fix) from None


def _of_fields(fields: Mapping[str, tuple[Any, Any]]) -> CoreSchema:
    """Named types and defaults, and no other name."""
    made = {}
    for name, (annotation, default) in fields.items():
        schema = _of(annotation)
        is_required = default is inspect.Parameter.empty or default is dataclasses.MISSING
        if not is_required:
            schema = core_schema.with_default_schema(schema, default=default, validate_default=True)
        made[name] = core_schema.typed_dict_field(schema, required=is_required)
    return core_schema.typed_dict_schema(made, config=_CONFIG)


def _of(annotation: Any) -> CoreSchema:
    """One type. Markers become pending look-ups; a mapping may hold null, which takes an entry out."""
    plain = next((schema for kind, schema in _PLAIN.items() if kind is annotation), None)
    if plain:
        return plain()
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        inner, *extras = args
        if marker := next((extra for extra in extras if isinstance(extra, Reads | PartOf)), None):
            return core_schema.no_info_plain_validator_function(_keeper(marker), metadata={"marker": marker})
        if (inner is int or inner is float) and all(type(extra) in _BOUNDS for extra in extras):
            bounds = {(name := _BOUNDS[type(extra)]): getattr(extra, name) for extra in extras}
            return typing.cast(CoreSchema, {**_of(inner), **bounds})
        _of(inner)  # that YAML gives it
        return _by_pydantic(annotation)
    elif origin is typing.Literal:
        return core_schema.literal_schema(list(args))
    elif origin in (typing.Union, types.UnionType):
        choices: list[Any] = [_of(arg) for arg in args if arg is not type(None)]
        schema: CoreSchema = choices[0] if len(choices) == 1 else core_schema.union_schema(choices)
        return core_schema.nullable_schema(schema) if type(None) in args else schema
    elif origin is list:
        return core_schema.list_schema(_of(args[0]))
    elif origin is dict:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.nullable_schema(_of(args[1])))
    elif dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _of_group(annotation)
    raise _CannotBeGivenError(f"YAML has no {getattr(annotation, '__name__', annotation)}")


def _of_group(kind: type) -> CoreSchema:
    """A small dataclass of a signature by its fields; its default instance becomes a mapping first."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for name, hint in hints.items():
        if _has_marker(hint):
            raise _CannotBeGivenError(f"{kind.__name__}.{name} names something read, which a group cannot")
    fields = {field.name: (hints[field.name], _default(field)) for field in dataclasses.fields(kind)}

    def as_mapping(value: Any) -> Any:
        return {name: getattr(value, name) for name in fields} if isinstance(value, kind) else value

    mapping = core_schema.no_info_before_validator_function(as_mapping, _of_fields(fields))
    return core_schema.no_info_after_validator_function(functools.partial(Group, kind), mapping)


def _has_marker(annotation: Any) -> bool:
    """Whether a type is looked up, or holds one that is."""
    args = typing.get_args(annotation)
    return any(isinstance(arg, Reads | PartOf) or _has_marker(arg) for arg in args)


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


class _CannotBeGivenError(Exception):
    """A type that no value of a recipe has."""


def _by_pydantic(annotation: Any) -> CoreSchema:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        schema: CoreSchema = TypeAdapter(annotation).core_schema  # type: ignore[assignment]
    except PydanticUserError as error:
        raise _CannotBeGivenError(str(error).splitlines()[0]) from None
    return schema


def _keeper(marker: Reads | PartOf) -> Callable[[Any], Any]:
    allowed = (str,) if isinstance(marker, Reads) else (str, Mapping)
    wanted = "the name of a file, folder or recipe" if isinstance(marker, Reads) else "a name or {use: name, …}"

    def keep(value: Any) -> Any:
        if not isinstance(value, allowed) and not (isinstance(marker, PartOf) and callable(value)):
            raise ValueError(wanted)
        return Pending(marker, value)

    return keep


def _marker_schema(marker: Reads | PartOf) -> dict[str, Any]:
    if isinstance(marker, Reads):
        return {"type": "string", "description": f"{marker.kind}: a recipe, a file or folder, or a model's name"}
    use = {"type": "string", "examples": sorted(lookup.part_files(marker.folder))}
    return {"anyOf": [use, {"type": "object", "properties": {"use": use}, "required": ["use"]}]}
