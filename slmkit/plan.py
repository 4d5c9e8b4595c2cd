"""From a recipe's name to the steps that make it: the whole graph bound, each step with its content-addressed key.

A key is a hash over the stage, its arguments, the keys of input runs, the content of input files and models, the seed,
and the source of the stage, of every part bound into it and of the libraries they import. Profile, device, versions
and git commit are recorded in the run, not hashed: they do not change what was asked.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import json
import platform
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit import names
from slmkit.bind import Call, Fill, Part, Reference, bind, parts_in, plain, stage_of
from slmkit.errors import SlmkitError
from slmkit.recipe import Recipe, cuda_is_there, load_profile, load_recipe, read_yaml, shown
from slmkit.signature import parameters

RUNS = Path("runs")
ANSWERS = ".answers"  # in it: what systems answered, for other runs that ask the same
_NOT_HASHED = ("device", "report_to")  # recorded only: the answer asked for is the same
_PRICE = "price_per_"  # so begin the parameters that say what an endpoint's tokens cost
_WHOLE_MODEL_FILE = 64 * 2**20  # larger weight files are hashed by size, first and last MiB


@dataclass
class Step:
    """One recipe of the graph with its key and the folder its run has, or will have."""

    call: Call
    key: str
    inputs: list[dict[str, Any]] = field(default_factory=list)  # lineage rows: parameter, name, kind, key or sha256

    @property
    def name(self) -> str:
        return self.call.name

    @property
    def dir(self) -> Path:
        return RUNS / self.name / self.key

    @property
    def state(self) -> str:
        """ "done", "unfinished" (a resumable folder, or a done one that lost a file) or "new"."""
        if is_whole(self.dir):
            return "done"
        return "unfinished" if self.dir.is_dir() else "new"


@dataclass
class Plan:
    """The steps of a graph, inputs first; the last one is what was asked for."""

    steps: list[Step]
    profile: str
    seed: int
    given: dict[str, Any]  # what the command line set
    breaks: bool = False  # whether the target is the recipe with its `breaks`

    @property
    def target(self) -> Step:
        return self.steps[-1]

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def to_run(self, *, force: bool = False) -> list[Step]:
        """The steps still to be run: the target unless it is done, and what those steps read that is not done."""
        wanted: set[str] = set()

        def want(step: Step, forced: bool) -> None:
            if step.name in wanted or (step.state == "done" and not forced):
                return
            wanted.add(step.name)
            for row in step.inputs:
                if row["kind"] == "recipe":
                    want(self.step(row["name"]), False)

        want(self.target, force)
        return [step for step in self.steps if step.name in wanted]


def make_plan(
    name: str, *, given: Mapping[str, Any] | None = None, profile: str = "auto", seed: int = 0, breaks: bool = False
) -> Plan:
    """Binds a recipe and every recipe it reads; nothing is run.

    given: key=value of the command line. A key sets that parameter in every recipe of the graph that has it, except
    where the value there is itself a recipe that takes the key (`data=FILE` reaches `prepare`, not `train`). Inside
    parts an undotted key fills what the recipe leaves unset; a dotted one (systems.rag.top_k=3) sets exactly there.
    Raises: SlmkitError for any mistake in any recipe of the graph, for circles, and for keys that nothing takes.
    """
    profile, profile_layer = load_profile(profile)
    builder = _Builder(dict(given or {}), profile, profile_layer, seed)
    builder.add(name, (), breaks)
    builder.refuse_unused()
    return Plan(builder.steps, profile, seed, dict(given or {}), breaks)


def bind_one(name: str, *, profile: str = "auto") -> tuple[Call, str]:
    """One recipe bound, with its profile's name; what it reads is neither bound nor hashed."""
    profile, profile_layer = load_profile(profile)
    return _Builder({}, profile, profile_layer, 0).bind(name), profile


def find_mistakes(recipes: Sequence[str], *, profile: str) -> dict[str, SlmkitError]:
    """The mistake of each recipe that has one, in itself or in what it reads; what several read is bound once."""
    profile, profile_layer = load_profile(profile)
    builder = _Builder({}, profile, profile_layer, 0)
    mistakes = {}
    for name in recipes:
        try:
            builder.add(name, ())
        except SlmkitError as error:
            mistakes[name] = error
    return mistakes


class _Builder:
    def __init__(self, given: dict[str, Any], profile: str, profile_layer: Any, seed: int) -> None:
        self.given, self.profile, self.profile_layer, self.seed = given, profile, profile_layer, seed
        self.steps: list[Step] = []
        self.files: dict[str, Path] = {}  # the recipe of each name
        self.used: set[str] = set()
        self.known: set[str] = set()  # every parameter name seen, for suggestions

    def add(self, asked: str, above: tuple[str, ...], breaks: bool = False) -> Step:
        name, path = names.find_recipe(asked)
        known = self.files.setdefault(name, path)
        if not known.samefile(path):
            where = f"{shown(path)} and {shown(known)}"
            raise SlmkitError(f"two recipes here are called {name!r}", where=where, fix="rename one of the files")
        if name in above:
            circle = " -> ".join([*above[above.index(name) :], name])
            where, fix = shown(self.files[above[-1]]), "break one of the links"
            if key := next((key for key, value in self.given.items() if value == asked), None):
                where = f"command line: {key}={asked}"
                fix = f"{key} is set in every recipe that has it: give the one place, such as system.{key}={asked}"
            raise SlmkitError(f"recipes read each other in a circle: {circle}", where=where, fix=fix)
        for step in self.steps:
            if step.name == name:
                return step
        call = self.bind(asked, breaks)
        rows = []
        for parameter, reference in call.references():
            inner = self.add(reference.name, (*above, name)) if reference.kind == "recipe" else None
            rows.append(_lineage_row(parameter, reference, inner))
        step = Step(call, self._key(call, rows), rows)
        self.steps.append(step)
        return step

    def bind(self, name: str, breaks: bool = False) -> Call:
        """One recipe checked against its stage, those it reads left alone."""
        recipe = load_recipe(name, profile=self.profile, breaks=breaks)
        self._apply_given(recipe)
        command = Fill({k: v for k, v in self.given.items() if "." not in k}, lambda _: "command line")
        profile = Fill(self.profile_layer.value, lambda key: self.profile_layer.lines[(key,)])
        call = bind(recipe, [command, profile])
        self.used |= command.used
        self.known |= {key for _, part in parts_in(call.arguments) for key in part.arguments} | set(call.arguments)
        return call

    def _apply_given(self, recipe: Recipe) -> None:
        known = parameters(stage_of(recipe))
        for key, value in self.given.items():
            first, *rest = key.split(".")
            if first not in known:
                continue
            current = recipe.layer.value["with"].get(first)
            if (
                not rest
                and isinstance(current, str)
                and names.find("recipes", current)
                and self._takes(current, first)
            ):
                continue
            recipe.layer.set(("with", first, *rest), value, "command line")
            self.used.add(key)

    def _takes(self, name: str, key: str, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a recipe, or one it reads, has a parameter of that name."""
        if name in seen:
            return False
        recipe = load_recipe(name, profile=self.profile)
        if key in parameters(stage_of(recipe)):
            return True
        read = [value for value in recipe.layer.value["with"].values() if isinstance(value, str)]
        return any(names.find("recipes", value) and self._takes(value, key, seen | {name}) for value in read)

    def refuse_unused(self) -> None:
        for key in self.given:
            if key not in self.used:
                first = key.split(".")[0]
                what = f"no recipe here has a key {first!r}"
                fix = names.suggest(first, self.known, "`slmkit show NAME` prints the keys of a recipe")
                if key in ("seed", "profile"):
                    fix = f"it is an option: --{key} {self.given[key]}"
                raise SlmkitError(what, where=f"command line: {key}={self.given[key]}", fix=fix)

    def _key(self, call: Call, rows: list[dict[str, Any]]) -> str:
        contents = {row["parameter"]: _content(row) for row in rows}
        asked = {
            "stage": call.recipe.stage,
            "arguments": _without_references({k: v for k, v in call.arguments.items() if k not in _NOT_HASHED}),
            "contents": contents,
            "seed": self.seed,
            "source": source_hash(call.function, call.arguments),
        }
        return _hash(asked)


def _lineage_row(parameter: str, reference: Reference, step: Step | None) -> dict[str, Any]:
    row: dict[str, Any] = {"parameter": parameter, "name": reference.name, "kind": reference.kind}
    if step is not None:
        return {**row, "key": step.key, "dir": str(step.dir)}
    if reference.path is not None:
        row |= {"path": str(reference.path), "sha256": content_hash(reference.path, sample=reference.is_model)}
    return row


def part_key(step: Step, place: str, part: Part, *, seed: int) -> str:
    """A hash of all that the work of one part of a step depends on: options, what it reads, code, and the machine.

    Prices change no answer, but where there are some a server must tell its tokens.
    """
    arguments = {k: v for k, v in part.arguments.items() if not k.startswith(_PRICE)}
    return _hash(
        {
            "part": part.name,
            "arguments": _without_references(arguments),
            "has_prices": any(v for k, v in part.arguments.items() if k.startswith(_PRICE)),
            "machine": [platform.node(), cuda_is_there()],
            "contents": {
                row["parameter"].removeprefix(place): _content(row)
                for row in step.inputs
                if row["parameter"].startswith(f"{place}.")
            },
            "seed": seed,
            "source": source_hash(part.function, part.arguments),
        }
    )


def _hash(asked: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:12]


def _content(row: Mapping[str, Any]) -> str:
    """What of an input decides the result; of a single file also its suffix, by which it is read."""
    path = Path(row.get("path", ""))
    suffix = path.suffix.lower() if path.is_file() else ""
    return str(row.get("key") or row.get("sha256") or row["name"]) + suffix


def _without_references(value: Any) -> Any:
    """Plain arguments in which what is read is left out, since its content is hashed instead of its name."""
    if isinstance(value, Reference):
        return "(read)"
    if isinstance(value, dict):
        return {key: _without_references(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_references(inner) for inner in value]
    if isinstance(value, Part):
        kept = {k: v for k, v in value.arguments.items() if k not in _NOT_HASHED}
        return {"use": value.name, **_without_references(kept)}
    if _is_own_folder(value):  # such as an embedder: trained anew, it is another one under the same name
        return f"{value} {content_hash(Path(value), sample=True)}"
    return plain(value)


def _is_own_folder(value: Any) -> bool:
    """Whether a text names a folder by a path."""
    is_path = isinstance(value, str) and "/" in value and len(value) < 256 and value.isprintable()
    return is_path and Path(value).is_dir()


def content_hash(path: Path, *, sample: bool = False) -> str:
    """sha256 of a file, or of a folder's sorted relative names and contents, hidden ones left out.

    Modification times never count.
    sample=True (models): files over 64 MiB count by size, first and last MiB, so that 10 GB cost nothing.
    """
    if path.is_file():
        return _file_hash(path, sample)
    digest = hashlib.sha256()
    for inner in sorted(p.relative_to(path) for p in path.rglob("*") if p.is_file()):
        if not any(part.startswith(".") for part in inner.parts):
            digest.update(f"{inner.as_posix()}\0{_file_hash(path / inner, sample)}\n".encode())
    return digest.hexdigest()


def _file_hash(path: Path, sample: bool) -> str:
    stat = path.stat()
    return _hash_once(path.absolute(), stat.st_size, stat.st_mtime_ns, sample)


@functools.cache
def _hash_once(path: Path, size: int, modified: int, sample: bool) -> str:
    """Within one process a file that several recipes read is hashed once; `modified` only guards that."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        if sample and size > _WHOLE_MODEL_FILE:
            digest.update(str(size).encode() + file.read(2**20))
            file.seek(-(2**20), 2)
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def source_hash(called: Callable[..., Any], arguments: Mapping[str, Any]) -> str:
    """A hash of the files whose code decides the result: what is called, parts in it, and the modules they import."""
    files: set[Path] = set()
    for function in [called, *(part.function for _, part in parts_in(dict(arguments)))]:
        files |= _imported(Path(inspect.getfile(function)))
    digest = hashlib.sha256()
    for path in sorted(files):
        digest.update(f"{path.name}\0{_file_hash(path, sample=False)}\n".encode())
    return digest.hexdigest()


# The kernel decides how things run, not what comes out: a nicer progress bar must not make every run stale.
_KERNEL = {
    "bind", "charts", "checker", "cli", "commands", "console", "curriculum", "errors", "launch", "names", "places",
    "plan", "recipe", "report", "run", "runner", "signature", "summary", "types",
}  # fmt: skip


# An import statement, also inside functions. Read as text: parsing every file would cost a third of a second at each
# start.
_IMPORT = re.compile(r"^[ \t]*(?:from ([\w.]+) import (\([^)]*\)|[^\n#]*)|import ([^\n#]+))", re.MULTILINE)


@functools.cache
def _imported(path: Path) -> frozenset[Path]:
    """A file and what it imports of slmkit's libraries and of the user's own modules, at any depth."""
    found, todo = {path}, [path]
    while todo:
        for file in _imports_of(todo.pop()):
            if file not in found:
                found.add(file)
                todo.append(file)
    return frozenset(found)


@functools.cache
def _imports_of(path: Path) -> frozenset[Path]:
    files = set()
    for package, imported, modules in _IMPORT.findall(path.read_text(encoding="utf-8", errors="replace")):
        inner = [f"{package}.{name}" for name in re.findall(r"\w+", imported)]
        for module in (package, *inner) if package else re.findall(r"[\w.]+", modules):
            files.add(_library_file(module) or _own_file(module, path.parent))
    return frozenset(file for file in files if file is not None)


def _own_file(module: str, folder: Path) -> Path | None:
    """A module of the user: beside the file that imports it, or from the working directory as `python -m` finds it."""
    steps = [step for step in module.split(".") if step]
    if not steps or steps[0] == "slmkit" or folder.is_relative_to(names.PACKAGE):
        return None
    files = [root.joinpath(*steps).with_suffix(".py") for root in (folder, Path.cwd())]
    return next((file for file in files if file.is_file()), None)


@functools.cache
def _library_file(module: str) -> Path | None:
    steps = module.split(".")
    if steps[0] != "slmkit" or len(steps) < 2 or steps[1] in _KERNEL:
        return None
    path = names.PACKAGE.joinpath(*steps[1:])
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def read_result(folder: Path) -> dict[str, Any] | None:
    """result.json of a run; None where there is none, or where it or recipe.json cannot be read."""
    return read_json(folder / "result.json") if read_json(folder / "recipe.json") is not None else None


def read_json(path: Path) -> dict[str, Any] | None:
    """A record of a run; None where it is missing or damaged."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def is_whole(folder: Path) -> bool:
    """Whether a run is done and still has every file it had then, each of the same size; added files do not matter."""
    files = (read_result(folder) or {}).get("files")
    return isinstance(files, dict) and files.items() <= files_of(folder).items()


def files_of(folder: Path) -> dict[str, int]:
    """The files a stage left in its run, with their sizes: tables, figures, models; not the records about them."""
    paths = [p for p in sorted(folder.rglob("*")) if p.is_file() and not p.name.startswith(".")]
    sizes = {p.relative_to(folder).as_posix(): p.stat().st_size for p in paths}
    return {name: size for name, size in sizes.items() if name not in _RECORDS}


_RECORDS = ("recipe.json", "result.json", "report.html", "error.txt")


def find_run(text: str) -> Path:
    """The folder of a run given as a path, as "loop/train" (its newest, see `rank`), or as the start of a key."""
    path = Path(text)
    if (path / "recipe.json").is_file():
        return path
    found = sorted((p.parent for p in RUNS.rglob("recipe.json")), key=_changed)
    if of_name := [folder for folder in found if folder.parent == RUNS / text]:
        return max(of_name, key=rank)
    if of_key := [folder for folder in found if folder.name.startswith(text)]:
        return of_key[-1]
    options = sorted({folder.parent.relative_to(RUNS).as_posix() for folder in found})
    fix = names.suggest(text, options, "`slmkit report` lists all runs")
    raise SlmkitError(f"no run {text!r} under {RUNS}/", fix=fix)


def rank(folder: Path) -> tuple[bool, bool, float]:
    """Sorts the runs of a recipe, last the one its name means: not made by --break, done, the newest."""
    record = read_json(folder / "recipe.json") or {}
    return not record.get("broken"), read_result(folder) is not None, _changed(folder)


def _changed(folder: Path) -> float:
    return (folder / "recipe.json").stat().st_mtime


def lineage(folder: Path) -> dict[str, Any]:
    """A run with all it was made from, recursively; "unchanged": a raw file still has the hash it had then."""
    recipe = read_json(folder / "recipe.json")
    if recipe is None:
        raise SlmkitError("the run's recipe.json cannot be read", where=str(folder), fix="run its recipe again")
    metrics = (read_result(folder) or {}).get("metrics")
    inputs = []
    for row in recipe["inputs"]:
        made = Path(row["dir"]) if row["kind"] == "recipe" else None
        if made is not None and read_json(made / "recipe.json") is not None:
            inputs.append({**row, "run": lineage(made)})
        else:
            path = Path(row["path"]) if row.get("path") else None
            now = content_hash(path, sample=row["kind"] == "model") if path is not None and path.exists() else None
            inputs.append({**row, "unchanged": now == row.get("sha256") if now else None, **_frozen_from(path)})
    kept = {key: recipe[key] for key in ("name", "key", "stage", "profile", "seed", "with", "command", "started")}
    return {**kept, "dir": str(folder), "done": metrics is not None, "metrics": metrics, "inputs": inputs}


def _frozen_from(path: Path | None) -> dict[str, Any]:
    """The raw files of a gold set that was frozen from some, as its card names them, and their hash."""
    card = path / "card.yaml" if path else None
    values = read_yaml(card).value if card and card.is_file() else {}
    if not values.get("source_sha256"):
        return {}
    return {"frozen_from": {"source": values.get("source"), "sha256": values["source_sha256"]}}


def clear_run(folder: Path) -> None:
    """Deletes all of a run but its lock; result.json goes first, so that what a kill leaves is not called done."""
    (folder / "result.json").unlink(missing_ok=True)
    for inner in folder.iterdir():
        if inner.is_dir() and not inner.is_symlink():
            shutil.rmtree(inner)
        elif inner.name != ".lock":
            inner.unlink()


def remove_run(folder: Path) -> None:
    """Deletes a run's folder."""
    clear_run(folder)
    shutil.rmtree(folder)
