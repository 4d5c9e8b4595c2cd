"""A recipe is one YAML file: it names a stage and gives its arguments. Here it is read and its layers are merged.

signature default < profile < base < recipe < its `profiles.<name>` < command line. Mappings merge, all else replaces.
Each value keeps its origin (file and line), so that `slmkit show` and every error can say where it came from.
YAML is read as 1.2: `on` and `12:30` are text, `2e-4` is a number.
"""

from __future__ import annotations

import datetime
import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit import names
from slmkit.errors import SlmkitError, file_error

Place = tuple[str | int, ...]  # where a value stands: ("with", "systems", "rag", "top_k")

KEYS = (
    "title", "teaches", "source", "seeds", "lesson", "base", "stage", "with", "sweep", "expect", "breaks", "honest",
    "profiles",
)  # fmt: skip


@dataclass
class Layer:
    """A YAML value and the file and line of each place in it."""

    value: Any
    lines: dict[Place, str] = field(default_factory=dict)

    def where(self, place: Place) -> str:
        """ "file:line: a.b.c" of a place, or of the nearest enclosing one that has a line."""
        at = place
        while at and at not in self.lines:
            at = at[:-1]
        dotted = ".".join(str(step) for step in place)
        return f"{self.lines[at]}: {dotted}" if at in self.lines else dotted

    def at(self, place: Place) -> Any:
        """What stands at a place; None where nothing does."""
        value = self.value
        for step in place:
            if isinstance(value, list) and isinstance(step, int) and step < len(value):
                value = value[step]
            else:
                value = value.get(step) if isinstance(value, dict) else None
        return value

    def merge(self, over: Layer) -> None:
        """Lays another layer on top of this one."""
        self.value = self._merged(self.value, over.value, (), over)

    def set(self, place: Place, value: Any, origin: str) -> None:
        """Puts one value at a place; a part given by name only becomes a mapping first."""
        target = self.value
        for step, at in zip(place[:-1], (place[: i + 1] for i in range(len(place))), strict=False):
            if isinstance(target.get(step), str):
                target[step] = {"use": target[step]}
            elif not isinstance(target.get(step), dict):
                target[step] = {}
            self.lines.setdefault(at, origin)
            target = target[step]
        self._forget(place)
        target[place[-1]] = value
        self.lines[place] = origin

    def _merged(self, low: Any, high: Any, place: Place, over: Layer) -> Any:
        same_part = (
            isinstance(low, dict) and isinstance(high, dict) and low.get("use") == high.get("use", low.get("use"))
        )
        if not same_part:
            self._forget(place)
            self.lines |= {at: line for at, line in over.lines.items() if at[: len(place)] == place}
            return high
        merged = dict(low)
        for key, value in high.items():
            merged[key] = self._merged(low.get(key), value, (*place, key), over)
        return merged

    def _forget(self, place: Place) -> None:
        self.lines = {at: line for at, line in self.lines.items() if at[: len(place)] != place}


@dataclass
class Recipe:
    """A recipe with base and profile laid in; `layer.value["with"]` holds the arguments it gives."""

    name: str
    path: Path
    layer: Layer
    profile: str

    def get(self, key: str, default: Any = None) -> Any:
        return self.layer.value.get(key, default)

    @property
    def stage(self) -> str:
        return str(self.layer.value["stage"])


def load_recipe(name: str, *, profile: str, breaks: bool = False) -> Recipe:
    """Reads a recipe, its base, and what it says for the profile; breaks=True lays `breaks.with` on top."""
    name, path = names.find_recipe(name)
    own = read_yaml(path)
    _check_keys(own)
    layer = Layer({"with": {}})
    if base := own.value.get("base"):
        base_path = names.find("configs/bases", str(base))
        if base_path is None:
            there = names.names("configs/bases")
            fix = names.suggest(str(base), there, f"write configs/bases/{base}.yaml: what several recipes share")
            raise SlmkitError(f"unknown base {base!r}", where=own.where(("base",)), fix=fix)
        base_layer = read_yaml(base_path)
        _check_keys(base_layer)
        for key in ("base", "profiles", "breaks"):
            if key in base_layer.value:
                where = base_layer.where((key,))
                raise SlmkitError(f"a base has no {key!r}", where=where, fix="write it in the recipe")
        layer.merge(base_layer)
    layer.merge(own)
    if special := _inner(own, ("profiles", profile)):
        layer.merge(special)
    _check_red(layer)
    if breaks:
        broken = _inner(own, ("breaks",))
        if broken is None:
            raise SlmkitError(
                f"recipe {name!r} has no `breaks`", where=shown(path), fix="add `breaks: {with: …, red: […]}`"
            )
        layer.merge(Layer({"with": broken.value.get("with") or {}}, broken.lines))
    if not layer.value.get("stage"):
        raise SlmkitError(
            "the recipe names no stage", where=shown(path), fix="add `stage: sft`, or a `base:` that has one"
        )
    return Recipe(name, path, layer, profile)


def load_profile(name: str) -> tuple[str, Layer]:
    """The scale words of a profile; "auto" is gpu where CUDA is there, else tiny."""
    if name == "auto":
        name = "gpu" if cuda_is_there() else "tiny"
    path = names.find("configs/profiles", name)
    if path is None:
        raise SlmkitError(f"unknown profile {name!r}", fix=names.suggest(name, names.names("configs/profiles")))
    return name, read_yaml(path)


def cuda_is_there() -> bool:
    """Whether a CUDA driver answers, asked without importing torch (seconds)."""
    import ctypes

    for library in ("libcuda.so.1", "nvcuda.dll"):
        try:
            driver = ctypes.CDLL(library)
        except OSError:
            continue
        count = ctypes.c_int(0)
        return driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0
    return False


def read_yaml(path: Path) -> Layer:
    """A YAML file as plain values with the line of each place; must be a mapping."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise SlmkitError(f"not UTF-8: {error.reason}", where=shown(path), fix="save the file as UTF-8") from None
    except OSError as error:
        raise file_error(error) or error from None
    layer = _parsed(text, shown(path))
    return Layer(_copied(layer.value), dict(layer.lines))  # layers are laid on top of each other in place


@functools.lru_cache(maxsize=512)
def _parsed(text: str, file: str) -> Layer:
    """The layer of a file's text: a check of all recipes reads a profile, or an input of many, again and again."""
    from ruamel.yaml.error import YAMLError

    lines: dict[Place, str] = {}
    try:
        value = _yaml_value(text, lines, file)
    except (ValueError, KeyError) as error:  # 2024-13-45 looks like a date, and is none; !!bool maybe
        fix = "put what looks like a date in quotes, and write no tags"
        raise SlmkitError(f"not valid YAML: {error}", where=file, fix=fix) from None
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        where = f"{file}:{mark.line + 1}" if mark else file
        problem = getattr(error, "problem", None) or getattr(error, "context", None) or str(error).splitlines()[0]
        raise SlmkitError(f"not valid YAML: {problem}", where=where, fix=_yaml_fix(error)) from None
    except RecursionError:
        raise SlmkitError("not valid YAML: too deeply nested", where=file, fix="write it flatter") from None
    if not isinstance(value, Mapping):
        found = "nothing" if value is None else type(value).__name__
        raise SlmkitError(f"a mapping of keys was expected, found {found}", where=f"{file}:1", fix="see `slmkit show`")
    return Layer(value, lines)


def _copied(value: Any) -> Any:
    """As copy.deepcopy, which takes sixteen times as long for plain values."""
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def read_value(text: str) -> Any:
    """A value typed on the command line: 2e-4, true, null, [1, 2], {use: bm25} and "3" as YAML, all else as typed."""
    from ruamel.yaml.error import YAMLError

    is_closed = text.strip()[:1] in ("[", "{", '"', "'")  # a list, a mapping or a quoted text, whatever is in it
    if not is_closed and re.search(r"[\s#]", text.strip()):  # a sentence, not a comment, a block or two lines
        return text
    try:
        value = _yaml_value(text, {}, "")
    except (*_UNREADABLE, SlmkitError, YAMLError):  # 2024-13-45 looks like a date, !important like a tag
        return text
    is_null = text.strip().lower() in ("null", "~")
    return value if is_closed or is_null or isinstance(value, bool | int | float) else text


def _yaml_value(text: str, lines: dict[Place, str], file: str) -> Any:
    """The plain value of a YAML 1.2 text; fills `lines`."""
    from ruamel.yaml import YAML

    yaml = YAML(typ="safe", pure=True)
    node = yaml.compose(text)
    if node is None:
        return None
    _note_lines(node, (), lines, file, yaml.constructor)
    return _without_dates(yaml.constructor.construct_document(node))


def _note_lines(node: Any, place: Place, lines: dict[Place, str], file: str, constructor: Any) -> None:
    """Fills `lines` from a node, which knows where it stands, and refuses what no plain value is."""
    if len(place) > _DEEPEST:
        what = f"nested deeper than {_DEEPEST} levels, or an anchor that contains itself"
        raise SlmkitError(what, where=_line(node, file), fix="write it flatter")
    if node.tag not in _PLAIN:
        fix = "write the plain value, in quotes where it begins with ! or ="
        raise SlmkitError("a YAML tag is not allowed in a recipe", where=_line(node, file), fix=fix)
    inside: list[tuple[Any, Any, Any]] = []  # a step, where it begins, what stands there
    if node.id == "sequence":
        inside = [(i, inner, inner) for i, inner in enumerate(node.value)]
    elif node.id == "mapping":
        constructor.flatten_mapping(node)  # <<: *anchor
        if odd := next((key for key, _ in node.value if key.id != "scalar"), None):
            what = "a key must be a word, not a list or a mapping"
            raise SlmkitError(what, where=_line(odd, file), fix="write key: value")
        inside = [(constructor.construct_object(key), key, inner) for key, inner in node.value]
    for step, begin, inner in inside:
        lines[*place, step] = _line(begin, file)
        _note_lines(inner, (*place, step), lines, file, constructor)


def _line(node: Any, file: str) -> str:
    return f"{file}:{node.start_mark.line + 1}"


_UNREADABLE = (ValueError, KeyError, RecursionError)  # what ruamel raises beside its own errors
_DEEPEST = 40
_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp")}


def _without_dates(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_dates(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_dates(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def _check_keys(layer: Layer) -> None:
    """Refuses keys that nothing reads and values of a wrong kind, in every part of a recipe."""
    _check_names(layer, (), KEYS, "a recipe")
    for profile in _mapping(layer, ("profiles",)):
        place: Place = ("profiles", profile)
        if names.find("configs/profiles", str(profile)) is None:
            fix = names.suggest(str(profile), names.names("configs/profiles"))
            raise SlmkitError(f"unknown profile {profile!r}", where=layer.where(place), fix=fix)
        special = _mapping(layer, place)
        _check_names(layer, place, ("with", "expect"), "a profile in a recipe")
        _check_bounds(layer, (*place, "expect"))
        if "with" in special and special["with"] is None:
            special["with"] = {}
    _check_bounds(layer, ("expect",))
    _check_names(layer, ("breaks",), ("with", "red"), "`breaks`")
    if layer.value.get("with") is None:
        layer.value["with"] = {}


def _check_names(layer: Layer, place: Place, known: tuple[str, ...], what: str) -> None:
    """The keys that stand at a place must be known, and what they hold of the right kind."""
    for key, value in _mapping(layer, place).items():
        where = layer.where((*place, key))
        if key not in known:
            raise SlmkitError(f"unknown key {key!r} in {what}", where=where, fix=names.suggest(str(key), known))
        kind = _KINDS.get(key)
        if value is not None and kind and not isinstance(value, kind):
            raise SlmkitError(f"{key!r} cannot be {value!r}", where=where, fix=f"give {_KIND_NAMES[kind]}")


def _mapping(layer: Layer, place: Place) -> dict[Any, Any]:
    """The mapping at a place; none there is an empty one."""
    value = layer.value
    for step in place:
        value = value.get(step)
        if value is None:
            return {}
        if not isinstance(value, dict):
            what = f"{'.'.join(map(str, place))} cannot be {value!r}"
            raise SlmkitError(what, where=layer.where(place), fix=f"give {_KIND_NAMES[dict]}")
    found: dict[Any, Any] = value
    return found


def _check_red(layer: Layer) -> None:
    """What breaks a recipe says what is changed and what must turn red, which is a claim of it."""
    breaks = _mapping(layer, ("breaks",))
    fixes = {"with": "with: {KEY: VALUE}, the idea taken away", "red": "red: [METRIC], a claim of `expect`"}
    for key, fix in fixes.items():
        if breaks and not breaks.get(key):
            raise SlmkitError(f"`breaks` needs {key!r}", where=layer.where(("breaks",)), fix=fix)
    for i, name in enumerate(breaks.get("red") or []):
        if name not in _mapping(layer, ("expect",)):
            what = f"breaks.red names {name!r}, which `expect` does not bound"
            raise SlmkitError(what, where=layer.where(("breaks", "red", i)), fix="add it there")


def _check_bounds(layer: Layer, place: Place) -> None:
    """Refuses a claim that no number can keep, before anything runs."""
    for name, bounds in _mapping(layer, place).items():
        where = layer.where((*place, name))
        if not isinstance(name, str):
            raise SlmkitError(f"no metric is called {name!r}", where=where, fix="name a metric of the run")
        is_pair = isinstance(bounds, list) and len(bounds) == 2
        if not is_pair or any(isinstance(end, bool) or not isinstance(end, int | float | None) for end in bounds):
            raise SlmkitError(f"expect.{name} is {bounds!r}", where=where, fix="give [low, high]; null for no bound")
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise SlmkitError(
                f"expect.{name} is {bounds!r}: the low bound is above the high one",
                where=where,
                fix=f"[{high}, {low}]",
            )


_KINDS: dict[str, Any] = {
    **dict.fromkeys(("with", "sweep", "expect", "lesson", "breaks", "profiles"), dict),
    **dict.fromkeys(("stage", "title"), str),
    "red": list,
}
_KIND_NAMES = {dict: "a mapping (key: value lines)", str: "text", list: "a list: [a, b]"}


def _inner(layer: Layer, place: Place) -> Layer | None:
    """The layer that stands inside another one at a place."""
    value = layer.at(place)
    if not isinstance(value, dict):
        return None
    depth = len(place)
    return Layer(
        value, {at[depth:]: line for at, line in layer.lines.items() if at[:depth] == place and len(at) > depth}
    )


def shown(path: Path) -> str:
    """A path as errors name it: from here, where it lies below."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _yaml_fix(error: Any) -> str:
    if "duplicate key" in str(error):
        return "keep one of the two"
    if "special characters" in str(error):
        return "save it as plain text: a control character stands in it"
    if "another document" in str(error):
        return "keep one document: remove the line --- and what is below it"
    if re.search(r"\btab\b|\\t", str(error)):
        return "indent with spaces, not tabs"
    return "check the indentation, and quote text that holds ': ' or '#'"
