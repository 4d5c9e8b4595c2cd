"""Keeps gold out of training: refuses training files that contain an input of a frozen gold set.

Alike questions are refused: case, punctuation, white space, HTML tags and Markdown around a text, and tools are
ignored, as slmkit.text.leakage does. Rows found by comparing words, such as near duplicates, are left to prepare.
Every training file is checked, no matter how it was made. The check is fast: a line is parsed only if the first
characters of a text match, or if they are HTML.
"""

from __future__ import annotations

import contextlib
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

from slmkit.console import console
from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import is_empty
from slmkit.data.chat_messages import clean_messages, turns_in
from slmkit.errors import RefusedError, SlmkitError
from slmkit.gold.gold_set import Gold, read_card, read_examples
from slmkit.recipe.lookup import gold_folders
from slmkit.text.html_marks import ENTITY
from slmkit.text.identity import alike_keys, leak_key, loose
from slmkit.text.look_alikes import all_as_latin
from slmkit.text.words import spelled_alike
from slmkit.types import Message

_HEAD = 24  # letters and digits compared before a line is parsed
# The beginnings of texts, up to an escape sequence; "" for numbers, lists of texts, and messages as JSON text.
_TEXT = re.compile(
    r'"(?:content|prompt|chosen|text|value)"\s*:\s*(?:"([^"\\]{0,80})|[-\dtfNI]|\[\s*")|"messages"\s*:\s*"'
)
_ROLES = {"messages": "", "prompt": "user", "chosen": "assistant", "text": "user"}  # of a key's value if it is a text
_BATCH_ROWS = 4096
_EXAMPLE_FILES = ("dev.jsonl", "examples.jsonl")
_NO_LETTERS = dict.fromkeys(map(ord, set(string.punctuation + string.whitespace) - {"\n"}))


@dataclass(frozen=True)
class Questions:
    """The questions of gold sets: leak_key -> name of its set."""

    set_of: dict[tuple[str, str], str]
    unread: tuple[str, ...] = ()  # a sentence for each gold folder that could not be read

    @functools.cached_property
    def beginnings(self) -> set[str]:
        """Every prefix of the first letters and digits of an input."""
        return {head[:n] for head in _heads([text for text, _ in self.set_of]) for n in range(len(head) + 1)}


@dataclass(frozen=True)
class GoldRow:
    """A row of a training file that is in a gold set."""

    line: int
    id: str
    text: str
    gold: str  # the name of the gold set


def refuse_gold(*data: Path | None) -> None:
    """Refuses training data that contains an input of any gold set, from ./gold or shipped with slmkit.

    Each of `data` is a .jsonl file or a folder with train.jsonl and validation.jsonl; missing files are skipped. A
    gold set that cannot be read is reported, and does not stop the training on other data.
    Raises: RefusedError with row, line and gold set.
    """
    gold = gold_questions()
    for sentence in gold.unread:
        console.print(f"  {sentence}", markup=False)
    for path in filter(None, data):
        for file in (path / "train.jsonl", path / "validation.jsonl") if path.is_dir() else (path,):
            if file.is_file() and (found := list(rows_in_gold(file, gold))):
                sets = ", ".join(f"{name} {count:,}" for name, count in Counter(row.gold for row in found).items())
                first = found[0]
                names = list(dict.fromkeys(row.gold for row in found))
                raise RefusedError(
                    f"{_counted(found)} of the training data in a frozen gold set ({sets}). "
                    f"First: row {first.id}, {first.text[:60]!r}, in gold/{first.gold}",
                    where=f"{file}:{first.line}",
                    fix=f"{_way_out(path, names)}, or set allow_gold=true to train on them",
                )


def refuse_leaky_system(system: str, learns_from: Path, gold: Gold) -> None:
    """Refuses to evaluate a system on a gold set whose inputs are among the rows it learns from.

    learns_from: a .jsonl file or the folder of a prepare run; a missing file is skipped.
    Raises: RefusedError with row and line.
    """
    file = learns_from / "train.jsonl" if learns_from.is_dir() else learns_from
    if gold.card.get("taught") or not file.is_file():
        return
    questions = Questions({leak_key(example): gold.task.name for example in gold.examples})
    found = list(rows_in_gold(file, questions))
    if found:
        raise RefusedError(
            f"{_counted(found)} that {system!r} learns from in gold/{gold.task.name}. "
            f"First: row {found[0].id}, {found[0].text[:60]!r}",
            where=f"{file}:{found[0].line}",
            fix=f"run prepare with gold={gold.folder} to drop them",
        )


def _way_out(data: Path, golds: Sequence[str]) -> str:
    """How to train on this data without the questions of some gold sets."""
    names = ",".join(golds)
    if (data / "recipe.json").is_file():  # a prepared run, which the same command makes again
        return f"add more_gold=[{names}] to the command, so that prepare drops them"
    return f"run `slmkit prepare data={data} gold={golds[0]}`, then train with data=loop/prepare"


def rows_in_gold(file: Path, gold: Questions) -> Iterator[GoldRow]:
    """The rows of a .jsonl file with an input that is in a gold set."""
    with open(file, encoding="utf-8") as lines:
        numbered = enumerate(lines, 1)
        while batch := list(itertools.islice(numbered, _BATCH_ROWS)):
            found = [(i, text) for i, (_, line) in enumerate(batch) for text in _TEXT.findall(line)]
            heads = _heads([text for _, text in found])
            possible = {
                i
                for (i, text), head in zip(found, heads, strict=True)
                if head in gold.beginnings or text.lstrip().startswith("<") or ("&" in text and ENTITY.search(text))
            }
            for i in sorted(possible):
                number, line = batch[i]
                try:
                    row = json.loads(line)
                except json.JSONDecodeError:  # reported by the stage that reads the row
                    continue
                chats = list(_chats(row))
                key = next((key for chat in chats for key in alike_keys(chat) if key in gold.set_of), None)
                if key is not None:
                    yield GoldRow(number, str(row.get("id", number)), _text_of(chats, key), gold.set_of[key])


def _counted(rows: Sequence[GoldRow]) -> str:
    return "1 row" if len(rows) == 1 else f"{len(rows):,} rows"


def _heads(texts: Sequence[str]) -> list[str]:
    """The first `_HEAD` letters and digits of each text; a truncated text gives a prefix of the full text's result."""
    joined = "\n".join(text.replace("\n", " ") for text in texts)
    if joined.isascii():  # a look-alike letter may have been cut off, so all are Latin below
        plain = joined.translate(_NO_LETTERS).lower()
    else:  # é becomes e, so that a text cut before a combining accent still has the same prefix
        plain = re.sub(r"[^\w\n]|_", "", unicodedata.normalize("NFKD", all_as_latin(spelled_alike(joined))))
    return [line[:_HEAD] for line in plain.split("\n")] if texts else []


def _text_of(chats: Sequence[Sequence[Message]], key: tuple[str, str]) -> str:
    """The row's own text of a question that is in a gold set."""
    texts = (turn["content"] for chat in chats for turn in chat if turn["role"] == "user")
    return next((text for text in texts if loose(text) == key[0]), key[0])


def _chats(row: Any) -> Iterator[list[Message]]:
    """The conversations of a row as training reads them: of a chat, of a preference pair; a prompt or a plain text."""
    for key, role in _ROLES.items() if isinstance(row, dict) else ():
        if not is_empty(value := row.get(key)):
            with contextlib.suppress(RowFault):  # reported by the stage that reads the row
                yield turns_in(value, role) if role else clean_messages(value)


def gold_questions() -> Questions:
    """The inputs of all gold sets, including dev; read once per process, and again if a file changes.

    Sets whose card says `taught: true` are excluded: they ask for facts that the model was trained on, so the same
    questions occur in training.
    """
    folders = sorted(gold_folders().items())
    files = [
        file for _, folder in folders for name in ("card.yaml", *_EXAMPLE_FILES) if (file := folder / name).exists()
    ]
    stats = [(file.absolute(), file.stat()) for file in files]
    return _read(tuple(folders), tuple((file, stat.st_mtime_ns, stat.st_size) for file, stat in stats))


@functools.lru_cache(maxsize=1)
def _read(folders: tuple[tuple[str, Path], ...], stamps: tuple[tuple[Path, int, int], ...]) -> Questions:
    set_of: dict[tuple[str, str], str] = {}
    unread = []
    for name, folder in folders:
        try:
            if not read_card(folder).get("taught"):
                examples = [example for file in _EXAMPLE_FILES for example in read_examples(folder / file)]
                set_of |= {leak_key(example): name for example in examples}
        except (SlmkitError, OSError, UnicodeDecodeError) as error:
            what, where = (error.what, error.where) if isinstance(error, SlmkitError) else (str(error), str(folder))
            unread.append(
                f"gold/{name} cannot be read, so its questions are not looked for: {what} ({where}). "
                f"Restore the file, or delete {folder} if it is not needed"
            )
    return Questions(set_of, tuple(unread))
