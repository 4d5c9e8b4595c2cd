"""Finds the rows that leak a gold set: the same or an alike question, a near duplicate, or a text that contains one.

Only the last user turn is compared loosely; what came before it (system turn, history) has to be the same. A row is
also a leak if it asks a gold question before its last turn, or after another system turn. Tools are not compared.

Some rows may ask something else, and are only reported (`is_doubtful`): texts that differ in their numbers alone
("14 + 7 =", "15 + 7 ="), unless somebody changed the numbers of a gold question; and, if the answers differ, texts of
fewer than 20 words with another word in place of one with a meaning ("in French", "in German", see
changed_question.py), short texts with a slip or a greeting (see slightly_changed.py), with other marks, accents or
spaces, and the same options in another order. Rows that quote a gold question of eight or more words in their answer
or in a system turn are reported, and are leaks if the quoting text gives the gold answer as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slmkit.text.identity import Conversation, Question, alike_key, alike_keys, leak_questions, loose
from slmkit.text.leak_index import Leak, LeakIndex
from slmkit.text.quoted import Quotable

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
    if answers:
        quotable = Quotable([question.text for question in asked])
        targets = [loose(target) for target in answers[1]]
        for i, row in enumerate(rows):
            if i in by_row and not by_row[i].is_doubtful:
                continue
            leak = _quoted(i, row if questions[i].rest else None, answers[0][i], quotable, targets)
            if leak and (i not in by_row or not leak.is_doubtful) and (with_doubtful or not leak.is_doubtful):
                by_row[i] = leak
    return [by_row[i] for i in sorted(by_row)]


def _quoted(row: int, chat: Conversation | None, answer: str, gold: Quotable, targets: Sequence[str]) -> Leak | None:
    """The gold question that a row quotes, in its answer or in the turns before its last question."""
    quoting = [("assistant", answer, j) for j in gold.inside(answer)]
    for turn in chat.conversation[:-1] if chat else ():
        text = str(turn.get("content") or "")
        quoting += [(str(turn.get("role")), text, j) for j in gold.inside(text)]
    if not quoting:
        return None
    for role, text, j in quoting:
        if role == "user":
            return Leak(row, j, "contains")
        if role == "assistant" and targets[j] and f" {targets[j]} " in f" {loose(text)} ":
            return Leak(row, j, "quoted", same_answer=True)
    return Leak(row, quoting[0][2], "quoted", is_doubtful=True)


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
    short rows match one gold text, the data follows a pattern ("weather in Ulm", "weather in Bonn"), and only alike
    rows are leaks. with_doubtful: also the rows that are only to be reported.
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
    if answers:
        leaks = index.without_patterns(leaks)
    return leaks if with_doubtful else [leak for leak in leaks if not leak.is_doubtful]
