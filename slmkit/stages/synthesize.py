"""The synthesize stage: rows written by a model, each marked and traced to its seed, none out of gold."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from slmkit.data.canonical import Dropped, read_canonical
from slmkit.data.cleaning.steps import drop_gold
from slmkit.data.convert import Canonical
from slmkit.data.documents import read_passages
from slmkit.data.synthetic_rows import INSTRUCTIONS, STYLES, Method, Request, read_answer, requests
from slmkit.errors import SlmkitError
from slmkit.evaluation.measure import AnswerFile, ask
from slmkit.gold.gold_set import passage_id, read_gold
from slmkit.models.load import release_shared_model
from slmkit.runs.run import Run
from slmkit.text.identity import normalise
from slmkit.types import Example, Input, PositiveInt, SystemPart, Task


def synthesize(
    run: Run,
    *,
    data: Input,
    system: SystemPart,
    method: Method = "paraphrase",
    gold: Input | None = None,
    num_per_row: PositiveInt = 1,
    limit: PositiveInt | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "auto",
    chunk_size: PositiveInt = 120,
) -> None:
    """Writes new rows by asking a system: paraphrases, examples like those there, or questions about documents.

    Writes data.jsonl, which prepare reads: each row is marked synthetic and names method, system, seed row and prompt.
    dropped.jsonl holds each answer that was not used, with the reason: no answer, cut, another form, too near its
    seed, a repeat, held by gold. limit: only the first seed rows or passages. A killed run asks nothing twice.
    """
    seeds, has_labels = _seeds(
        run, data, method, text_column=text_column, label_column=label_column, encoding=encoding, chunk_size=chunk_size
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
    rows: list[tuple[Canonical, Request]] = []
    left_out: list[Dropped] = []
    known = {normalise(seed.input) for seed in seeds}
    for one, answer in zip(asked, answers, strict=True):
        read = read_answer(one, answer)
        if isinstance(read, Canonical) and normalise(read.input) not in known:
            known.add(normalise(read.input))
            rows.append((read, one))
        else:
            reason = read if isinstance(read, str) else "repeats another row"
            left_out.append(Dropped(reason, str(one.seed.file), one.seed.line, answer.text[:200]))
    frozen = read_gold(gold) if gold else None
    held = [*frozen.examples, *frozen.dev] if frozen else []
    clean = drop_gold([row for row, _ in rows], held)
    kept = {id(row) for row in clean.rows}
    run.table("data", [_line(row, one, name) for row, one in rows if id(row) in kept])
    if method == "questions":
        run.table("documents", [{"id": passage_id(seed.input), "text": seed.input} for seed in seeds[:limit]])
    run.table("dropped", [asdict(row) for row in [*left_out, *clean.dropped]])
    run.table("provenance", [{"system": name, "method": method, **file.setups.get(name, {})}])
    reasons = Counter(row.reason for row in [*left_out, *clean.dropped])
    run.metric(num_asked=len(asked), num_rows=len(kept), kept_share=len(kept) / max(1, len(asked)))
    why = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
    run.verdict(
        f"{len(kept):,} synthetic rows of {len(asked):,} asked for" + (f"; not used: {why}." if why else "."),
        positive=bool(kept),
    )


def check(*, system: SystemPart, num_per_row: int = 1, **_: Any) -> None:
    """Builds the system, which tells a missing model or key before any work, and looks at the counts."""
    if num_per_row > len(STYLES):
        raise SlmkitError(f"num_per_row is {num_per_row}", where="with.num_per_row", fix=f"give 1 to {len(STYLES)}")
    system(Task("synthesize"))


def _seeds(
    run: Run,
    data: Any,
    method: Method,
    *,
    text_column: str | None,
    label_column: str | None,
    encoding: str,
    chunk_size: int,
) -> tuple[list[Canonical], bool]:
    """The rows or passages to start from, and whether their targets are labels."""
    if method == "questions":
        passages = read_passages(data, chunk_size=chunk_size, encoding=encoding, on_note=run.note)
        return [Canonical({"text": p.text}, p.text, "", data / p.id, i) for i, p in enumerate(passages, 1)], False
    found = read_canonical(
        data, text_column=text_column, label_column=label_column, encoding=encoding, on_note=run.note
    )
    usable = [row for row in found.rows if row.target and len(row.values.get("messages", ())) in (2, 3)]
    if not usable:
        raise SlmkitError(
            f"{found.shape}: no row is one question with one answer",
            where=found.rows[0].where,
            fix="give rows with an input and a target, or method=questions for documents",
        )
    return list({row.id: row for row in usable}.values()), found.kind == "classification"


def _line(row: Canonical, one: Request, system: str) -> dict[str, Any]:
    provenance = {"method": one.method, "system": system, "seed": one.seed.where, "seed_id": one.seed.id}
    passage = {"passage": passage_id(row.passage)} if row.passage else {}
    return {**row.values, "synthetic": True, "provenance": {**provenance, **passage, "prompt": one.prompt_sha256}}
