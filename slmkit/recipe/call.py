"""A call: a stage with its validated arguments, the inputs it reads, and the parts bound into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.recipe.load_recipe import Recipe
from slmkit.recipe.signature import call_arguments
from slmkit.types import ModelRef


@dataclass
class Call:
    """A stage with its validated arguments."""

    recipe: Recipe
    function: Callable[..., Any]
    arguments: dict[str, Any]  # plain values, References and Parts
    origins: dict[str, str]  # "systems.rag.top_k" -> "recipes/loop/compare.yaml:12"

    @property
    def name(self) -> str:
        return self.recipe.name

    def references(self) -> list[tuple[str, Reference]]:
        """Every Reference in the arguments with its dotted key."""
        return [(at, inner) for at, inner in _walk(self.arguments, "") if isinstance(inner, Reference)]


@dataclass(frozen=True)
class Reference:
    """An input: the run of another recipe, a file or folder, or a model by card, hub id or folder."""

    kind: str  # "recipe", "file", "model"
    name: str  # as the user wrote it
    path: Path | None = None  # of a file, a folder, or a local model
    is_model: bool = False


class Part:
    """A metric, retriever or system with its keyword-only arguments bound; call it with the positional ones."""

    def __init__(self, folder: str, name: str, function: Callable[..., Any], arguments: dict[str, Any]) -> None:
        self.folder, self.name, self.function, self.arguments = folder, name, function, arguments
        self.options: dict[str, Any] = {}  # those set in the YAML
        self.key = ""  # a hash of everything its output depends on; set before the stage runs

    @property
    def label(self) -> str:
        """The name with the options the recipe sets, so that two uses of one part have different labels."""
        options = ", ".join(f"{key}={_brief(value)}" for key, value in self.options.items())
        return f"{self.name}({options})" if options else self.name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **call_arguments(self.function, self.arguments), **kwargs)


def resolve(value: Any, folder_of: Callable[[str], Path]) -> Any:
    """The arguments the stage is called with: references become Paths and ModelRefs, inside parts too."""
    if isinstance(value, Reference):
        if value.kind == "recipe":
            folder = folder_of(value.name)
            return ModelRef(value.name, str(folder)) if value.is_model else folder
        if value.is_model:
            return ModelRef(value.name, str(value.path) if value.path else value.name)
        return value.path
    if isinstance(value, Part):
        part = Part(value.folder, value.name, value.function, resolve(value.arguments, folder_of))
        part.options, part.key = value.options, value.key
        return part
    if isinstance(value, list):
        return [resolve(inner, folder_of) for inner in value]
    if isinstance(value, dict):
        return {key: resolve(inner, folder_of) for key, inner in value.items()}
    return value


def plain(value: Any) -> Any:
    """The arguments as JSON values, for recipe.json and `slmkit show`."""
    if isinstance(value, Reference):
        return value.name
    if isinstance(value, Part):
        return {"use": value.name, **{key: plain(inner) for key, inner in value.arguments.items()}}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    return value


def parts_in(value: Any) -> Iterator[tuple[str, Part]]:
    """Every part inside the arguments with its dotted key."""
    return ((at, inner) for at, inner in _walk(value, "") if isinstance(inner, Part))


def _walk(value: Any, at: str) -> Iterator[tuple[str, Part | Reference]]:
    """Every part and reference inside a value with its dotted key; keys inside a part begin with the part's key."""
    if isinstance(value, Part | Reference):
        yield at, value
    inner = value.arguments if isinstance(value, Part) else value
    if isinstance(inner, dict):
        for key, one in inner.items():
            yield from _walk(one, f"{at}.{key}" if at else str(key))
    elif isinstance(inner, list):
        for i, one in enumerate(inner):
            yield from _walk(one, f"{at}[{i}]")


def _brief(value: Any) -> str:
    if isinstance(value, Mapping):
        inner = ", ".join(f"{key}={_brief(one)}" for key, one in value.items() if key != "use")
        return f"{value.get('use', '')}({inner})" if inner else str(value.get("use", ""))
    return str(value)
