"""Plans a recipe: binds the whole graph of recipes it reads, and gives each step its content-addressed key."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError, shown
from slmkit.recipe import lookup
from slmkit.recipe.bind import Fallback, bind, load_stage
from slmkit.recipe.call import Call, Reference, parts_in
from slmkit.recipe.load_recipe import Recipe, load_profile, load_recipe
from slmkit.recipe.signature import parameters
from slmkit.runs.fingerprint import content_hash, stage_key
from slmkit.runs.store import RUNS, is_complete


@dataclass
class Step:
    """One recipe of the graph with its key and its run folder, which may not exist yet."""

    call: Call
    key: str
    inputs: list[dict[str, Any]] = field(default_factory=list)  # lineage rows of recipe.json

    @property
    def name(self) -> str:
        return self.call.name

    @property
    def dir(self) -> Path:
        return RUNS / self.name / self.key

    @property
    def state(self) -> str:
        """The state "done", "unfinished" (resumable, or done with a missing file) or "new"."""
        if is_complete(self.dir):
            return "done"
        return "unfinished" if self.dir.is_dir() else "new"


@dataclass
class Plan:
    """The steps of a graph, inputs first; the last one is the requested recipe."""

    steps: list[Step]
    profile: str
    seed: int
    overrides: dict[str, Any]  # key=value pairs of the command line
    breaks: bool = False  # the target is run with its `breaks`
    command: str = ""  # the command line that does the same, if the plan was not made by the command line itself

    @property
    def target(self) -> Step:
        return self.steps[-1]

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def to_run(self, *, force: bool = False) -> list[Step]:
        """The steps that must run: the target unless it is done, and their inputs that are not done."""
        needed: set[str] = set()

        def need(step: Step, forced: bool) -> None:
            if step.name in needed or (step.state == "done" and not forced):
                return
            needed.add(step.name)
            for row in step.inputs:
                if row["kind"] == "recipe":
                    need(self.step(row["name"]), False)

        need(self.target, force)
        return [step for step in self.steps if step.name in needed]


def make_plan(
    name: str,
    *,
    overrides: Mapping[str, Any] | None = None,
    profile: str = "auto",
    seed: int = 0,
    breaks: bool = False,
    optional: Collection[str] = (),
) -> Plan:
    """Binds a recipe and every recipe it reads; nothing is run.

    overrides: key=value pairs of the command line. A key sets that parameter in every recipe of the graph that has it,
    except where its value is itself a recipe that takes the key (`data=FILE` reaches `prepare`, not `train`). Inside
    parts, an undotted key fills what the recipe leaves unset; a dotted key (systems.rag.top_k=3) sets only that value.
    optional: keys that are dropped if no recipe accepts them.
    Raises: SlmkitError for a mistake in any recipe of the graph, a cycle, or a key that no recipe accepts.
    """
    profile, profile_layer = load_profile(profile)
    builder = _Builder(dict(overrides or {}), profile, profile_layer, seed)
    builder.add(name, (), breaks)
    for key in optional:
        if key not in builder.used:
            builder.overrides.pop(key, None)
    builder.refuse_unused()
    return Plan(builder.steps, profile, seed, builder.overrides, breaks)


def bind_one(name: str, *, profile: str = "auto") -> tuple[Call, str]:
    """One bound recipe and the name of its profile; its inputs are neither bound nor hashed."""
    profile, profile_layer = load_profile(profile)
    return _Builder({}, profile, profile_layer, 0).bind(name), profile


def find_errors(recipes: Sequence[str], *, profile: str) -> dict[str, SlmkitError]:
    """The error of each recipe that has one, in itself or in its inputs; shared inputs are bound once."""
    profile, profile_layer = load_profile(profile)
    builder = _Builder({}, profile, profile_layer, 0)
    errors = {}
    for name in recipes:
        try:
            builder.add(name, ())
        except SlmkitError as error:
            errors[name] = error
    return errors


class _Builder:
    def __init__(self, overrides: dict[str, Any], profile: str, profile_layer: Any, seed: int) -> None:
        self.overrides, self.profile, self.profile_layer, self.seed = overrides, profile, profile_layer, seed
        self.steps: list[Step] = []
        self.files: dict[str, Path] = {}  # the file of each recipe name
        self.used: set[str] = set()
        self.known: set[str] = set()  # every parameter name seen, for suggestions

    def add(self, reference: str, ancestors: tuple[str, ...], breaks: bool = False) -> Step:
        name, path = lookup.find_recipe(reference)
        first = self.files.setdefault(name, path)
        if not first.samefile(path):
            where = f"{shown(path)} and {shown(first)}"
            raise SlmkitError(f"two recipes are named {name!r}", where=where, fix="rename one of the files")
        if name in ancestors:
            circle = " -> ".join([*ancestors[ancestors.index(name) :], name])
            where, fix = shown(self.files[ancestors[-1]]), "remove one of these links"
            if key := next((key for key, value in self.overrides.items() if value == reference), None):
                where = f"command line: {key}={reference}"
                fix = f"{key} applies to every recipe with that key. Set it in one place: system.{key}={reference}"
            raise SlmkitError(f"circular dependency between recipes: {circle}", where=where, fix=fix)
        for step in self.steps:
            if step.name == name:
                return step
        call = self.bind(reference, breaks)
        rows = []
        for parameter, read in call.references():
            inner = self.add(read.name, (*ancestors, name)) if read.kind == "recipe" else None
            rows.append(_lineage_row(parameter, read, inner))
        step = Step(call, stage_key(call, rows, seed=self.seed), rows)
        self.steps.append(step)
        return step

    def bind(self, name: str, breaks: bool = False) -> Call:
        """One recipe bound to its stage, without its inputs."""
        recipe = load_recipe(name, profile=self.profile, breaks=breaks)
        self._apply_overrides(recipe)
        command = Fallback({k: v for k, v in self.overrides.items() if "." not in k}, lambda _: "command line")
        profile = Fallback(self.profile_layer.value, lambda key: self.profile_layer.lines[(key,)])
        call = bind(recipe, [command, profile])
        self.used |= command.used
        self.known |= {key for _, part in parts_in(call.arguments) for key in part.arguments} | set(call.arguments)
        return call

    def _apply_overrides(self, recipe: Recipe) -> None:
        known = parameters(load_stage(recipe))
        for key, value in self.overrides.items():
            first, *rest = key.split(".")
            if first not in known:
                continue
            current = recipe.layer.value["with"].get(first)
            if (
                not rest
                and isinstance(current, str)
                and lookup.find("recipes", current)
                and self._takes(current, first)
            ):
                continue
            recipe.layer.set(("with", first, *rest), value, "command line")
            self.used.add(key)

    def _takes(self, name: str, key: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a recipe, or one of its inputs, has a parameter of that name."""
        if name in seen:
            return False
        recipe = load_recipe(name, profile=self.profile)
        if key in parameters(load_stage(recipe)):
            return True
        inputs = [value for value in recipe.layer.value["with"].values() if isinstance(value, str)]
        return any(lookup.find("recipes", value) and self._takes(value, key, seen | {name}) for value in inputs)

    def refuse_unused(self) -> None:
        for key in self.overrides:
            if key not in self.used:
                first = key.split(".")[0]
                what = f"no recipe of this run has a key {first!r}"
                names = [step.name for step in self.steps]
                shown = f"`slmkit show {names[-1]}` prints the keys of {names[-1]}"
                fix = lookup.suggest(first, self.known, shown)
                if key in ("seed", "profile"):
                    fix = f"use the option --{key} {self.overrides[key]}"
                raise SlmkitError(what, where=f"command line: {key}={self.overrides[key]}", fix=fix)


def _lineage_row(parameter: str, reference: Reference, step: Step | None) -> dict[str, Any]:
    row: dict[str, Any] = {"parameter": parameter, "name": reference.name, "kind": reference.kind}
    if step is not None:
        return {**row, "key": step.key, "dir": str(step.dir)}
    if reference.path is not None:
        row |= {"path": str(reference.path), "sha256": content_hash(reference.path, sample=reference.is_model)}
    return row
