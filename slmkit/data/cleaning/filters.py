"""Steps that leave rows out by what they are: another language, too short or long, a doubtful or too common label.

    steps: [duplicates, language, length, label_suspects, balance]
    min_words: 3
    max_per_label: 200

Every row left out has its reason. What cannot be told (the language of "ok") is kept.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.data.cleaning.label_errors import label_suspects
from slmkit.data.cleaning.language import find_language
from slmkit.data.convert import Canonical
from slmkit.data.split import hash_share
from slmkit.errors import SlmkitError
from slmkit.types import NonNegativeInt, PositiveInt

_NEEDS = {"language": "language", "min_words": "length", "max_words": "length", "max_per_label": "balance"}
_OF_LABELS = ("label_suspects", "balance")


@dataclass(frozen=True)
class Filters:
    """What the filtering steps go by."""

    language: str | None = None  # two letters: en; None: the language of most rows
    min_words: NonNegativeInt | None = None  # of a row, input and target together
    max_words: NonNegativeInt | None = None
    max_per_label: PositiveInt | None = None  # rows that balance keeps of each label

    def check(self, steps: Sequence[str], *, kind: str | None = None) -> None:
        """Refuses a value that no step reads, a step without its value, and steps on labels where there are none."""
        for name, step in _NEEDS.items():
            if getattr(self, name) is not None and step not in steps:
                fix = f"name the step: steps=[{', '.join([*steps, step])}]"
                raise SlmkitError(f"{name} is set, but the step {step!r} is left out", where=f"with.{name}", fix=fix)
        if "length" in steps and self.min_words is None and self.max_words is None:
            raise SlmkitError("the step 'length' has no bound", where="with.steps", fix="set min_words or max_words")
        if "balance" in steps and (self.max_per_label or 0) < 1:
            raise SlmkitError("the step 'balance' has no bound", where="with.steps", fix="set max_per_label=200")
        for step in steps:
            if step in _OF_LABELS and kind not in (None, "classification"):
                raise SlmkitError(
                    f"the step {step!r} is for labels, and these rows have free answers",
                    where="with.steps",
                    fix=f"leave {step} out, or name the labels: label_column=NAME",
                )


def reasons(step: str, rows: Sequence[Canonical], filters: Filters) -> dict[int, str]:
    """Why rows are left out by a step, by their index."""
    return _STEPS[step](rows, filters)


def _language(rows: Sequence[Canonical], filters: Filters) -> dict[int, str]:
    found = [find_language([row.input]) for row in rows]
    most = Counter(language for language in found if language).most_common(1)
    wanted = filters.language or (most[0][0] if most else None)
    return {i: f"language {language}" for i, language in enumerate(found) if language and language != wanted}


def _length(rows: Sequence[Canonical], filters: Filters) -> dict[int, str]:
    gone = {}
    for i, row in enumerate(rows):
        words = len(row.input.split()) + len(row.target.split())
        if filters.min_words is not None and words < filters.min_words:
            gone[i] = f"fewer than {filters.min_words} words"
        elif filters.max_words is not None and words > filters.max_words:
            gone[i] = f"more than {filters.max_words} words"
    return gone


def _label_suspects(rows: Sequence[Canonical], _: Filters) -> dict[int, str]:
    found = label_suspects([row.input for row in rows], [row.target for row in rows])
    return {suspect.row: f"label suspect: likelier {suspect.likelier}" for suspect in found}


def _balance(rows: Sequence[Canonical], filters: Filters) -> dict[int, str]:
    """Of each label the rows with the lowest hashes: more data keep the choice among the old rows as it was."""
    of_label: dict[str, list[int]] = defaultdict(list)
    for i, row in enumerate(rows):
        of_label[row.target].append(i)
    gone: dict[int, str] = {}
    for same in of_label.values():
        by_hash = sorted(same, key=lambda i: hash_share(rows[i].id, salt="balance"))
        gone |= dict.fromkeys(by_hash[filters.max_per_label :], f"above {filters.max_per_label} rows of its label")
    return gone


_STEPS: dict[str, Callable[[Sequence[Canonical], Filters], dict[int, str]]] = {
    "language": _language,
    "length": _length,
    "label_suspects": _label_suspects,
    "balance": _balance,
}
