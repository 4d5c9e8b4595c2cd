"""The Python API: what the command line does, from a notebook or a script, along the same path.

result = slmkit.run("loop/compare", data="my.csv", model="nano")
result.verdict, result.metrics, result.table("arms"), result.path

gold = slmkit.read_gold("tickets")
answers = slmkit.ask("prompt", gold, limit=50, model="nano")
slmkit.score(answers, gold)
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.files import read_jsonl
from slmkit.types import Answer, Example, Score

if TYPE_CHECKING:
    from slmkit.gold.gold_set import Gold


@dataclass(frozen=True)
class Verdict:
    """The conclusion of a run in one sentence; `positive` is False where the command line exits with 2."""

    text: str
    positive: bool

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Result:
    """A finished run."""

    path: Path  # the run's folder
    metrics: Mapping[str, float | Score]
    verdict: Verdict | None  # None for stages that reach no conclusion, such as training
    claims_hold: bool  # whether every `expect` of the recipe holds; changed values lift the claims

    @property
    def report(self) -> Path:
        """The page of the run, one HTML file."""
        return self.path / "report.html"

    @property
    def tables(self) -> list[str]:
        """The names that `table` takes."""
        return sorted(path.stem for path in self.path.glob("*.jsonl") if not path.name.startswith("."))

    @property
    def figures(self) -> list[Path]:
        """The charts of the run, as SVG files."""
        return sorted((self.path / "figures").glob("*.svg"))

    def table(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table; `pandas.DataFrame(result.table("arms"))` makes a data frame of them.

        Raises: SlmkitError if the run has no table of that name.
        """
        path = self.path / f"{name}.jsonl"
        if not path.is_file():
            from slmkit.recipe.lookup import suggest

            raise SlmkitError(f"no table {name!r}", where=str(self.path), fix=suggest(name, self.tables))
        return read_jsonl(path)

    def _repr_html_(self) -> str:
        """What a notebook shows: the report."""
        from html import escape

        page = escape(self.report.read_text(encoding="utf-8"))
        return f'<iframe srcdoc="{page}" sandbox="allow-scripts" width="100%" height="600"></iframe>'


def run(
    recipe: str,
    values: Mapping[str, Any] | None = None,
    /,
    *,
    profile: str = "auto",
    seed: int = 0,
    force: bool = False,
    verbose: bool = False,
    **keys: Any,
) -> Result:
    """Runs a recipe and those it reads, or finds the finished run, as `slmkit run RECIPE KEY=VALUE` does.

    recipe: a name ("loop/train") or the path of a YAML file. keys: any key of the recipe, such as learning_rate=1e-4;
    dotted keys go into `values`: {"systems.RAG.top_k": 5}. profile, seed, force and verbose: the options of the
    command line. Progress goes to standard error.

    Raises:
        SlmkitError: a mistake in the call, a recipe or the data.
        RefusedError: a check refused before work was spent, such as a leak of gold questions.
        FailedError: a failure while running, such as a full disk.
    """
    from slmkit.console import quiet_libraries
    from slmkit.gold.own_gold import DECIDE_GOLD, with_gold, with_gold_folders
    from slmkit.recipe.load_recipe import load_profile
    from slmkit.runs.execute import execute
    from slmkit.runs.plan import make_plan

    if twice := sorted((values or {}).keys() & keys):
        raise SlmkitError(f"{twice[0]} is given twice", where="values", fix="pass it once")
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise SlmkitError(f"invalid value for seed: {seed!r}", fix="use a whole number from 0 to 4,294,967,295")
    overrides = {key: _plain(value) for key, value in {**(values or {}), **keys}.items()}
    overrides = with_gold_folders(overrides)
    name = load_profile(profile)[0]
    found = with_gold(recipe, overrides)
    optional = () if found is overrides else DECIDE_GOLD
    plan = make_plan(recipe, overrides=found, profile=name, seed=seed, optional=optional)
    plan.command = _command(recipe, overrides, profile=profile, seed=seed)
    with warnings.catch_warnings():
        if not verbose:
            quiet_libraries()
        outcome = execute(plan, force=force, verbose=verbose)
    verdict = outcome.result["verdict"]
    return Result(
        path=outcome.dir.absolute(),
        metrics={name: _score(value) for name, value in outcome.result["metrics"].items()},
        verdict=Verdict(verdict["text"], verdict["positive"]) if verdict else None,
        claims_hold=all(claim["ok"] for claim in outcome.result["expect"]),
    )


def read_gold(name: str | Path) -> Gold:
    """A frozen gold set by name ("tickets") or folder: its examples, dev examples, task and card.

    Raises: SlmkitError if there is none, or if its files have changed since it was frozen.
    """
    from slmkit.gold.gold_set import read_gold as read
    from slmkit.gold.own_gold import find_gold

    return read(find_gold(str(name)))


def ask(system: str, gold: Gold, *, limit: int | None = None, **options: Any) -> list[Answer]:
    """A system's answers to the first `limit` examples of a gold set, in their order; None asks all.

    system: a name of `slmkit ls systems`, or "./mine.py:my_system"; options: its keys, as in a recipe. A recipe as an
    input (`model="loop/train"`) means its newest finished run. Nothing is cached.

    Raises: SlmkitError for an unknown system, an unknown or wrong option, or an input that does not exist;
    RefusedError if the system learns from questions of the gold set.
    """
    from slmkit.evaluation.ask import refuse_leaky_systems
    from slmkit.evaluation.without_thinking import without_thinking
    from slmkit.gold.gold_set import Gold

    if not isinstance(gold, Gold):
        raise SlmkitError(f"invalid value for gold: {gold!r}", fix="pass what slmkit.read_gold returns")
    if limit is not None and (type(limit) is not int or limit < 1):
        raise SlmkitError(f"invalid value for limit: {limit!r}", fix="use a whole number of at least 1, or None")
    part = _part("systems", system, options)
    refuse_leaky_systems({system: part}, gold)
    examples = gold.examples[:limit]
    answers = part(gold.task).answer(examples)
    return [without_thinking(example, answer) for example, answer in zip(examples, answers, strict=True)]


def score(
    answers: Sequence[Answer],
    gold: Gold,
    *,
    metric: str | Callable[[Example, Answer], float] | None = None,
    **options: Any,
) -> Score:
    """The mean score of some answers with its 95% interval; an answer with an error scores 0.

    metric: a name of `slmkit ls metrics`, "./mine.py:my_metric", or a function of an example and an answer; None takes
    the gold set's own. options: the keys of a metric given by name.

    Raises: SlmkitError for no answers, two answers to one example, an answer to a question that is not in the gold
    set, or an unknown metric or option.
    """
    from slmkit.evaluation.score import default_metric, score_answers, shared_documents
    from slmkit.evaluation.set_metrics import is_set_metric, more_scores
    from slmkit.statistics.intervals import mean_score

    examples = {example.id: example for example in gold.examples}
    if unknown := [answer.example_id for answer in answers if answer.example_id not in examples]:
        what = f"the gold set has no example {unknown[0]!r}"
        raise SlmkitError(what, where=str(gold.folder), fix="score the answers with the gold set they are for")
    if not answers:
        raise SlmkitError("there are no answers to score", fix="pass the list that slmkit.ask returns")
    if twice := [name for name, count in Counter(answer.example_id for answer in answers).items() if count > 1]:
        what = f"example {twice[0]!r} has more than one answer"
        raise SlmkitError(what, where=str(gold.folder), fix="pass one answer per example")
    asked = [examples[answer.example_id] for answer in answers]
    function = _part("metrics", metric, options) if isinstance(metric, str) else metric or default_metric(gold)
    if is_set_metric(function):
        reasons: list[str] = []
        scores = more_scores(gold.task, [function], asked, answers, on_note=reasons.append)
        if not scores:
            raise SlmkitError(
                reasons[0], where=str(gold.folder), fix="use another metric, or answers with what it needs"
            )
        return next(iter(scores.values()))
    return mean_score(score_answers(function, asked, answers), clusters=shared_documents(asked))


def _part(folder: str, name: str, options: Mapping[str, Any]) -> Any:
    from slmkit.recipe.bind import bind_part
    from slmkit.recipe.call import resolve

    return resolve(bind_part(folder, name, {key: _plain(value) for key, value in options.items()}), _finished_run)


def _finished_run(recipe: str) -> Path:
    from slmkit.runs.store import find_run, read_result

    folder = find_run(recipe)
    if read_result(folder) is None:
        raise SlmkitError(
            f"{recipe} has no finished run", where=str(folder), fix=f"run it first: slmkit.run({recipe!r})"
        )
    return folder


def _command(recipe: str, overrides: Mapping[str, Any], *, profile: str, seed: int) -> str:
    """The command line that does the same."""
    import shlex

    from slmkit.recipe.yaml_lines import write_value

    words = [f"{key}={write_value(value)}" for key, value in overrides.items()]
    return "slmkit " + shlex.join(["run", recipe, *words, "--profile", profile, "--seed", str(seed)])


def _plain(value: Any) -> Any:
    """A value as YAML would give it: paths as text, tuples as lists."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return value.tolist()
    return value


def _score(value: Any) -> float | Score:
    return Score(**value) if isinstance(value, dict) else value
