"""The prepare stage: a file of any shape becomes training rows, and every row left out keeps its reason."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Literal

from slmkit.data.canonical import Canonicals, Dropped, read_canonical
from slmkit.data.convert import Canonical
from slmkit.data.documents import read_passages
from slmkit.data.gold import Gold, passage_id, read_gold
from slmkit.data.normalise import normalise, text_hash
from slmkit.data.read import Row, read_rows
from slmkit.data.shape import find_shape
from slmkit.data.split import hash_share, split
from slmkit.errors import SlmkitError
from slmkit.run import Run
from slmkit.types import Input, Passage

_CHECK_SECONDS = 0.4  # how long the pre-flight reads: all of most files, the head of a very long one
_HEAD_ROWS = 1000


def prepare(
    run: Run,
    *,
    data: Input,
    gold: Input | None = None,
    documents: Input | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "auto",
    instruction: str | None = None,
    text_as: Literal["questions", "text"] = "questions",
    max_rows: int | None = None,
    validation_size: float = 0.1,
    chunk_size: int = 120,
    chunk_overlap: int = 0,
) -> None:
    """Turns a data file into training and validation rows without duplicates and without gold.

    Writes train.jsonl, validation.jsonl, documents.jsonl (what a retriever searches) and dropped.jsonl (each row left
    out, with its reason and line). `instruction` is the system message; the gold card's is taken where it is None.
    `text_as` says what plain text becomes: gap-fill questions, or text to continue. chunk_size counts words.
    """
    with run.progress("read", unit="rows") as bar:
        found = read_canonical(
            data,
            text_column=text_column,
            label_column=label_column,
            encoding=encoding,
            text_as=text_as,
            on_note=run.note,
            on_row=bar.advance,
        )
    frozen = read_gold(gold) if gold else None
    rows, duplicates = _drop_duplicates(found.rows)
    rows, leaks = _drop_gold(rows, frozen)
    rows, surplus = _drop_surplus(rows, max_rows)
    dropped = [*found.dropped, *duplicates, *leaks, *surplus]
    if instruction is None:
        instruction = frozen.task.instruction if frozen else found.instruction
    if not rows:
        raise SlmkitError(
            f"no row is left to train on: {_why(dropped)}",
            where=str(data),
            fix="give other data, or a gold set that does not hold all of it",
        )
    train, validation = split(rows, validation_size=validation_size, key=lambda row: row.input)
    passages = (
        read_passages(documents, chunk_size=chunk_size, chunk_overlap=chunk_overlap, encoding=encoding)
        if documents
        else _own_passages(found.rows, train)
    )
    run.table("train", (_line(row, instruction) for row in train))
    run.table("validation", (_line(row, instruction) for row in validation))
    run.table("documents", (asdict(passage) for passage in passages))
    run.table("dropped", (asdict(row) for row in dropped))
    _report(run, found=found, train=train, validation=validation, dropped=dropped, passages=passages, gold=frozen)


def check(
    *,
    data: Input,
    gold: Input | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "auto",
    validation_size: float = 0.1,
    **_others: Any,
) -> None:
    """Reads the data for a moment, so that a broken row, a missing column or a changed gold set shows at once."""
    if not 0 <= validation_size <= 0.5:
        raise SlmkitError(
            f"validation_size={validation_size} is no share from 0 to 0.5", where="with.validation_size", fix="use 0.1"
        )
    if data.exists():
        until = time.monotonic() + _CHECK_SECONDS
        head: list[Row] = []
        for row in read_rows(data, encoding=encoding):
            if len(head) < _HEAD_ROWS:
                head.append(row)
            if time.monotonic() > until:
                break
        find_shape(head, text_column=text_column, label_column=label_column)
    if gold is not None and gold.exists():
        read_gold(gold)


def _drop_duplicates(rows: Sequence[Canonical]) -> tuple[list[Canonical], list[Dropped]]:
    """The first row of each text and answer; spelling, case and punctuation aside."""
    seen: dict[str, Canonical] = {}
    dropped = []
    for row in rows:
        first = seen.setdefault(row.id, row)
        if first is not row:
            dropped.append(_dropped(row, "duplicate"))
    return list(seen.values()), dropped


def _drop_gold(rows: Sequence[Canonical], gold: Gold | None) -> tuple[list[Canonical], list[Dropped]]:
    if gold is None:
        return list(rows), []
    held = {normalise(example.input) for example in (*gold.examples, *gold.dev)}
    kept = [row for row in rows if normalise(row.input) not in held]
    return kept, [_dropped(row, "in gold") for row in rows if normalise(row.input) in held]


def _drop_surplus(rows: list[Canonical], max_rows: int | None) -> tuple[list[Canonical], list[Dropped]]:
    """At most max_rows rows, a random choice that more data refine but do not reshuffle."""
    if max_rows is None or len(rows) <= max_rows:
        return rows, []
    limit = sorted(hash_share(row.input, salt="max_rows") for row in rows)[max_rows - 1]
    kept = [row for row in rows if hash_share(row.input, salt="max_rows") <= limit][:max_rows]
    ids = {row.id for row in kept}
    return kept, [_dropped(row, "above max_rows") for row in rows if row.id not in ids]


def _dropped(row: Canonical, reason: str) -> Dropped:
    return Dropped(reason, str(row.file), row.line, row.input[:200])


def _own_passages(rows: Sequence[Canonical], train: Sequence[Canonical]) -> list[Passage]:
    """The passages that came with the data, of all rows; where there are none, one a training row."""
    texts = dict.fromkeys(row.passage for row in rows if row.passage)
    if texts:
        return [Passage(passage_id(text), text) for text in texts]
    return [Passage(row.id, f"{row.input}\n{row.target}".strip()) for row in train]


def _line(row: Canonical, instruction: str) -> dict[str, Any]:
    values = dict(row.values)
    messages = values.get("messages")
    if instruction and messages and messages[0]["role"] != "system":
        values["messages"] = [{"role": "system", "content": instruction}, *messages]
    return {"id": row.id, **values}


def _report(
    run: Run,
    *,
    found: Canonicals,
    train: Sequence[Canonical],
    validation: Sequence[Canonical],
    dropped: Sequence[Dropped],
    passages: Sequence[Passage],
    gold: Gold | None,
) -> None:
    """What the report shows of the data: counts by step, labels, conflicts, lengths."""
    reasons = Counter(row.reason for row in dropped)
    steps = [{"step": "read", "rows": len(found.rows) + len(found.dropped)}]
    steps += [{"step": f"dropped: {reason}", "rows": -count} for reason, count in reasons.most_common()]
    steps += [{"step": "train", "rows": len(train)}, {"step": "validation", "rows": len(validation)}]
    run.table("steps", steps)
    kept = [*train, *validation]
    run.metric(
        num_rows_in=len(found.rows) + len(found.dropped),
        num_train=len(train),
        num_validation=len(validation),
        num_dropped=len(dropped),
        num_in_gold=reasons["in gold"],
        num_duplicates=reasons["duplicate"],
        num_documents=len(passages),
    )
    run.note(f"{len(train):,} rows to train on, {len(validation):,} to validate; dropped {_why(dropped)}")
    if found.kind == "classification":
        counts = Counter(row.target for row in kept)
        run.table("labels", ({"label": label, "rows": count} for label, count in counts.most_common()))
        run.metric(num_labels=len(counts), num_conflicts=_conflicts(run, kept))
    if gold:
        relevant = {id for example in gold.examples for id in example.relevant}
        missing = len(relevant - {passage.id for passage in passages})
        if missing:
            run.note(f"{missing:,} of the {len(relevant):,} passages that gold names are not among the documents")
    run.figure("lengths", _lengths_figure(kept))


def _why(dropped: Sequence[Dropped]) -> str:
    reasons = Counter(row.reason for row in dropped).most_common()
    return ", ".join(f"{count:,} {reason}" for reason, count in reasons) or "none"


def _conflicts(run: Run, rows: Sequence[Canonical]) -> int:
    """Texts that carry different labels, listed in a table: the model cannot learn both."""
    by_text: dict[str, list[Canonical]] = {}
    for row in rows:
        by_text.setdefault(text_hash(row.input), []).append(row)
    conflicts = [same for same in by_text.values() if len({row.target for row in same}) > 1]
    if conflicts:
        listed = [
            {"input": same[0].input, "labels": [row.target for row in same], "lines": [row.where for row in same]}
            for same in conflicts
        ]
        run.table("conflicts", listed)
        run.note(f"{len(conflicts):,} texts carry different labels (conflicts.jsonl)")
    return len(conflicts)


def _lengths_figure(rows: Sequence[Canonical]) -> Any:
    from matplotlib.figure import Figure

    lengths = sorted(len(f"{row.input} {row.target}".split()) for row in rows)
    figure = Figure(figsize=(6, 2.6))
    axes = figure.add_subplot()
    longest = lengths[min(len(lengths) - 1, int(len(lengths) * 0.99))] if lengths else 1
    axes.hist([min(length, longest) for length in lengths], bins=min(40, longest + 1), color="#4878a8")
    axes.set_xlabel("words in a row, question and answer (the last bar holds the longest 1 %)")
    axes.set_ylabel("rows")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
