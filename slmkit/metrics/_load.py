"""The metrics of slmkit as modules of the Hugging Face `evaluate` package, for Python code without a recipe."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.types import Answer, Example

# They read more of an answer than its text: passages, confidence, log-probabilities, the question.
_NEED_MORE_THAN_TEXT = frozenset({"recall", "mrr", "ndcg", "ece", "perplexity", "bits_per_byte", "reward_model"})


def load(name: str) -> Any:  # an evaluate.Metric; the package is untyped
    """A metric as an `evaluate.Metric`, which evaluate.combine also accepts.

    load("f1").compute(predictions=["a table"], references=["oak table"]) -> {"f1": 0.667}. A reference is the target,
    or a list of the target and its aliases. A metric of single answers is averaged. Options go to compute:
    load("numeric").compute(..., tolerance=0.1).
    Raises: SlmkitError for an unknown name, and for a metric that reads more of an answer than its text.
    """
    import datasets
    import evaluate

    metric = _metric(name)
    text = datasets.Value("string")
    inputs = [
        datasets.Features({"predictions": text, "references": references})
        for references in (datasets.List(text), text)
    ]

    class _Metric(evaluate.Metric):  # type: ignore[misc]
        def _info(self) -> Any:
            about = inspect.getdoc(metric) or ""
            return evaluate.MetricInfo(description=about, citation="", inputs_description=about, features=inputs)

        def _compute(
            self, predictions: Sequence[str], references: Sequence[str | list[str]], **options: Any
        ) -> dict[str, float]:
            examples, answers = [], []
            for index, (prediction, reference) in enumerate(zip(predictions, references, strict=True)):
                [target, *aliases] = [reference] if isinstance(reference, str) else reference
                examples.append(Example(str(index), "", target, aliases=tuple(aliases)))
                answers.append(Answer(str(index), prediction))
            if "examples" in inspect.signature(metric).parameters:
                return {name: metric(examples, answers, **options)}
            scores = [metric(*pair, **options) for pair in zip(examples, answers, strict=True)]
            return {name: sum(scores) / len(scores)}

    _Metric.__name__ = name  # evaluate.combine names each module by its class
    return _Metric(keep_in_memory=True)


def _metric(name: str) -> Callable[..., float]:
    """The metric of this name, from the files of this folder."""
    where = f"slmkit.metrics.load({name!r})"
    if name in _NEED_MORE_THAN_TEXT:
        fix = f"compute it in a recipe: more_metrics: [{name}]"
        raise SlmkitError(f"metric {name!r} needs more than the texts of the answers", where=where, fix=fix)
    metrics: dict[str, Callable[..., float]] = {}
    for path in Path(__file__).parent.glob("[!_]*.py"):
        module = importlib.import_module(f"slmkit.metrics.{path.stem}")
        for key, value in inspect.getmembers(module, inspect.isfunction):
            is_own = value.__module__ == module.__name__ and not key.startswith("_")
            if is_own and inspect.signature(value).return_annotation == "float":
                metrics[key] = value
    if name not in metrics:
        close = get_close_matches(name, metrics, n=1, cutoff=0.5)
        fix = f"did you mean {close[0]!r}?" if close else "`slmkit ls metrics` prints every name"
        raise SlmkitError(f"unknown metric {name!r}", where=where, fix=fix)
    return metrics[name]
