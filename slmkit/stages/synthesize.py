"""The synthesize stage: generates rows with a model; each is marked, traced to its seed, and not in the gold set."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, DroppedRow
from slmkit.data.cleaning.clean_rows import drop_gold
from slmkit.data.documents import passage_id, read_passages
from slmkit.data.read_canonical import read_canonical
from slmkit.data.row_counts import counted_reasons
from slmkit.data.synthetic_rows import INSTRUCTIONS, STYLES, Method, Request, read_answer, requests
from slmkit.errors import SlmkitError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import ask
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run_folder import Run
from slmkit.text.identity import loose
from slmkit.types import AnswersAre, ColumnNames, Example, Input, PositiveInt, SystemPart, Task


def synthesize(
    run: Run,
    *,
    data: Input,
    system: SystemPart,
    method: Method = "paraphrase",
    gold: Input | None = None,
    num_per_row: PositiveInt = 1,
    limit: PositiveInt | None = None,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
    encoding: str = "auto",
    chunk_size: PositiveInt = 120,
) -> None:
    """Generates rows by asking a system for paraphrases, similar examples, or questions about documents.

    Writes data.jsonl, which prepare reads: each row is marked synthetic and records its method, system, seed row and
    prompt. dropped.jsonl contains each unused answer with the reason, for example: truncated, wrong format, near
    duplicate of its seed, in the gold set. limit: use only the first seed rows or passages. An interrupted run
    continues without repeating requests.
    """
    seeds, has_labels = _seeds(
        run,
        data,
        method,
        text_column=text_column,
        label_column=label_column,
        answers_are=answers_are,
        encoding=encoding,
        chunk_size=chunk_size,
    )
    asked = requests(seeds[:limit], method, num_per_row=num_per_row, has_labels=has_labels)
    name = system.label
    file = AnswerFile(run.path("answered.jsonl"))
    with run.progress(f"ask {name}", len(asked), "rows") as bar:
        answers = ask(
            lambda: system(Task("synthesize", instruction=INSTRUCTIONS[method])),
            name,
            [Example(one.id, one.prompt, "") for one in asked],
            file=file,
            on_answer=lambda answer: bar.advance(tokens=answer.prompt_tokens + answer.completion_tokens),
            on_note=run.note,
        )
    release_shared_model()
    rows: list[tuple[CanonicalRow, Request]] = []
    dropped: list[DroppedRow] = []
    known = {loose(seed.input) for seed in seeds}
    for one, answer in zip(asked, answers, strict=True):
        read = read_answer(one, answer)
        if isinstance(read, CanonicalRow) and loose(read.input) not in known:
            known.add(loose(read.input))
            rows.append((read, one))
        else:
            reason = read if isinstance(read, str) else "duplicate of another row"
            dropped.append(DroppedRow(reason, str(one.seed.file), one.seed.line, answer.text[:200]))
    frozen = read_gold(gold) if gold else None
    clean = drop_gold([row for row, _ in rows], [*frozen.examples, *frozen.dev] if frozen else [])
    dropped += clean.dropped
    kept = {id(row) for row in clean.rows}
    run.table("data", [_line(row, one, name) for row, one in rows if id(row) in kept])
    if method == "questions":
        run.table("documents", [{"id": passage_id(seed.input), "text": seed.input} for seed in seeds[:limit]])
    run.table("dropped", [asdict(row) for row in dropped])
    run.table("provenance", [{"system": name, "method": method, **file.setups.get(name, {})}])

    run.metric(num_asked=len(asked), num_rows=len(kept), kept_share=len(kept) / max(1, len(asked)))
    run.verdict(
        f"{len(kept):,} synthetic rows from {len(asked):,} requests. Not used: {counted_reasons(dropped)}.",
        positive=bool(kept),
    )


def check(*, system: SystemPart, num_per_row: int = 1, **_: Any) -> None:
    """Checks num_per_row and builds the system, so that a missing model or key is reported before any work."""
    if num_per_row > len(STYLES):
        raise SlmkitError(
            f"num_per_row={num_per_row} is above the maximum of {len(STYLES)}",
            where="with.num_per_row",
            fix=f"use 1 to {len(STYLES)}",
        )
    system(Task("synthesize"))


def _seeds(
    run: Run,
    data: Any,
    method: Method,
    *,
    text_column: ColumnNames | None,
    label_column: ColumnNames | None,
    answers_are: AnswersAre | None,
    encoding: str,
    chunk_size: int,
) -> tuple[list[CanonicalRow], bool]:
    """The seed rows or passages, and whether their targets are labels."""
    if method == "questions":
        passages = read_passages(data, chunk_size=chunk_size, encoding=encoding, on_note=run.note)
        return [CanonicalRow({"text": p.text}, p.text, "", data / p.id, i) for i, p in enumerate(passages, 1)], False
    found = read_canonical(
        data,
        text_column=text_column,
        label_column=label_column,
        answers_are=answers_are,
        encoding=encoding,
        on_note=run.note,
    )
    usable = [row for row in found.rows if row.target and len(row.values.get("messages", ())) in (2, 3)]
    if not usable:
        raise SlmkitError(
            f"{found.shape}: no row has one question and one answer",
            where=found.rows[0].where,
            fix="use rows with an input and a target, or method=questions for documents",
        )
    return list({row.id: row for row in usable}.values()), found.kind == "classification"


def _line(row: CanonicalRow, one: Request, system: str) -> dict[str, Any]:
    provenance = {"method": one.method, "system": system, "seed": one.seed.where, "seed_id": one.seed.id}
    passage = {"passage": passage_id(row.passage)} if row.passage else {}
    return {**row.values, "synthetic": True, "provenance": {**provenance, **passage, "prompt": one.prompt_sha256}}
