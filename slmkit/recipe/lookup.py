"""Finds recipes, configs, gold sets, stages and parts by name: first in the working directory, then as shipped.

Parts are listed by reading the files of their folder as text, so that nothing is imported.
"""

from __future__ import annotations

import difflib
import functools
import hashlib
import importlib
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE

PART_KINDS = ("stages", "lessons", "metrics", "retrievers", "systems")  # folders whose functions recipes name


def roots() -> list[Path]:
    """The folders that are searched for recipes/, configs/ and gold/; the first match wins."""
    shipped = PACKAGE / "shipped"
    shipped = shipped if shipped.is_dir() else PACKAGE.parent
    here = Path.cwd()
    return [here] if here == shipped else [here, shipped]


def find(kind: str, name: str) -> Path | None:
    """The file <root>/<kind>/<name>.yaml, or None; /set, ../set and ./set are paths, not names."""
    is_path = Path(name).is_absolute() or ".." in Path(name).parts or Path(name).as_posix() != name
    if is_path:
        return None
    return next((path for root in roots() if (path := root / kind / f"{name}.yaml").is_file()), None)


def named_files(kind: str) -> dict[str, Path]:
    """Every name under <root>/<kind>/ and its file, sorted; "loop/train" is recipes/loop/train.yaml."""
    found: dict[str, Path] = {}
    for root in roots()[::-1]:
        folder = root / kind
        start = len(folder.as_posix()) + 1
        paths = [
            path for path in folder.rglob("[!.]*.yaml") if path.is_file()
        ]  # ".#one.yaml" is a lock file of an editor
        found |= {path.as_posix()[start:].removesuffix(".yaml"): path for path in paths}
    if kind == "recipes":
        found.pop("curriculum", None)  # the curriculum is not a recipe
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """Every name under <root>/<kind>/, sorted."""
    return list(named_files(kind))


def gold_folders() -> dict[str, Path]:
    """The folder of every gold set by name; those in the working directory take precedence."""
    return {card.parent.name: card.parent for root in roots()[::-1] for card in (root / "gold").glob("*/card.yaml")}


def find_recipe(name: str) -> tuple[str, Path]:
    """The name and file of a recipe given as "loop/train" or as a path to a YAML file.

    A file below a folder recipes/ is named relative to it, any other file by its stem.
    """
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if path.is_file():
            absolute = Path(os.path.normpath(path.absolute()))  # no ".." after recipes/
            above = (root / "recipes" for root in roots() if absolute.is_relative_to(root / "recipes"))
            if folder := next(above, None):
                return absolute.relative_to(folder).with_suffix("").as_posix(), path
            here = Path.cwd()
            parts = (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).with_suffix("").parts
            start = max((i + 1 for i, part in enumerate(parts[:-1]) if part == "recipes"), default=len(parts) - 1)
            return "/".join(parts[start:]), path
    elif path_found := find("recipes", name):
        return name, path_found
    searched = ", ".join(str(root / "recipes") for root in roots())
    fix = f"did you mean data={name}?" if Path(name).exists() else suggest(name, names("recipes"))
    raise SlmkitError(f"unknown recipe {name!r}", where=f"searched {searched}", fix=fix)


def as_path(name: str) -> Path:
    """A path as the user typed it; ~ is expanded here because the shell leaves it alone in data=~/rows.csv."""
    return Path(name).expanduser() if name.startswith("~/") else Path(name)


def suggest_file(name: str, *, others: Iterable[str] = ()) -> str:
    """The existing file, or one of the other names, that is nearest to a missing one's, or how paths are resolved."""
    folder = Path(name).parent
    nearby = [str(path) for path in folder.iterdir() if path.exists()] if folder.is_dir() else []
    return suggest(str(Path(name)), [*nearby, *others], "paths are relative to the working directory", listed=0)


def suggest(
    name: str, options: Iterable[str], otherwise: str = "`slmkit ls` prints every name", *, listed: int = 12
) -> str:
    """A "did you mean" for a misspelt name, or the list of options if it has at most `listed`, or `otherwise`."""
    options = sorted(options)
    lower = {option.lower().rpartition("/")[2]: option for option in options[::-1]}  # "train" for "loop/train"
    lower |= {option.lower(): option for option in options[::-1]}
    ours = _ELSEWHERE.get(name.lower(), "")
    group, _, key = ours.rpartition(".")
    if ours and (group or key) in options:
        return f"did you mean {ours!r}?"
    if key in options and key != name:
        return f"did you mean {key!r}?"
    close = [lower[near] for near in difflib.get_close_matches(name.lower(), lower, n=1, cutoff=_NEAR)]
    if close:
        return f"did you mean {close[0]!r}?"
    return f"use one of {', '.join(options)}" if 0 < len(options) <= listed else otherwise


_NEAR = 0.65  # similarity of a misspelt name; at 0.5, "system" would be "steps"

_ELSEWHERE = {  # what other tools, papers and habit call a key -> its name here
    "lr": "learning_rate",
    "epoch": "num_train_epochs",
    "epochs": "num_train_epochs",
    "num_epochs": "num_train_epochs",
    "bs": "per_device_train_batch_size",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "micro_batch_size": "per_device_train_batch_size",
    "steps": "max_steps",
    "iters": "max_steps",
    "grad_accum": "gradient_accumulation_steps",
    "accumulation_steps": "gradient_accumulation_steps",
    "warmup": "warmup_ratio",
    "wd": "weight_decay",
    "max_seq_length": "max_length",
    "max_seq_len": "max_length",
    "seq_len": "max_length",
    "sequence_len": "max_length",
    "cutoff_len": "max_length",
    "max_tokens": "max_new_tokens",
    "max_completion_tokens": "max_new_tokens",
    "n_shots": "num_shots",
    "k": "top_k",
    "r": "lora.r",
    "rank": "lora.r",
    "lora_r": "lora.r",
    "lora_rank": "lora.r",
    "alpha": "lora.lora_alpha",
    "lora_alpha": "lora.lora_alpha",
    "dropout": "lora.lora_dropout",
    "lora_dropout": "lora.lora_dropout",
    "target_modules": "lora.target_modules",
    "lora_target_modules": "lora.target_modules",
    "base_model": "model",
    "model_name": "model",
    "model_name_or_path": "model",
    "dataset": "data",
    "train_file": "data",
    "input_column": "text_column",
    "target_column": "label_column",
}


@functools.cache
def part_files(folder: str) -> dict[str, Path]:
    """The file of every part of slmkit/<folder> by function name; a stage is named like its file."""
    found: dict[str, Path] = {}
    for path in sorted((PACKAGE / folder).glob("[!_]*.py")):
        for name in re.findall(r"^def ([a-zA-Z]\w*)\(", path.read_text(encoding="utf-8"), re.MULTILINE):
            if name == path.stem or folder not in ("stages", "lessons"):
                found[name] = path
    return found


def load_part(folder: str, name: str) -> Callable[..., Any]:
    """The function of a part; "./mine.py:my_metric" names a function in the user's own file."""
    if ":" in name:
        return _load_user_function(name)
    files = part_files(folder)
    if name not in files:
        raise SlmkitError(f"unknown {folder.rstrip('s')} {name!r}", fix=suggest(name, files))
    module = importlib.import_module(f"slmkit.{folder}.{files[name].stem}")
    function: Callable[..., Any] = getattr(module, name)
    return function


def load_stage(name: str) -> Callable[..., Any]:
    """The function of a stage, in slmkit/stages or slmkit/lessons."""
    if ":" not in name and name not in part_files("stages") and name in part_files("lessons"):
        return load_part("lessons", name)
    if ":" not in name and name not in part_files("stages"):
        options = [*part_files("stages"), *part_files("lessons")]
        raise SlmkitError(f"unknown stage {name!r}", fix=suggest(name, options))
    return load_part("stages", name)


def first_line(path: Path, function: str) -> str:
    """The first docstring line of a function, read as text: parsing every file would double the time of `ls`."""
    _, _, after = path.read_text(encoding="utf-8").partition(f"\ndef {function}(")
    return after.partition('"""')[2].partition("\n")[0].removesuffix('"""')


def _load_user_function(name: str) -> Callable[..., Any]:
    file, _, function = name.rpartition(":")
    path = Path(file)
    if not path.is_file():
        raise SlmkitError(f"no file {file!r} for {name!r}", fix="the path is relative to the working directory")
    module = _load_user_module(path.resolve(), path.read_bytes())
    found = getattr(module, function, None)
    if not callable(found):
        options = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise SlmkitError(f"no function {function!r} in {file}", fix=suggest(function, options))
    return found  # type: ignore[no-any-return]


def _load_user_module(path: Path, content: bytes) -> Any:
    """A user's file as a module; it is loaded again when its content, or that of a module beside it, changes."""
    if any(_changed(module) for module in _user_modules()):
        for module in _user_modules():  # all of them: one may hold what another defined before
            del sys.modules[module]
        _STAMPS.clear()
        _execute_user_module.cache_clear()
    module = _execute_user_module(path, content)
    _STAMPS.update({name: _stamp(name) for name in _user_modules()})
    return module


_STAMPS: dict[str, tuple[int, int]] = {}  # of modules of the user: size and time of the file when it was imported


def _user_modules() -> list[str]:
    """The imported modules whose files are below the working directory, without installed packages and slmkit."""
    here = f"{Path.cwd()}{os.sep}"
    found = []
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None) or ""
        is_below = file.startswith(here) and "site-packages" not in file and not Path(file).is_relative_to(PACKAGE)
        if is_below and name != "__main__":
            found.append(name)
    return found


def _changed(name: str) -> bool:
    return name in _STAMPS and _STAMPS[name] != _stamp(name)


def _stamp(name: str) -> tuple[int, int]:
    try:
        stat = Path(str(sys.modules[name].__file__)).stat()
    except OSError:
        return 0, 0
    return stat.st_size, stat.st_mtime_ns


@functools.cache
def _execute_user_module(path: Path, content: bytes) -> Any:
    name = f"slmkit_user_{path.stem}_{hashlib.sha256(content).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        what = f"cannot load {path.name}: {type(error).__name__}: {error}"
        raise SlmkitError(what, where=f"{path}:{line}", fix="fix the error in the file") from error
    return module
