"""Rows that belong together: those of one group (group_column), and those about one passage.

They stay on the same side of train and validation (own_validation.py), and of training and gold set: a model that
learned from a passage, or from a user's other messages, has seen more than the questions it is asked.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.steps import CleanedRows, without
from slmkit.data.documents import is_passage_id, passage_id
from slmkit.text.identity import text_hash

OF_GOLD_PASSAGE, OF_GOLD_GROUP = "about a gold passage", "in a gold group"


def together_id(row: CanonicalRow) -> str:
    """What the rows that belong together have in common, as a hash; "" for a row that belongs to no other."""
    if row.group:
        return row.group if is_passage_id(row.group) else f"group-{text_hash(row.group)}"
    return passage_id(row.passage) if row.passage else ""


def drop_together(rows: Sequence[CanonicalRow], ids: Container[str], *, asked: Container[str]) -> CleanedRows:
    """The rows without those that belong together with gold questions: their groups or passages are among `ids`.

    asked: the ids of the gold questions. Rows that ask one stay: they are dropped for that, which is another count.
    """
    found = {
        i: id for i, row in enumerate(rows) if (id := together_id(row)) in ids and id and row.question.key not in asked
    }
    return without(rows, {i: OF_GOLD_PASSAGE if is_passage_id(id) else OF_GOLD_GROUP for i, id in found.items()})


def belong_together(rows: Sequence[CanonicalRow], *, is_given: bool) -> bool:
    """Whether gold questions are chosen by whole groups or passages, of which there must be two.

    They are if the user named the groups (`is_given`), or if most groups have several questions.
    """
    questions: dict[str, set[str]] = {}
    for row in rows:
        if id := together_id(row):
            questions.setdefault(id, set()).add(row.question.key)
    several = sum(len(keys) > 1 for keys in questions.values())
    return len(questions) > 1 and (is_given or 2 * several > len(questions))
