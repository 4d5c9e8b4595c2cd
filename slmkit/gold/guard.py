"""Keeps gold out of training: refuses files whose rows ask what a frozen gold set asks, case, marks and spaces aside.

Near repeats are prepare's to find. This look is for every file that is trained on, however it was made, and is quick:
the first characters of each text are compared before a line is parsed.
"""

from __future__ import annotations

import functools
import itertools
import json
import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError
from slmkit.gold.gold_set import Gold, read_card, read_examples
from slmkit.recipe.lookup import gold_folders
from slmkit.text.identity import normalise

_HEAD = 24  # letters and digits compared before a line is parsed
_TEXT = re.compile(r'"(?:content|prompt|text)"\s*:\s*"([^"\\]{0,80})')  # ends at an escape: what follows is not seen
_BATCH_ROWS = 4096
_ASKED = ("dev.jsonl", "examples.jsonl")  # the files of a gold set that hold questions
_NO_LETTERS = dict.fromkeys(map(ord, set(string.punctuation + string.whitespace) - {"\n"}))


@dataclass(frozen=True)
class Questions:
    """What gold asks: normalised text -> name of its set."""

    set_of: dict[str, str]

    @functools.cached_property
    def beginnings(self) -> set[str]:
        """Every beginning of the first letters and digits of a question."""
        return {head[:n] for head in _heads(list(self.set_of)) for n in range(len(head) + 1)}


@dataclass(frozen=True)
class Held:
    """A row of a training file that stands in gold."""

    line: int
    id: str
    text: str
    gold: str  # the name of the gold set


def refuse_gold(*data: Path | None) -> None:
    """Refuses training data that hold a question of any frozen gold set: those of gold/ here and those that ship.

    Each of `data` is a .jsonl file or a folder with train.jsonl and validation.jsonl; what is not there is not looked
    at. Raises: RefusedError with row, line and gold set.
    """
    gold = gold_questions()
    for path in filter(None, data):
        for file in (path / "train.jsonl", path / "validation.jsonl") if path.is_dir() else (path,):
            if file.is_file() and (held := list(rows_in_gold(file, gold))):
                sets = ", ".join(f"{name} {count:,}" for name, count in Counter(row.gold for row in held).items())
                first = held[0]
                raise RefusedError(
                    f"{len(held):,} row{'s' * (len(held) > 1)} to train on stand in frozen gold ({sets}): "
                    f"row {first.id} asks {first.text[:60]!r}, as gold/{first.gold} does",
                    where=f"{file}:{first.line}",
                    fix=f"run prepare with gold={first.gold}, which leaves them out, "
                    "or allow_gold: true to show what a leak does",
                )


def refuse_asked(system: str, learns_from: Path, gold: Gold) -> None:
    """Refuses to ask a system the questions of a gold set that stand in the rows it learns from: it would know them.

    learns_from: a .jsonl file or the folder of a prepared run; what is not there is not looked at.
    Raises: RefusedError with row and line.
    """
    file = learns_from / "train.jsonl" if learns_from.is_dir() else learns_from
    if gold.card.get("taught") or not file.is_file():
        return
    asked = Questions({normalise(example.input): gold.task.name for example in gold.examples})
    held = list(rows_in_gold(file, asked))
    if held:
        raise RefusedError(
            f"{len(held):,} row{'s' * (len(held) > 1)} that {system!r} learns from stand in gold/{gold.task.name}: "
            f"row {held[0].id} asks {held[0].text[:60]!r}",
            where=f"{file}:{held[0].line}",
            fix=f"run prepare with gold={gold.folder}, which leaves them out",
        )


def rows_in_gold(file: Path, gold: Questions) -> Iterator[Held]:
    """The rows of a .jsonl file that ask one of the gold questions."""
    with open(file, encoding="utf-8") as lines:
        numbered = enumerate(lines, 1)
        while batch := list(itertools.islice(numbered, _BATCH_ROWS)):
            found = [(place, text) for place, (_, line) in enumerate(batch) for text in _TEXT.findall(line)]
            heads = _heads([text for _, text in found])
            likely = {place for (place, _), head in zip(found, heads, strict=True) if head in gold.beginnings}
            for place in sorted(likely):
                number, line = batch[place]
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:  # the stage that reads the row says so
                    continue
                asked = next((text for text in _asked(row) if normalise(text) in gold.set_of), None)
                if asked is not None:
                    yield Held(number, str(row.get("id", number)), asked, gold.set_of[normalise(asked)])


def _heads(texts: Sequence[str]) -> list[str]:
    """The first letters and digits of each text, in one sweep over all; of a text's beginning, the beginning."""
    joined = "\n".join(text.replace("\n", " ") for text in texts)
    if joined.isascii():
        plain = joined.translate(_NO_LETTERS).lower()
    else:  # é as e, so that a text cut before an accent still begins alike
        plain = re.sub(r"[^\w\n]|_", "", unicodedata.normalize("NFKD", joined.casefold()))
    return [line[:_HEAD] for line in plain.split("\n")] if texts else []


def _asked(row: Any) -> Iterator[str]:
    """What a row asks: each user turn of a chat or a preference pair, a prompt, or plain text."""
    if not isinstance(row, dict):
        return
    for key in ("messages", "prompt", "chosen", "text"):
        value = row.get(key)
        if isinstance(value, list):
            turns = [turn for turn in value if isinstance(turn, dict)]
            yield from (str(turn.get("content")) for turn in turns if turn.get("role") == "user")
        elif isinstance(value, str) and key != "chosen":
            yield value


def gold_questions() -> Questions:
    """Each question of each frozen gold set, dev too; read once a process, and again where a file has changed.

    Without the sets whose card says `taught: true`: they ask what the model was taught, in one of few ways to ask it.
    """
    folders = sorted(gold_folders().items())
    files = [file for _, folder in folders for name in ("card.yaml", *_ASKED) if (file := folder / name).exists()]
    stats = [(file.absolute(), file.stat()) for file in files]
    return _read(tuple(folders), tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats))


@functools.lru_cache(maxsize=1)
def _read(folders: tuple[tuple[str, Path], ...], stamps: tuple[tuple[Path, int, int], ...]) -> Questions:
    return Questions(
        {
            normalise(example.input): name
            for name, folder in folders
            if not read_card(folder).get("taught")
            for file in _ASKED
            for example in read_examples(folder / file)
        }
    )
