"""Finds the rows that leak a gold set: the same or an alike question, a near duplicate, or a text that contains one.

Only the last user turn is compared loosely; what came before it (system turn, history) has to be the same. A row is
also a leak if it asks a gold question before its last turn, or after another system turn. Tools are not compared.

Some rows may ask something else, and are only reported (`is_doubtful`): texts that differ in their numbers alone
("14 + 7 =", "15 + 7 ="), unless somebody changed the numbers of a gold question; and, if the answers differ, short
texts with a slip or a greeting (see slightly_changed.py), the same options in another order, and other HTML tags.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slmkit.text.identity import Conversation, Question, alike_key, alike_keys, leak_questions
from slmkit.text.leak_index import Leak, LeakIndex

_BATCH_ROWS = 4096
OnRows = Callable[[int], None]
Answers = tuple[Sequence[str], Sequence[str]]


def conversation_leaks(
    rows: Sequence[Conversation],
    gold: Sequence[Conversation],
    *,
    answers: Answers | None = None,
    with_doubtful: bool = False,
    on_rows: OnRows | None = None,
) -> list[Leak]:
    """The rows whose conversations leak a gold question, in order; the parameters are those of find_leaks.

    The guard of training (slmkit.gold.guard) refuses the same rows, except for those found by comparing words: near
    duplicates, and a gold question inside a longer text.
    """
    if not gold:
        return []
    asked, questions = leak_questions(gold), leak_questions(rows)
    found = find_leaks(questions, asked, answers=answers, with_doubtful=with_doubtful, on_rows=on_rows)
    by_row = {leak.row: leak for leak in found}
    known = {alike_key(question): i for i, question in reversed(list(enumerate(asked)))}
    for i, question in enumerate(questions):
        if question.rest and (i not in by_row or by_row[i].is_doubtful):
            key = next((key for key in alike_keys(rows[i].conversation) if key in known), None)
            if key is not None:
                by_row[i] = Leak(i, known[key], "asked")
    return [by_row[i] for i in sorted(by_row)]


def find_leaks(
    rows: Sequence[Question],
    gold: Sequence[Question],
    *,
    answers: Answers | None = None,
    with_doubtful: bool = False,
    on_rows: OnRows | None = None,
) -> list[Leak]:
    """The rows that leak a gold question, each with the one nearest to it; on_rows receives the rows processed.

    answers: those of the rows and of the gold questions. Texts with the same answer may differ by more edits. If many
    rows match one gold text, the data follows a pattern ("weather in Ulm", "weather in Bonn"), and only alike rows, or
    long ones with the same answer, are leaks. with_doubtful: also the rows that are only to be reported.
    Time is linear in the number of rows; memory is that of the gold set and one batch.
    """
    if not gold:
        return []
    row_answers, gold_answers = answers or ([], [])
    index = LeakIndex(gold, gold_answers, with_doubtful=with_doubtful)
    leaks = []
    for start in range(0, len(rows), _BATCH_ROWS):
        batch = rows[start : start + _BATCH_ROWS]
        leaks += index.leaks(batch, row_answers[start : start + _BATCH_ROWS], start)
        if on_rows:
            on_rows(len(batch))
    if not with_doubtful:
        leaks = [leak for leak in leaks if not leak.is_doubtful]
    return index.without_patterns(leaks) if answers else leaks
