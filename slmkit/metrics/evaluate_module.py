"""Any metric module of the Hugging Face `evaluate` package, by its compute(predictions=, references=).

A folder or script on this disk needs no network. A module's code runs as your own does: name only what you trust.
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
    """What an `evaluate` module gives for one answer, in its own unit; `metric` needs one whose best value is 1.

    path: the module's folder (my_em/ with my_em.py) or script. hub_id: its name on the hub, such as exact_match or
    org/name; asked only where it is not cached. key: which number of the result, needed where there are several; a
    list of numbers is averaged. A module that takes several references an answer is given target and aliases, any
    other the target alone. A module that compares no texts (accuracy takes int32) is refused.
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
    """What an `evaluate` module gives for all answers at once, as corpus BLEU is told; keys as in hf_evaluate."""
    return _computed(examples, answers, path, hub_id, key)


def _computed(
    examples: Sequence[Example], answers: Sequence[Answer], path: Path | None, hub_id: str | None, key: str | None
) -> float:
    if (path is None) == (hub_id is None):
        raise SlmkitError("an `evaluate` module is named in one way", fix="give either path: FOLDER or hub_id: NAME")
    name = hub_id or str(path)
    module = _module(path.resolve() if path else None, hub_id)
    several = 1 + max(len(example.aliases) for example in examples)  # some modules want as many for each answer
    references = [[e.target, *e.aliases] + [e.target] * (several - 1 - len(e.aliases)) for e in examples]
    try:
        found = module.compute(
            predictions=[answer.text for answer in answers],
            references=references if _takes_several(module) else [example.target for example in examples],
        )
    except Exception as error:  # whatever the module's own code raises
        what = f"the module fails: {type(error).__name__}: {_first_line(error)}"
        raise SlmkitError(what, where=f"evaluate module {name}", fix="mend the module or name another") from error
    return _number(found, key, name)


@functools.cache
def _module(path: Path | None, hub_id: str | None) -> Any:
    """The module, loaded once and kept in memory.

    Raises: SlmkitError when it cannot be loaded or compares no texts; RefusedError when the hub does not give it.
    """
    import evaluate

    where = f"evaluate module {hub_id or path}"
    if path is not None and not (path / f"{path.name}.py" if path.is_dir() else path).is_file():
        fix = f"a folder {path.name}/ holds the script {path.stem}.py, or name the script itself"
        raise SlmkitError(f"there is no module {path.name!r}", where=where, fix=fix)
    try:
        module = evaluate.load(hub_id or str(path), keep_in_memory=True, seed=0)
    except Exception as error:  # whatever the module's own code raises
        if hub_id is not None and isinstance(error, FileNotFoundError | ConnectionError):
            what = f"the module {hub_id!r} is not on this disk, and the hub does not answer or has none of this name"
            fix = "connect once, or give a folder you have: path: FOLDER"
            raise RefusedError(what, where=where, fix=fix) from error
        what = f"the module cannot be loaded: {type(error).__name__}: {_first_line(error)}"
        raise SlmkitError(what, where=where, fix="install what it needs, or mend it") from error
    if not any(_is_text(option.get("predictions")) for option in _options(module)):
        fix = "take one that compares texts; for labels: exact_match, macro_f1"
        raise SlmkitError(f"the module compares no texts: it takes {_options(module)[0]}", where=where, fix=fix)
    return module


def _options(module: Any) -> list[Mapping[str, Any]]:
    """The forms of input that a module takes, each a `datasets.Features`."""
    return module.features if isinstance(module.features, list) else [module.features]


def _is_text(feature: Any) -> bool:
    return getattr(feature, "dtype", "") == "string"


def _takes_several(module: Any) -> bool:
    """Whether a list of references may be given for one prediction."""
    return any(_is_text(getattr(option.get("references"), "feature", None)) for option in _options(module))


def _number(found: Mapping[str, Any], key: str | None, name: str) -> float:
    values = {k: v if isinstance(v, list) else [v] for k, v in found.items()}
    values = {k: v for k, v in values.items() if v and all(isinstance(one, Real) for one in v)}
    if key is None and len(values) == 1:
        [key] = values
    if key not in values:
        what = f"the module gives no number {key!r}" if key else "the module gives not one number"
        fix = f"key: one of {', '.join(values)}" if values else "name a module that gives numbers"
        raise SlmkitError(what, where=f"evaluate module {name}", fix=fix)
    value = float(sum(values[key]) / len(values[key]))
    if not math.isfinite(value):
        raise SlmkitError(
            f"the module's {key} is {value}", where=f"evaluate module {name}", fix="name another key or module"
        )
    return value


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
