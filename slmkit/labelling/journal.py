"""Items that people answer by hand: what is asked, and a journal of everything they did, from which all else follows.

    gold/<name>.labels/items.jsonl     what is asked, {"id", "input"}, in random order; known answers are not in it
                       task.json       kind, labels, instruction, and where the items came from
                       journal.jsonl   a line for each keystroke and answer, only added to, on disk when confirmed
                       agreed.jsonl    items that two people or more answered alike and nobody flagged

A kill can leave half a line at the end of the journal: it was never confirmed, and is passed over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from slmkit.data.canonical import read_canonical
from slmkit.data.split import hash_share
from slmkit.errors import SlmkitError
from slmkit.gold.gold_set import read_gold
from slmkit.text.identity import normalise, text_hash

ACTIONS = ("key", "answer", "skip", "flag", "unflag", "back")
_NAME = re.compile(r"[\w][\w .@-]{0,39}")
_MOST_CHARACTERS = 100_000


@dataclass(frozen=True)
class Item:
    """One text to answer."""

    id: str
    input: str


@dataclass
class Work:
    """What one person did with one item."""

    answer: str | None = None
    draft: str = ""  # typed and not yet given as the answer
    is_skipped: bool = False
    is_flagged: bool = False


@dataclass
class Labelling:
    """A set of items, and what each person did with them."""

    folder: Path
    kind: str
    labels: list[str]
    instruction: str
    items: list[Item]
    work: dict[str, dict[str, Work]] = field(default_factory=dict)  # person -> item id -> work
    num_broken: int = 0  # lines of the journal that a kill cut short

    def record(self, *, annotator: str, item: str, action: str, value: str = "") -> None:
        """Writes one act down; it is on disk when this returns. Raises: SlmkitError for what cannot be meant."""
        fault = self._fault(annotator, item, action, value)
        if fault:
            raise SlmkitError(fault, where=f"annotator {annotator[:40]!r}, item {item[:40]!r}")
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        event = {"at": at, "annotator": annotator, "item": item, "action": action, "value": value}
        _append(self.folder / "journal.jsonl", json.dumps(event, ensure_ascii=False) + "\n")
        self._apply(event)

    def of(self, annotator: str) -> dict[str, Work]:
        """What this person did; nobody else's work is in it."""
        return self.work.get(annotator, {})

    def answers(self, annotator: str) -> dict[str, str]:
        """This person's answers by item."""
        return {item: work.answer for item, work in self.of(annotator).items() if work.answer is not None}

    def agreed(self) -> list[dict[str, str]]:
        """The items that two or more people answered, all alike, none flagged: rows that `gold add` takes."""
        text, label = ("text", "label") if self.kind == "classification" else ("prompt", "completion")
        rows = []
        for item in self.items:
            done = [of[item.id] for of in self.work.values() if item.id in of]
            answers = [work.answer for work in done if work.answer is not None]
            alike = len({self.same(answer) for answer in answers}) == 1
            if len(answers) >= 2 and alike and not any(work.is_flagged for work in done):
                rows.append({"id": item.id, text: item.input, label: answers[0]})
        return rows

    def same(self, answer: str) -> str:
        """The form in which answers count as the same: labels as they are, texts without case, marks and spaces."""
        return answer if self.kind == "classification" else normalise(answer)

    def _fault(self, annotator: str, item: str, action: str, value: str) -> str | None:
        if not _NAME.fullmatch(annotator):
            return "a name has 1 to 40 letters, digits, spaces or .@-"
        if item not in {known.id for known in self.items}:
            return "no such item"
        if action not in ACTIONS:
            return f"no such action: {action[:20]!r}"
        if len(value) > _MOST_CHARACTERS:
            return f"longer than {_MOST_CHARACTERS:,} characters"
        if action == "answer" and not value.strip():
            return "an answer that is empty: skip the item instead"
        if action == "answer" and self.labels and value not in self.labels:
            return f"no such label: {value[:40]!r}"
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
    text_column: str | None = None,
    label_column: str | None = None,
) -> Labelling:
    """The labelling in `folder`: begun with rows of `data`, or the examples of a frozen `gold` set, or gone on with.

    Of more than `limit` rows a random sample is asked, the same for the same data. Labels are those of the data where
    none are given; without any the answers are free texts.
    """
    if (folder / "items.jsonl").exists():
        return read_labelling(folder)
    if data is not None:
        rows = read_canonical(data, text_column=text_column, label_column=label_column, text_as="text")
        texts, kind, known = [row.input for row in rows.rows], rows.kind, rows.labels
        instruction = rows.instruction if rows.kind == "classification" else ""
    elif gold is not None:
        frozen = read_gold(gold)
        texts, kind, known = [e.input for e in frozen.examples], frozen.task.kind, list(frozen.task.labels)
        instruction = frozen.task.instruction
    else:
        fix = "slmkit gold label NAME data=FILE"
        raise SlmkitError("nothing to label: neither data nor a frozen gold set", where=str(folder), fix=fix)
    chosen = list(labels) or known
    unique = list({normalise(text): text for text in reversed(texts)}.values())
    ordered = sorted(unique, key=lambda text: hash_share(text, salt="gold"))[:limit]
    task = {
        "kind": "classification" if chosen else "generation" if kind == "classification" else kind,
        "labels": chosen,
        "instruction": instruction,
        "source": str(data or gold),
    }
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "task.json", json.dumps(task, ensure_ascii=False, indent=1) + "\n")
    lines = [json.dumps({"id": text_hash(text), "input": text}, ensure_ascii=False) for text in ordered]
    _write(folder / "items.jsonl", "".join(line + "\n" for line in lines))  # last: its presence means begun
    return read_labelling(folder)


def read_labelling(folder: Path) -> Labelling:
    """The labelling as it stands, its journal replayed."""
    task = json.loads((folder / "task.json").read_text(encoding="utf-8"))
    lines = (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()
    found = Labelling(
        folder, task["kind"], task["labels"], task["instruction"], [Item(**json.loads(line)) for line in lines]
    )
    journal = folder / "journal.jsonl"
    for line in journal.read_bytes().split(b"\n") if journal.exists() else []:
        try:
            if line:
                found._apply(json.loads(line))
        except ValueError:  # cut short by a kill
            found.num_broken += 1
    return found


def write_agreed(labelling: Labelling) -> Path:
    """agreed.jsonl, as the journal has it now."""
    path = labelling.folder / "agreed.jsonl"
    _write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in labelling.agreed()))
    return path


def _append(path: Path, line: str) -> None:
    with open(path, "ab+") as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":  # a line that a kill cut short stays a line of its own
                line = "\n" + line
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
