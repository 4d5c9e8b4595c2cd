"""Preference rows: a prompt with a chosen and a rejected answer, or with one answer that was judged good or bad."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit.data.canonical_row import RowFault
from slmkit.data.cell import is_empty
from slmkit.data.chat_messages import clean_messages, clean_tools, refuse_media, turns_in
from slmkit.data.preference_turns import pair_turns
from slmkit.errors import SlmkitError, counted
from slmkit.rows.loss_mask import Chat
from slmkit.rows.read_rows import read_rows
from slmkit.types import Message

Turns = list[Message]


@dataclass(frozen=True)
class Answered:
    """A prompt with its answers: "chosen" and "rejected", or one "completion" with the label that it was given."""

    id: str
    where: str  # "train.jsonl:17"
    prompt: Turns
    answers: dict[str, Turns]
    tools: list[Any] = field(default_factory=list)
    label: bool | None = None  # of a completion: whether it is good

    def chat(self, name: str) -> Chat:
        """The prompt followed by one of the answers, as a chat."""
        return Chat(self.id, self.where, [*self.prompt, *self.answers[name]], self.tools)

    @property
    def chats(self) -> list[Chat]:
        """The prompt followed by each of its answers."""
        return [self.chat(name) for name in self.answers]


def read_pairs(path: Path, *, limit: int | None = None) -> list[Answered]:
    """The pairs of a .jsonl file, each line {"prompt", "chosen", "rejected"} of texts or of messages, and "tools".

    If chosen and rejected are whole chats, their common beginning is the prompt.
    """
    return read_rows(path, _explained(_pair, "prompt, chosen and rejected"), limit=limit)


def read_judged(path: Path, *, limit: int | None = None) -> list[Answered]:
    """The judged answers of a .jsonl file, each line {"prompt", "completion", "label"} or a pair, which gives two."""
    read = _explained(_judged, "prompt, completion and label (true or false), or prompt, chosen and rejected")
    return [one for several in read_rows(path, read, limit=limit) for one in several]


def one_class(labels: Sequence[bool]) -> str:
    """What is wrong with labels that are all the same; "" if they are not, or there are none."""
    if len(set(labels)) != 1:
        return ""
    other = "without this column, prepare makes chats of them for sft" if labels[0] else "add good answers"
    rows = counted(len(labels), "row")
    return f"one class only: {rows} with label {str(labels[0]).lower()}. The kto stage needs both; {other}"


def _explained(build: Callable[[dict[str, Any], str], Any], needed: str) -> Callable[[Any, str], Any]:
    """`build` with its faults as errors that name what the row has and what it needs."""

    def read(row: Any, where: str) -> Any:
        keys = ", ".join(row) if isinstance(row, dict) else type(row).__name__
        try:
            if not isinstance(row, dict):
                raise RowFault("not an object")
            refuse_media(row)
            return build(row, where)
        except RowFault as fault:
            raise SlmkitError(
                f"a preference row needs {needed}: {fault}; found {keys}",
                where=where,
                fix="write each as a text or a list of messages, or run the prepare stage on this file first",
            ) from None

    return read


def _pair(row: dict[str, Any], where: str) -> Answered:
    prompt = _turns(row, "prompt", "user") if "prompt" in row else []
    pair = pair_turns(prompt, *(_turns(row, name, "assistant") for name in ("chosen", "rejected")))
    answers = {"chosen": pair.chosen, "rejected": pair.rejected}
    return Answered(str(row.get("id", where)), where, pair.prompt, answers, clean_tools(row.get("tools")))


def _judged(row: dict[str, Any], where: str) -> list[Answered]:
    id, tools = str(row.get("id", where)), clean_tools(row.get("tools"))
    if "completion" not in row and "chosen" in row:
        pair = _pair(row, where)
        return [
            Answered(id, where, pair.prompt, {"completion": pair.answers[name]}, tools, label)
            for name, label in (("chosen", True), ("rejected", False))
        ]
    if not isinstance(row.get("label"), bool):
        raise RowFault("no label, true or false")
    answers = {"completion": _turns(row, "completion", "assistant")}
    return [Answered(id, where, _turns(row, "prompt", "user"), answers, tools, row["label"])]


def _turns(row: dict[str, Any], column: str, role: str) -> Turns:
    value = row.get(column)
    if is_empty(value) or isinstance(value, bool):
        raise RowFault(f"no {column}")
    if isinstance(value, list | dict):  # messages: unlike prepare, training takes no other value as JSON text
        return clean_messages([value] if isinstance(value, dict) else value)
    return turns_in(value, role)
