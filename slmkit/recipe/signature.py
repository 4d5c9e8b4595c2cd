"""Reads the keys of a stage or part from its signature, and turns their values back into arguments.

The keyword-only parameters of a stage are its keys. A parameter annotated `Keys[Group]` has the fields of that
dataclass, each of which is a key of the stage; their defaults come from the parameter's default.
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

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@functools.cache
def check_signature(function: Callable[..., Any], *, is_stage: bool) -> None:
    """Refuses a signature that no recipe can call. A stage takes exactly one positional parameter, the run."""
    where, name = source_location(function), getattr(function, "__name__", "it")
    try:
        keys = _declared(function)
        parameters(function)
    except (NameError, TypeError, AttributeError, ValueError) as error:
        fix = "import the types it names, and give each Keys[…] parameter a default"
        raise SlmkitError(f"cannot read the signature of {name}: {error}", where=where, fix=fix) from None
    for key, parameter in keys.items():
        if parameter.annotation is inspect.Parameter.empty:
            fix = f"add its type, for example `{key}: int = 1`"
            raise SlmkitError(f"key {key!r} of {name} has no type", where=where, fix=fix)
    if variadic := [p for p in inspect.signature(function).parameters.values() if p.kind in _VARIADIC]:
        what = f"{name} takes {variadic[0]}, which a recipe cannot set"
        raise SlmkitError(what, where=where, fix="declare each key after the star: *, key: int = 1")
    positional = [p.name for p in inspect.signature(function).parameters.values() if p.kind in _POSITIONAL]
    if is_stage and len(positional) != 1:
        what = f"a stage takes one positional parameter, the run; {name} takes {', '.join(positional) or 'none'}"
        raise SlmkitError(what, where=where, fix=f"def {name}(run, *, key: int = 1): declare keys after the star")


def source_location(function: Callable[..., Any]) -> str:
    """The file and line where a function is defined."""
    code = getattr(inspect.unwrap(function), "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else ""


@functools.cache
def parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """The keys of a stage or part, as keyword-only parameters with evaluated annotations."""
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
    """The type of each key as written in the source: {"data": "Input", "limit": "PositiveInt | None"}."""
    found: dict[str, Any] = {}
    for name, parameter in _declared(function).items():
        group = _group(parameter)
        fields = dataclasses.fields(group) if group else ()
        source = {name: inspect.signature(function).parameters[name].annotation}
        found |= {field.name: field.type for field in fields} if group else source
    return {name: kind if isinstance(kind, str) else inspect.formatannotation(kind) for name, kind in found.items()}


def call_arguments(function: Callable[..., Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments for these values of a stage's or part's keys; missing keys keep their default."""
    arguments = dict(values)
    for name, parameter in _declared(function).items():
        if group := _group(parameter):
            own = {field.name for field in dataclasses.fields(group)} & arguments.keys()
            arguments[name] = dataclasses.replace(parameter.default, **{key: arguments.pop(key) for key in own})
    return arguments


@functools.cache
def _declared(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """The keyword-only parameters with evaluated annotations; groups are not expanded."""
    found = {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }
    if dataclasses.is_dataclass(function):  # its fields may be declared in several modules
        hints = typing.get_type_hints(function, include_extras=True)
    else:
        holder = type("holder", (), {"__annotations__": {name: p.annotation for name, p in found.items()}})
        module = sys.modules.get(function.__module__)
        hints = typing.get_type_hints(holder, globalns=vars(module) if module else None, include_extras=True)
    return {name: parameter.replace(annotation=hints[name]) for name, parameter in found.items()}


def _group(parameter: inspect.Parameter) -> Any:
    """The dataclass behind an annotation Keys[...], or None."""
    origin, *extras = typing.get_args(parameter.annotation) or [None]
    return origin if any(isinstance(extra, KeysOf) for extra in extras) else None
