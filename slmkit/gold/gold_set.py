"""Gold: the questions a verdict stands on, frozen in a folder that no training row may come from.

    gold/<name>/examples.jsonl   the examples, in the order of their hashes, so that the first n are a random sample
                dev.jsonl        others, to choose prompts and settings by; never trained on, never in a verdict
                card.yaml        task, labels, source, count, and the sha256 of examples.jsonl

A folder whose examples changed after they were frozen is refused.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.data.split import hash_share
from slmkit.errors import FailedError, RefusedError, SlmkitError
from slmkit.files import sha256_of, to_yaml
from slmkit.text.identity import normalise, text_hash
from slmkit.types import Example, Task

if TYPE_CHECKING:
    from slmkit.data.canonical import Canonicals
    from slmkit.data.convert import Canonical

_FEWEST_ROWS = 20  # below this no part of the data can be kept apart and still say anything

Say = Callable[[str], None]


@dataclass(frozen=True)
class Gold:
    """A frozen gold set."""

    folder: Path
    task: Task
    examples: list[Example]
    dev: list[Example]
    sha256: str
    card: Mapping[str, Any]


def read_gold(folder: Path) -> Gold:
    """The gold set in a folder. Raises: RefusedError when examples.jsonl is not what was frozen."""
    path = folder / "examples.jsonl"
    if folder.is_file():
        raise SlmkitError(
            "a file is no frozen gold set",
            where=str(folder),
            fix=f"`slmkit gold freeze data=FILE gold={folder}` first",
        )
    for needed in (folder / "card.yaml", path):
        if not needed.is_file():
            raise SlmkitError(
                f"no gold set: {needed.name} is missing", where=str(folder), fix="name a folder such as gold/NAME"
            )
    card = read_card(folder)
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    if sha256 != card["sha256"]:
        raise RefusedError(
            f"the examples changed after they were frozen (sha256 {sha256[:12]}, card {card['sha256'][:12]})",
            where=str(path),
            fix="restore the file, or freeze the changed one as a gold set with another name",
        )
    task = Task(card["name"], card["kind"], card.get("instruction") or "", tuple(card.get("labels") or ()))
    return Gold(folder, task, read_examples(path), read_examples(folder / "dev.jsonl"), sha256, card)


def freeze_gold(
    folder: Path,
    *,
    examples: Sequence[Example],
    dev: Sequence[Example] = (),
    task: Task,
    source: str,
    rules: str = "",
    licence: str = "not stated",
    extra: Mapping[str, Any] | None = None,
) -> Gold:
    """Writes a gold folder in one move, with the keys of `extra` at the end of its card, and reads it back.

    Raises: SlmkitError when the folder is there already; FailedError when it cannot be written.
    """
    if folder.exists():
        raise SlmkitError("this gold set is frozen already", where=str(folder), fix="choose another name")
    ids = Counter(example.id for example in examples)
    if repeated := [id for id, count in ids.items() if count > 1]:
        raise SlmkitError(f"two examples have the id {repeated[0]!r}", where=str(folder), fix="give each its own")
    text = as_lines(examples)
    card = {
        "name": task.name,
        "kind": task.kind,
        "instruction": task.instruction,
        "labels": list(task.labels),
        "rules": rules,
        "source": source,
        "licence": licence,
        "count": len(examples),
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "created": date.today().isoformat(),
        **(extra or {}),
    }
    files = {"examples.jsonl": text, "card.yaml": to_yaml(card), **({"dev.jsonl": as_lines(dev)} if dev else {})}
    _write_folder(folder, files)
    return read_gold(folder)


def freeze_on_first_sight(
    data: Path,
    *,
    folder: Path,
    gold: Path | None = None,
    text_column: str | None = None,
    label_column: str | None = None,
    encoding: str = "auto",
    size: int = 200,
    on_note: Say | None = None,
) -> Gold:
    """The gold set of a user's own data: frozen into `folder` the first time, read from it ever after.

    With `gold` a file, all its usable rows become gold; with `gold` a frozen folder, that one is used. Without, the
    test or validation file beside the training file of a data folder; else `size` rows (at most a fifth) are set
    aside. Half as many other rows of the data (at most a tenth) become dev. Rows are chosen by the hash of their text.
    Raises: SlmkitError when `folder` was frozen from another file than these.
    """
    from slmkit.data.canonical import read_canonical
    from slmkit.data.read import data_files, held_out_files
    from slmkit.text.leakage import find_leaks

    say = on_note or (lambda text: None)
    if gold is not None and (gold / "card.yaml").is_file():
        return read_gold(gold)
    columns = {"text_column": text_column, "label_column": label_column, "encoding": encoding}
    held_out = [gold] if gold is not None else held_out_files(data)
    sources = held_out or data_files(data)
    if folder.exists():
        found = read_gold(folder)
        _check_source(found, sources)
        _check_shape(found, sources, columns)
        same = sha256_of(sources) == found.card.get("source_sha256")
        since = "nothing changed" if same else "the data have changed since, the gold set has not"
        say(f"{folder} was frozen before: {since}")
        return found
    rows = read_canonical(data, on_note=say, **columns)  # type: ignore[arg-type]
    if rows.rows and "messages" not in rows.rows[0].values:
        raise SlmkitError(
            f"{rows.shape} cannot be asked as questions with one right answer",
            where=rows.rows[0].where,
            fix="give gold=FILE with inputs and answers",
        )
    held_parts: list[Canonicals] = []
    if held_out:
        held_parts = [read_canonical(path, on_note=say, **columns) for path in held_out]  # type: ignore[arg-type]
        candidates, counts = _examples([row for part in held_parts for row in part.rows], rows)
        examples = candidates
    else:
        candidates, counts = _examples(rows.rows, rows)
        examples = candidates[: min(size, len(candidates) // 5)]
    if len(rows.rows) < _FEWEST_ROWS or not examples:
        raise SlmkitError(
            f"{len(rows.rows)} usable rows are too few to keep some apart",
            where=str(data),
            fix=f"give at least {_FEWEST_ROWS} rows",
        )
    taken = {normalise(example.input) for example in examples}
    others = [e for e in _examples(rows.rows, rows)[0] if normalise(e.input) not in taken]
    wanted = min(size // 2, len(others) // 10)
    alike = {leak.row for leak in find_leaks([e.input for e in others[: 2 * wanted]], [e.input for e in examples])}
    dev = [example for i, example in enumerate(others[: 2 * wanted]) if i not in alike][:wanted]
    labels = sorted({*rows.labels, *(e.target for e in examples)}) if rows.kind == "classification" else []
    unseen = sorted(set(labels) - set(rows.labels))
    if unseen:
        say(f"gold holds {len(unseen)} labels that no training row has: {', '.join(unseen[:5])}")
    frozen = freeze_gold(
        folder,
        examples=examples,
        dev=dev,
        task=Task(folder.name, rows.kind, rows.instruction, tuple(labels)),
        source=", ".join(_relative(path, folder) for path in sources),
        rules=_rules(len(examples), len(candidates), bool(held_out), rows.is_synthetic),
        extra={
            "source_sha256": sha256_of(sources),
            "read_as": str((held_parts[0] if held_parts else rows).shape),
            "removed": counts,
            "synthetic": rows.is_synthetic,
        },
    )
    if rows.kind == "classification" and len(labels) < 2:
        say(f"every example has the label {labels[0]!r}: whatever always says so is right, and nothing can be told")
    unusable = Counter(row.reason for row in (*rows.dropped, *(row for part in held_parts for row in part.dropped)))
    if unusable:
        say("not usable: " + ", ".join(f"{count:,} rows with {reason}" for reason, count in unusable.items()))
    removed = ", ".join(f"{count} {reason}" for reason, count in counts.items() if count)
    say(
        f"froze {len(examples):,} examples as gold in {folder}"
        + (f" and {len(dev):,} for development" if dev else "")
        + (f"; removed {removed}" if removed else "")
    )
    return frozen


def _examples(rows: Sequence[Canonical], data: Canonicals) -> tuple[list[Example], dict[str, int]]:
    """Examples ordered by hash: one a text, and what was removed: repeats, and texts that have two labels.

    Where the task is not to classify, other answers to the same text count as right too.
    """
    by_text: dict[str, list[Canonical]] = {}
    for row in rows:
        by_text.setdefault(normalise(row.input), []).append(row)
    examples = []
    counts = {"duplicate": 0, "ambiguous": 0}
    for same in by_text.values():
        row = same[0]
        answers = list(dict.fromkeys(answer for one in same for answer in (one.target, *one.aliases)))
        if data.kind == "classification" and len(answers) > 1:
            counts["ambiguous"] += len(same)
            continue
        counts["duplicate"] += len(same) - len({one.target for one in same})
        relevant = tuple(dict.fromkeys(passage_id(one.passage) for one in same if one.passage))
        examples.append(Example(text_hash(row.input), row.input, answers[0], tuple(answers[1:]), relevant, row.slice))
    return sorted(examples, key=lambda example: hash_share(example.input, salt="gold")), counts


def passage_id(text: str) -> str:
    """The id of a passage that stands in the data itself: its hash, so that prepare and gold agree."""
    return f"passage-{text_hash(text)}"


def _check_source(gold: Gold, sources: Sequence[Path]) -> None:
    given = ", ".join(_relative(path, gold.folder) for path in sources)
    known = str(gold.card.get("source", ""))
    if given != known and sha256_of(sources) != gold.card.get("source_sha256"):
        raise SlmkitError(
            f"this gold set was frozen from {known}, not from {given}",
            where=str(gold.folder / "card.yaml"),
            fix="choose another name for the new data, or give the gold set it belongs to: gold=FOLDER",
        )


def _check_shape(gold: Gold, sources: Sequence[Path], columns: Mapping[str, Any]) -> None:
    """Refuses columns that make other questions of the source than those that were frozen."""
    from slmkit.data.canonical import read_shape

    known = gold.card.get("read_as")
    if known is None or not (columns["text_column"] or columns["label_column"]):
        return
    shape = read_shape(sources[0], **columns)
    if str(shape) != known:
        raise SlmkitError(
            f"this gold set was frozen as {known}, not as {shape}",
            where=str(gold.folder / "card.yaml"),
            fix=f"remove {gold.folder} to freeze it anew, or leave the columns out",
        )


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve().parent)).as_posix()


def _rules(num_examples: int, num_candidates: int, is_given: bool, is_synthetic: bool) -> str:
    how = "all usable rows of the source" if is_given else f"{num_examples} of {num_candidates} rows, by content hash"
    return f"{how}; synthetic gap-fill questions made from documents" if is_synthetic else how


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a gold folder."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    path = folder / "card.yaml"
    try:
        card = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
    except (MarkedYAMLError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        told = getattr(error, "problem", None) or str(error)
        raise SlmkitError(f"not valid YAML: {told}", where=where, fix="restore the card as frozen") from None
    if not isinstance(card, dict) or not {"name", "kind", "sha256"} <= set(card):
        raise SlmkitError(
            "a gold card needs name, kind and sha256",
            where=str(folder / "card.yaml"),
            fix="restore the card as frozen",
        )
    return card


def read_examples(path: Path) -> list[Example]:
    """The examples of a file of a gold folder; none where it is not there."""
    if not path.exists():
        return []
    examples: dict[str, Example] = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line:
            where = f"{path}:{number}"
            try:
                example = Example.from_dict(json.loads(line))
            except (json.JSONDecodeError, TypeError) as error:
                raise SlmkitError(
                    f"not an example: {error}", where=where, fix="a line needs id, input and target"
                ) from None
            if example.id in examples:
                raise SlmkitError(f"two examples have the id {example.id!r}", where=where, fix="give each its own")
            examples[example.id] = example
    return list(examples.values())


def as_lines(examples: Sequence[Example]) -> str:
    return "".join(json.dumps(example.to_dict(), ensure_ascii=False) + "\n" for example in examples)


def _write_folder(folder: Path, files: Mapping[str, str]) -> None:
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        for name, text in files.items():
            (temporary / name).write_text(text, encoding="utf-8")
        temporary.replace(folder)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            fix = "the same command again reads what was frozen"
            raise RefusedError("another process froze this gold set meanwhile", where=str(folder), fix=fix) from None
        raise FailedError(
            f"cannot write the gold set: {error.strerror}",
            where=str(folder),
            fix="free the disk, or let it be written",
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
