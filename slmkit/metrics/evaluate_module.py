"""Runs any metric module of the Hugging Face `evaluate` package through its compute(predictions=, references=).

A local folder or script needs no network. A module is code that runs with your rights: use only what you trust.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.types import Answer, Example, Input


def hf_evaluate(
    example: Example, answer: Answer, *, path: Input | None = None, hub_id: str | None = None, key: str | None = None
) -> float:
    """The value of an `evaluate` module for one answer, in the module's unit; as `metric`, its best value must be 1.

    path: the module's folder (my_em/ with my_em.py) or script. hub_id: its name on the hub, such as exact_match or
    org/name; downloaded unless it is cached. key: which number of the result, required if there are several; a list
    of numbers is averaged: {"scores": [0, 1]} -> 0.5. A module that accepts several references gets target and
    aliases, any other only the target. A module that does not compare texts (accuracy takes int32) is refused.
    """
    return _computed([example], [answer], path, hub_id, key)


def hf_evaluate_set(
    examples: Sequence[Example],
    answers: Sequence[Answer],
    *,
    path: Input | None = None,
    hub_id: str | None = None,
    key: str | None = None,
) -> float:
    """The value of an `evaluate` module for all answers at once, such as corpus BLEU; keys as in hf_evaluate.

    With the module exact_match, 3 of 4 answers right -> 0.75.
    """
    return _computed(examples, answers, path, hub_id, key)


def _computed(
    examples: Sequence[Example], answers: Sequence[Answer], path: Path | None, hub_id: str | None, key: str | None
) -> float:
    if (path is None) == (hub_id is None):
        what = f"an evaluate module needs either `path` or `hub_id`, not {'both' if path else 'neither'}"
        raise SlmkitError(what, fix="path: FOLDER, or hub_id: NAME")
    name = hub_id or str(path)
    module = _module(path.resolve() if path else None, hub_id)
    several = 1 + max(len(example.aliases) for example in examples)  # some modules want equally many for each
    references = [[e.target, *e.aliases] + [e.target] * (several - 1 - len(e.aliases)) for e in examples]
    try:
        found = module.compute(
            predictions=[answer.text for answer in answers],
            references=references if _takes_several(module) else [example.target for example in examples],
        )
    except Exception as error:  # whatever the module's own code raises
        what = f"the module failed: {type(error).__name__}: {_first_line(error)}"
        raise SlmkitError(what, where=f"evaluate module {name}", fix="fix the module or use another") from error
    return _number(found, key, name)


@functools.cache
def _module(path: Path | None, hub_id: str | None) -> Any:
    """The module, loaded once per process.

    Raises: SlmkitError if it cannot be loaded or does not compare texts; RefusedError if the hub has no such module.
    """
    import evaluate

    where = f"evaluate module {hub_id or path}"
    if path is not None and not (path / f"{path.name}.py" if path.is_dir() else path).is_file():
        fix = f"add a script {path.stem}.py to the folder {path.name}/, or set the path of the script"
        raise SlmkitError(f"no module {path.name!r}", where=where, fix=fix)
    try:
        module = evaluate.load(hub_id or str(path), keep_in_memory=True, seed=0)
    except Exception as error:  # whatever the module's own code raises
        if hub_id is not None and isinstance(error, FileNotFoundError | ConnectionError):
            what = f"module {hub_id!r} is not in the local cache and cannot be downloaded from the hub"
            fix = "check the name and run once online, or use a local copy: path: FOLDER"
            raise RefusedError(what, where=where, fix=fix) from error
        what = f"cannot load the module: {type(error).__name__}: {_first_line(error)}"
        raise SlmkitError(what, where=where, fix="install the packages it imports, or fix it") from error
    if not any(_is_text(option.get("predictions")) for option in _options(module)):
        fix = "use a module that compares texts. For labels, use exact_match or macro_f1"
        raise SlmkitError(f"the module does not compare texts: it takes {_options(module)[0]}", where=where, fix=fix)
    return module


def _options(module: Any) -> list[Mapping[str, Any]]:
    """The input formats that a module accepts, each a `datasets.Features`."""
    return module.features if isinstance(module.features, list) else [module.features]


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", "") == "string"


def _takes_several(module: Any) -> bool:
    """Whether the module accepts a list of references for one prediction."""
    return any(_is_text(getattr(option.get("references"), "feature", None)) for option in _options(module))


def _number(found: Mapping[str, Any], key: str | None, name: str) -> float:
    values = {k: v if isinstance(v, list) else [v] for k, v in found.items()}
    values = {k: v for k, v in values.items() if v and all(isinstance(one, Real) for one in v)}
    if key is None and len(values) == 1:
        [key] = values
    if key not in values:
        what = f"the module returns no number {key!r}" if key else f"the module returns {len(values)} numbers, not one"
        fix = f"set key to one of {', '.join(values)}" if values else "use a module that returns numbers"
        raise SlmkitError(what, where=f"evaluate module {name}", fix=fix)
    value = float(sum(values[key]) / len(values[key]))
    if not math.isfinite(value):
        raise SlmkitError(
            f"the module's {key} is {value}", where=f"evaluate module {name}", fix="use another key or module"
        )
    return value


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
