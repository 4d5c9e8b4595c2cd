"""Validates values against a signature, with a pydantic-core schema made from the types of its keys.

Pydantic would make the same schema, but importing it takes longer than everything else a command does at start-up. So
the types that YAML can express are translated here; pydantic is imported only for Annotated metadata beyond ranges.
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
    "a valid boolean": "true or false",
    "a valid list": "a list, such as [ONE, TWO]",
    "a valid dictionary": "a mapping, such as {NAME: VALUE}",
}
_BOUNDS = {Ge: "ge", Gt: "gt", Le: "le", Lt: "lt"}


@dataclass(frozen=True)
class Pending:
    """A name to be looked up after validation: an input, a model, or a part with its options."""

    marker: Any  # Reads or PartOf
    value: Any


@dataclass(frozen=True)
class Group:
    """The validated fields of a dataclass, which is built once the pending names in them are looked up."""

    kind: type
    values: dict[str, Any]


def validate(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """A validated value for every key of a function, defaults included.

    Raises: pydantic_core.ValidationError; SlmkitError for a key whose type YAML cannot express.
    """
    found: dict[str, Any] = _validator(function).validate_python(dict(values))
    return found


def expected_text(messages: Iterable[str]) -> str:
    """Pydantic's messages as a short description of valid values: "at least 1, or 'auto'"."""
    texts = list(messages)
    for phrase, ours in _PHRASES.items():
        texts = [text.replace(phrase, ours) for text in texts]
    return ", or ".join(dict.fromkeys(texts))


def quoting_hint(value: Any, expected: str, key: str = "") -> str:
    """How to write a number as text, if text is expected; with `key`, how to quote it for the shell."""
    if "string" in expected and isinstance(value, dict):
        return '; a template needs quotes: "{column}"'
    if "string" not in expected or not isinstance(value, int | float):
        return ""
    return f"; {key}='\"{value}\"' is text" if key else f'; "{value}" is text'


def json_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """The JSON schema of a stage's `with`, for editors."""
    from pydantic.json_schema import GenerateJsonSchema

    class WithMarkers(GenerateJsonSchema):
        def function_plain_schema(self, schema: Any) -> dict[str, Any]:
            return _marker_schema(schema["metadata"]["marker"])

    return WithMarkers().generate(_function_schema(function))


@functools.cache
def _validator(function: Callable[..., Any]) -> SchemaValidator:
    return SchemaValidator(_function_schema(function), _CONFIG)


def _function_schema(function: Callable[..., Any]) -> CoreSchema:
    try:
        return _fields_schema({name: (p.annotation, p.default) for name, p in parameters(function).items()})
    except _NotInYamlError as error:
        what = f"{function.__name__} has a key whose type YAML cannot express: {error}"
        fix = "use str, int, float, bool, Literal[…], list[…], Input, Model or a dataclass of these"
        raise SlmkitError(what, where=source_location(function), fix=fix) from None


def _fields_schema(fields: Mapping[str, tuple[Any, Any]]) -> CoreSchema:
    """A mapping with exactly these keys, each with a type and a default."""
    made = {}
    for name, (annotation, default) in fields.items():
        schema = _schema_of(annotation)
        is_required = default is inspect.Parameter.empty or default is dataclasses.MISSING
        if not is_required:
            schema = core_schema.with_default_schema(schema, default=default, validate_default=True)
        made[name] = core_schema.typed_dict_field(schema, required=is_required)
    return core_schema.typed_dict_schema(made, config=_CONFIG)


def _schema_of(annotation: Any) -> CoreSchema:
    """The schema of one type. Markers become pending look-ups; null in a mapping removes an entry."""
    plain = next((schema for kind, schema in _PLAIN.items() if kind is annotation), None)
    if plain:
        return plain()
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        inner, *extras = args
        if marker := next((extra for extra in extras if isinstance(extra, Reads | PartOf)), None):
            return core_schema.no_info_plain_validator_function(_keep_pending(marker), metadata={"marker": marker})
        if (inner is int or inner is float) and all(type(extra) in _BOUNDS for extra in extras):
            bounds = {(name := _BOUNDS[type(extra)]): getattr(extra, name) for extra in extras}
            return typing.cast(CoreSchema, {**_schema_of(inner), **bounds})
        _schema_of(inner)  # raises if YAML cannot express it
        return _by_pydantic(annotation)
    elif origin is typing.Literal:
        return core_schema.literal_schema(list(args))
    elif origin in (typing.Union, types.UnionType):
        choices: list[Any] = [_schema_of(arg) for arg in args if arg is not type(None)]
        schema: CoreSchema = choices[0] if len(choices) == 1 else core_schema.union_schema(choices)
        return core_schema.nullable_schema(schema) if type(None) in args else schema
    elif origin is list:
        return core_schema.list_schema(_schema_of(args[0]))
    elif origin is dict:
        return core_schema.dict_schema(core_schema.str_schema(), core_schema.nullable_schema(_schema_of(args[1])))
    elif dataclasses.is_dataclass(annotation) and isinstance(annotation, type):
        return _group_schema(annotation)
    raise _NotInYamlError(f"{getattr(annotation, '__name__', annotation)}")


def _group_schema(kind: type) -> CoreSchema:
    """The schema of a dataclass, from its fields; a default instance becomes a mapping first."""
    hints = typing.get_type_hints(kind, include_extras=True)
    for name, hint in hints.items():
        if _has_marker(hint):
            raise _NotInYamlError(f"{kind.__name__}.{name} is an input, model or part, which a dataclass cannot have")
    fields = {field.name: (hints[field.name], _default(field)) for field in dataclasses.fields(kind)}

    def as_mapping(value: Any) -> Any:
        return {name: getattr(value, name) for name in fields} if isinstance(value, kind) else value

    mapping = core_schema.no_info_before_validator_function(as_mapping, _fields_schema(fields))
    return core_schema.no_info_after_validator_function(functools.partial(Group, kind), mapping)


def _has_marker(annotation: Any) -> bool:
    """Whether a type, or one inside it, is looked up by name."""
    args = typing.get_args(annotation)
    return any(isinstance(arg, Reads | PartOf) or _has_marker(arg) for arg in args)


def _default(field: Any) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


class _NotInYamlError(Exception):
    """A type that YAML cannot express."""


def _by_pydantic(annotation: Any) -> CoreSchema:
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        schema: CoreSchema = TypeAdapter(annotation).core_schema  # type: ignore[assignment]
    except PydanticUserError as error:
        raise _NotInYamlError(str(error).splitlines()[0]) from None
    return schema


def _keep_pending(marker: Reads | PartOf) -> Callable[[Any], Any]:
    allowed = (str,) if isinstance(marker, Reads) else (str, Mapping)
    expected = "the name of a file, folder or recipe" if isinstance(marker, Reads) else "a name or {use: name, …}"

    def keep(value: Any) -> Any:
        if not isinstance(value, allowed) and not (isinstance(marker, PartOf) and callable(value)):
            raise ValueError(expected)
        return Pending(marker, value)

    return keep


def _marker_schema(marker: Reads | PartOf) -> dict[str, Any]:
    if isinstance(marker, Reads):
        return {"type": "string", "description": f"{marker.kind}: a recipe, a file or folder, or a model's name"}
    use = {"type": "string", "examples": sorted(lookup.part_files(marker.folder))}
    return {"anyOf": [use, {"type": "object", "properties": {"use": use}, "required": ["use"]}]}
