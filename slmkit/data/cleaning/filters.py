"""The filtering steps: they drop rows by language, by length, by a suspect label, or above a limit per label.

    steps: [duplicates, language, length, label_suspects, balance]
    min_words: 3
    max_per_label: 200

Each dropped row has a reason. An undecidable row (the language of "ok") is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.label_errors import label_suspects
from slmkit.data.cleaning.language import find_language, identify_language
from slmkit.data.split import hash_share
from slmkit.errors import SlmkitError
from slmkit.text.words import count_words
from slmkit.types import NonNegativeInt, PositiveInt

_NEEDS = {
    "language": "language", "language_engine": "language", "min_words": "length", "max_words": "length",
    "max_per_label": "balance", "html_engine": "clean_html",
}  # fmt: skip
_OF_LABELS = ("label_suspects", "balance")
_EXTRAS = {"language_engine": "language", "html_engine": "html"}  # option -> the extra that installs its package


@dataclass(frozen=True)
class Filters:
    """The options of the cleaning steps."""

    language: str | None = None  # two-letter code, e.g. en; None: the language of most rows
    language_engine: Literal["py3langid"] | None = None  # 97 languages; None: the built-in rules for 14
    min_words: NonNegativeInt | None = None  # per row, input and target together
    max_words: NonNegativeInt | None = None
    max_per_label: PositiveInt | None = None  # rows that "balance" keeps per label
    html_engine: Literal["trafilatura"] | None = None  # clean_html keeps only the main text of whole pages

    def check(self, steps: Sequence[str], *, kind: str | None = None) -> None:
        """Refuses an option without its step, a step without its option, and label steps without labels."""
        for name, step in _NEEDS.items():
            if getattr(self, name) is not None and step not in steps:
                fix = f"add the step: steps=[{', '.join([*steps, step])}]"
                raise SlmkitError(f"{name} has no effect without the `{step}` step", where=f"with.{name}", fix=fix)
        for name, extra in _EXTRAS.items():
            package = getattr(self, name)
            if package is not None and not find_spec(package):
                fix = f"pip install 'slmkit[{extra}]', or remove {name}"
                raise SlmkitError(f"{name}={package} needs the package {package}", where=f"with.{name}", fix=fix)
        if "length" in steps and self.min_words is None and self.max_words is None:
            raise SlmkitError("the `length` step needs a limit", where="with.steps", fix="set min_words or max_words")
        if "balance" in steps and (self.max_per_label or 0) < 1:
            raise SlmkitError("the `balance` step needs a limit", where="with.steps", fix="set max_per_label=200")
        for step in steps:
            if step in _OF_LABELS and kind not in (None, "classification"):
                raise SlmkitError(
                    f"the `{step}` step needs labels, but these rows have free-text answers",
                    where="with.steps",
                    fix=f"remove {step} from steps, or set the label column: label_column=NAME",
                )


def drop_reasons(step: str, rows: Sequence[CanonicalRow], filters: Filters) -> dict[int, str]:
    """Index of each row that a filtering step drops -> the reason."""
    return _STEPS[step](rows, filters)


def _language(rows: Sequence[CanonicalRow], filters: Filters) -> dict[int, str]:
    identify = identify_language if filters.language_engine else lambda text: find_language([text])
    found = [identify(row.input) for row in rows]
    most = Counter(language for language in found if language).most_common(1)
    kept = filters.language or (most[0][0] if most else None)
    return {i: f"language {language}" for i, language in enumerate(found) if language and language != kept}


def _length(rows: Sequence[CanonicalRow], filters: Filters) -> dict[int, str]:
    reasons = {}
    for i, row in enumerate(rows):
        num_words = count_words(row.input) + count_words(row.target)
        if filters.min_words is not None and num_words < filters.min_words:
            reasons[i] = f"fewer than {filters.min_words} words"
        elif filters.max_words is not None and num_words > filters.max_words:
            reasons[i] = f"more than {filters.max_words} words"
    return reasons


def _label_suspects(rows: Sequence[CanonicalRow], _: Filters) -> dict[int, str]:
    found = label_suspects([row.input for row in rows], [row.target for row in rows])
    return {suspect.row: f"suspect label: more likely {suspect.likelier}" for suspect in found}


def _balance(rows: Sequence[CanonicalRow], filters: Filters) -> dict[int, str]:
    """Keeps the rows with the lowest hashes per label, a choice that adding rows changes little."""
    by_label: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        by_label[row.target].append(i)
    reasons: dict[int, str] = {}
    for indices in by_label.values():
        by_hash = sorted(indices, key=lambda i: hash_share(rows[i].id, salt="balance"))
        reasons |= dict.fromkeys(by_hash[filters.max_per_label :], f"above {filters.max_per_label} rows of its label")
    return reasons


_STEPS: dict[str, Callable[[Sequence[CanonicalRow], Filters], dict[int, str]]] = {
    "language": _language,
    "length": _length,
    "label_suspects": _label_suspects,
    "balance": _balance,
}
