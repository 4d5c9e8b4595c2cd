"""What a signature says of the keys its YAML may give, and how those keys become its arguments again.

A stage's keyword-only parameters are its keys. One annotated `Keys[Group]` stands for the fields of that dataclass,
each a key of the stage itself; the parameter's default is where their defaults come from.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import sys
import typing
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.types import KeysOf

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

_MANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@functools.cache
def check_signature(function: Callable[..., Any], *, is_stage: bool) -> None:
    """Refuses a function that no recipe could call: a key without a type, and of a stage all but one positional."""
    where, name = source_location(function), getattr(function, "__name__", "it")
    try:
        keys = _declared(function)
        parameters(function)
    except (NameError, TypeError, AttributeError, ValueError) as error:
        fix = "import what its types name, and give a group of Keys[…] a default"
        raise SlmkitError(f"the signature of {name} cannot be read: {error}", where=where, fix=fix) from None
    for key, parameter in keys.items():
        if parameter.annotation is inspect.Parameter.empty:
            fix = f"write its type: `{key}: int = …`"
            raise SlmkitError(f"the key {key!r} of {name} has no type", where=where, fix=fix)
    if many := [p for p in inspect.signature(function).parameters.values() if p.kind in _MANY]:
        what = f"{name} takes {many[0]}, which no key can reach"
        raise SlmkitError(what, where=where, fix="name each key after the star: *, key: int = 1")
    positional = [p.name for p in inspect.signature(function).parameters.values() if p.kind in _POSITIONAL]
    if is_stage and len(positional) != 1:
        what = f"a stage takes one positional parameter, the run; {name} takes {', '.join(positional) or 'none'}"
        raise SlmkitError(what, where=where, fix=f"def {name}(run, *, key: int = 1): keys stand after the star")


def source_location(function: Callable[..., Any]) -> str:
    """The file and line of a function."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


@functools.cache
def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The keys a stage or part takes, as keyword-only parameters with their annotations evaluated."""
    found: dict[str, inspect.Parameter] = {}
    for name, parameter in _declared(function).items():
        group = _group(parameter)
        if group is None:
            found[name] = parameter
            continue
        hints = typing.get_type_hints(group, include_extras=True)
        for field in dataclasses.fields(group):
            default = getattr(parameter.default, field.name)
            found[field.name] = parameter.replace(name=field.name, annotation=hints[field.name], default=default)
    return MappingProxyType(found)


def type_names(function: Callable[..., Any]) -> dict[str, str]:
    """The type of each key as the file spells it: {"data": "Input", "limit": "Count | None"}."""
    found: dict[str, Any] = {}
    for name, parameter in _declared(function).items():
        group = _group(parameter)
        fields = dataclasses.fields(group) if group else ()
        written = {name: inspect.signature(function).parameters[name].annotation}
        found |= {field.name: field.type for field in fields} if group else written
    return {name: kind if isinstance(kind, str) else inspect.formatannotation(kind) for name, kind in found.items()}


def call_arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments to call a stage or part with, from values of its keys; one left out has its default."""
    arguments = dict(values)
    for name, parameter in _declared(function).items():
        if group := _group(parameter):
            given = {field.name for field in dataclasses.fields(group)} & arguments.keys()
            arguments[name] = dataclasses.replace(parameter.default, **{key: arguments.pop(key) for key in given})
    return arguments


@functools.cache
def _declared(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters as they are written, annotations evaluated."""
    found = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    holder = type("holder", (), {"__annotations__": {name: p.annotation for name, p in found.items()}})
    module = sys.modules.get(function.__module__)
    hints = typing.get_type_hints(holder, globalns=vars(module) if module else None, include_extras=True)
    return {name: parameter.replace(annotation=hints[name]) for name, parameter in found.items()}


def _group(parameter: inspect.Parameter) -> Any:
    """The dataclass behind an annotation Keys[...], or None."""
    origin, *extras = typing.get_args(parameter.annotation) or [None]
    return origin if any(isinstance(extra, KeysOf) for extra in extras) else None
