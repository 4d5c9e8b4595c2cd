"""slmkit: pick, prepare, train, evaluate and compare small language models, with evidence.

The names of `__all__` are the Python API; `docs/python.md` shows them in use. They are imported on first use, so that
`import slmkit` takes no time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from slmkit.api import Result, Verdict, ask, read_gold, run, score
    from slmkit.errors import FailedError, RefusedError, SlmkitError
    from slmkit.types import Answer, Example, Score

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Example",
    "FailedError",
    "RefusedError",
    "Result",
    "Score",
    "SlmkitError",
    "Verdict",
    "ask",
    "read_gold",
    "run",
    "score",
]

_MODULES = {
    **dict.fromkeys(("Result", "Verdict", "ask", "read_gold", "run", "score"), "slmkit.api"),
    **dict.fromkeys(("FailedError", "RefusedError", "SlmkitError"), "slmkit.errors"),
    **dict.fromkeys(("Answer", "Example", "Score"), "slmkit.types"),
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'slmkit' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *__all__]
