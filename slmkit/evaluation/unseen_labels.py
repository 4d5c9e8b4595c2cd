"""Labels that training and gold do not share: systems cannot know the one kind, and the other is not tested."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from slmkit.data.canonical_row import conversation_of
from slmkit.data.chat_messages import clean_chat
from slmkit.evaluation.cost import model_of
from slmkit.text.tool_calls import answer_text
from slmkit.types import Example, SystemPart, Task

_SHOWN = 5  # labels in a sentence


def unseen_labels(task: Task, parts: Mapping[str, SystemPart], examples: Sequence[Example]) -> str:
    """Sentences for the verdict: gold labels missing from the rows that systems learned from, and the reverse.

    Out-of-scope questions are a common case: their label is in the gold set only.
    """
    if task.kind != "classification":
        return ""
    asked = {example.target for example in examples}
    unknown: dict[tuple[str, ...], list[str]] = {}  # missing labels -> the systems that never saw them
    learned: set[str] = set()
    for name, part in parts.items():
        if labels := _learned_labels(part):
            learned |= labels
            if missing := tuple(sorted(asked - labels)):
                unknown.setdefault(missing, []).append(name)
    text = ""
    for missing, names in unknown.items():
        occur = "occurs" if len(missing) == 1 else "occur"
        count = sum(example.target in missing for example in examples)
        text += f" {_listed(missing)} never {occur} in the training rows of {', '.join(names)}: {count:,} of "
        text += f"{len(examples):,} questions."
    if untested := sorted((learned & {*task.labels}) - asked):
        text += f" {_listed(untested)} of the training rows {'is' if len(untested) == 1 else 'are'} not tested."
    return text


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(map(repr, labels[:_SHOWN])) + (", …" if len(labels) > _SHOWN else "")
    return f"{len(labels)} label{'' if len(labels) == 1 else 's'} ({shown})"


def _learned_labels(part: SystemPart) -> set[str]:
    """The answers in the rows that a system or its model learned from; none if it learned from no labelled rows."""
    folders = {path for key in ("train", "examples") if isinstance(path := part.arguments.get(key), Path)}
    if model := model_of(part):
        folders |= set(_inputs(Path(model.path)))
    return {label for folder in folders for label in _answers(folder)}


def _inputs(folder: Path) -> Iterator[Path]:
    """The runs and files that a training run was made from."""
    record = folder / "recipe.json"
    for row in json.loads(record.read_text(encoding="utf-8"))["inputs"] if record.is_file() else ():
        if path := row.get("dir") or row.get("path"):
            yield Path(path)
            yield from _inputs(Path(path))


def _answers(path: Path) -> Iterator[str]:
    """The last answer of each chat in a prepared run or a file of chats."""
    file = path / "train.jsonl" if path.is_dir() else path
    if file.suffix != ".jsonl" or not file.is_file():
        return
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            with contextlib.suppress(ValueError):  # not JSON or not a chat, as plain texts are
                messages, _ = clean_chat(json.loads(line))
                if (asked := len(conversation_of(messages))) < len(messages):
                    yield answer_text(messages[asked])
