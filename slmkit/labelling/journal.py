"""The items to label, and a journal of every annotator's actions, from which all state is rebuilt.

    gold/<name>.labels/items.jsonl     {"id", "input"} per line, in random order; without known answers
                       task.json       kind, labels, instruction, and the source of the items
                       journal.jsonl   one line per keystroke and action, append-only, on disk before it is confirmed
                       agreed.jsonl    items with the same answer from two or more annotators and no flag

A kill can leave half a line at the end of the journal. It was never confirmed, so it is skipped.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slmkit.data.read_canonical import read_canonical
from slmkit.data.split import hash_share
from slmkit.errors import SlmkitError
from slmkit.files import read_jsonl, write_atomically
from slmkit.gold.gold_set import read_gold
from slmkit.text.identity import loose, text_hash
from slmkit.types import AnswersAre, ColumnNames

ACTIONS = ("key", "answer", "skip", "flag", "unflag", "back")
_NAME = re.compile(r"[\w][\w .@-]{0,39}")
_MAX_CHARACTERS = 100_000


@dataclass(frozen=True)
class Item:
    """One text to label."""

    id: str
    input: str


@dataclass
class Work:
    """One annotator's state of one item."""

    answer: str | None = None
    draft: str = ""  # typed but not submitted
    is_skipped: bool = False
    is_flagged: bool = False


@dataclass
class Labelling:
    """A set of items and the work of each annotator."""

    folder: Path
    kind: str
    labels: list[str]
    instruction: str
    items: list[Item]
    work: dict[str, dict[str, Work]] = field(default_factory=dict)  # annotator -> item id -> work

    def record(self, *, annotator: str, item: str, action: str, value: str = "") -> None:
        """Records one action; it is on disk when this returns. Raises: SlmkitError for an invalid action."""
        problem = self._problem(annotator, item, action, value)
        if problem:
            raise SlmkitError(problem, where=f"annotator {annotator[:40]!r}, item {item[:40]!r}")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {"at": at, "annotator": annotator, "item": item, "action": action, "value": value}
        _append(self.folder / "journal.jsonl", json.dumps(event, ensure_ascii=False) + "\n")
        self._apply(event)

    def work_of(self, annotator: str) -> dict[str, Work]:
        """The annotator's work by item."""
        return self.work.get(annotator, {})

    def answers(self, annotator: str) -> dict[str, str]:
        """The annotator's answers by item."""
        return {item: work.answer for item, work in self.work_of(annotator).items() if work.answer is not None}

    def agreed(self) -> list[dict[str, str]]:
        """Rows for `gold add`: items with the same answer from two or more annotators and no flag."""
        text, label = ("text", "label") if self.kind == "classification" else ("prompt", "completion")
        rows = []
        for item in self.items:
            done = [work[item.id] for work in self.work.values() if item.id in work]
            answers = [work.answer for work in done if work.answer is not None]
            is_unanimous = len({self.comparable(answer) for answer in answers}) == 1
            if len(answers) >= 2 and is_unanimous and not any(work.is_flagged for work in done):
                rows.append({"id": item.id, text: item.input, label: answers[0]})
        return rows

    def comparable(self, answer: str) -> str:
        """The form in which answers are compared: labels unchanged, texts without case, punctuation and spacing."""
        return answer if self.kind == "classification" else loose(answer)

    def _problem(self, annotator: str, item: str, action: str, value: str) -> str | None:
        if not _NAME.fullmatch(annotator):
            return f"the name {annotator[:40]!r} is not 1 to 40 letters, digits, spaces or .@-"
        if item not in {known.id for known in self.items}:
            return f"unknown item {item[:40]!r}"
        if action not in ACTIONS:
            return f"unknown action {action[:20]!r}"
        if len(value) > _MAX_CHARACTERS:
            return f"the text has {len(value):,} characters, more than {_MAX_CHARACTERS:,}"
        if action == "answer" and not value.strip():
            return "the answer is empty; skip the item instead"
        if action == "answer" and self.labels and value not in self.labels:
            return f"unknown label {value[:40]!r}"
        return None

    def _apply(self, event: dict[str, Any]) -> None:
        work = self.work.setdefault(event["annotator"], {}).setdefault(event["item"], Work())
        action, value = event["action"], event["value"]
        if action == "key":
            work.draft = value
        elif action == "answer":
            work.answer, work.draft, work.is_skipped = value, "", False
        elif action == "skip":
            work.is_skipped = True
        elif action in ("flag", "unflag"):
            work.is_flagged = action == "flag"


def start_labelling(
    folder: Path,
    *,
    data: Path | None,
    gold: Path | None,
    labels: Sequence[str] = (),
    limit: int = 200,
    text_column: ColumnNames | None = None,
    label_column: ColumnNames | None = None,
    passage_column: ColumnNames | None = None,
    answers_are: AnswersAre | None = None,
) -> Labelling:
    """Resumes the labelling in `folder`, or starts one with rows of `data` or the examples of the `gold` set.

    If there are more than `limit` rows, a random sample is used, always the same for the same data. Without `labels`,
    those of the data are used; if it has none, the answers are free texts.
    """
    if (folder / "items.jsonl").exists():
        return read_labelling(folder)
    if data is not None:
        rows = read_canonical(
            data,
            text_column=text_column,
            label_column=label_column,
            passage_column=passage_column,
            answers_are=answers_are,
            text_as="text",
        )
        texts, kind, known = [row.input for row in rows.rows], rows.kind, rows.labels
        instruction = rows.instruction if rows.kind == "classification" else ""
    elif gold is not None:
        frozen = read_gold(gold)
        texts, kind, known = [e.input for e in frozen.examples], frozen.task.kind, list(frozen.task.labels)
        instruction = frozen.task.instruction
    else:
        fix = "slmkit gold label NAME data=FILE"
        raise SlmkitError("nothing to label: there is no data and no gold set", where=str(folder), fix=fix)
    chosen = list(labels) or known
    unique = list({text_hash(text): text for text in reversed(texts)}.values())
    ordered = sorted(unique, key=lambda text: hash_share(text, salt="gold"))[:limit]
    task = {
        "kind": "classification" if chosen else "generation" if kind == "classification" else kind,
        "labels": chosen,
        "instruction": instruction,
        "source": str(data or gold),
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / "task.json", json.dumps(task, ensure_ascii=False, indent=1) + "\n")
    lines = [json.dumps({"id": text_hash(text), "input": text}, ensure_ascii=False) for text in ordered]
    write_atomically(folder / "items.jsonl", "".join(line + "\n" for line in lines))  # last: marks the start
    return read_labelling(folder)


def read_labelling(folder: Path) -> Labelling:
    """The labelling with its journal replayed."""
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    items = [Item(**row) for row in read_jsonl(folder / "items.jsonl")]
    labelling = Labelling(folder, task["kind"], task["labels"], task["instruction"], items)
    journal = folder / "journal.jsonl"
    for line in journal.read_bytes().split(b"\n") if journal.exists() else []:
        with contextlib.suppress(ValueError):  # a line cut short by a kill
            if line:
                labelling._apply(json.loads(line))
    return labelling


def write_agreed(labelling: Labelling) -> Path:
    """Writes agreed.jsonl from the current state and returns its path."""
    path = labelling.folder / "agreed.jsonl"
    write_atomically(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in labelling.agreed()))
    return path


def _append(path: Path, line: str) -> None:
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # keep a line cut short by a kill separate
                line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())
