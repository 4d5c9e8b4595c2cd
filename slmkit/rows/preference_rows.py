"""Preference rows: a prompt with a chosen and a rejected answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.rows.loss_mask import Chat
from slmkit.rows.read_rows import read_rows

Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Pair:
    """A prompt, the answer to prefer, and the answer to avoid."""

    id: str
    where: str  # "train.jsonl:17"
    prompt: Turns
    chosen: Turns
    rejected: Turns

    def chat(self, turns: Turns) -> Chat:
        """The prompt followed by one of the answers, as a chat."""
        return Chat(self.id, self.where, [*self.prompt, *turns])

    def columns(self) -> dict[str, Any]:
        """The columns that TRL's preference trainers read."""
        return {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}

    def unpaired_columns(self) -> list[dict[str, Any]]:
        """The pair as two rows of an unpaired dataset, the chosen answer first: what TRL's KTOTrainer reads."""
        answers = ((self.chosen, True), (self.rejected, False))
        return [{"prompt": self.prompt, "completion": turns, "label": label} for turns, label in answers]


def read_pairs(path: Path, *, limit: int | None = None) -> list[Pair]:
    """The pairs of a .jsonl file, each line {"prompt", "chosen", "rejected"} of texts or of messages.

    If chosen and rejected are whole chats and there is no prompt, their common beginning is the prompt.
    """
    return read_rows(path, _pair, limit=limit)


def check_lengths(tokenizer: Any, pairs: Sequence[Pair], *, longest: int) -> int:
    """The length in tokens of the longest prompt with its answer.

    Raises: RefusedError if a pair is longer than `longest`: TRL would truncate it silently.
    """
    from slmkit.models.chat_template import render

    chats = [pair.chat(turns).messages for pair in pairs for turns in (pair.chosen, pair.rejected)]
    lengths = [len(ids) for ids in render(tokenizer, chats, add_generation_prompt=False)]
    over = [i // 2 for i, length in enumerate(lengths) if length > longest]
    if over:
        raise RefusedError(
            f"{len(set(over)):,} of {len(pairs):,} pairs are longer than {longest:,} tokens",
            where=f"{pairs[over[0]].where} (row {pairs[over[0]].id})",
            fix="remove these rows, or use a larger max_length or a model with a longer context",
        )
    return max(lengths)


def _pair(row: Any, where: str) -> Pair:
    keys = ", ".join(row) if isinstance(row, dict) else type(row).__name__
    wrong = SlmkitError(
        f"a preference row needs prompt, chosen and rejected; found {keys}",
        where=where,
        fix='write {"prompt": ..., "chosen": ..., "rejected": ...}, each a text or a list of messages',
    )
    if not isinstance(row, dict) or "chosen" not in row or "rejected" not in row:
        raise wrong
    chosen, rejected = _turns(row["chosen"], "assistant"), _turns(row["rejected"], "assistant")
    prompt = _turns(row["prompt"], "user") if "prompt" in row else []
    if chosen is None or rejected is None or prompt is None:
        raise wrong
    if not prompt:
        same = next((i for i, (a, b) in enumerate(zip(chosen, rejected, strict=False)) if a != b), 0)
        prompt, chosen, rejected = chosen[:same], chosen[same:], rejected[same:]
    if not prompt or not chosen or not rejected:
        raise wrong
    if chosen == rejected:
        raise SlmkitError("chosen and rejected are the same", where=where, fix="remove this row")
    return Pair(str(row.get("id", where)), where, prompt, chosen, rejected)


def _turns(value: Any, role: str) -> Turns | None:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value.strip() else None
    well_formed = isinstance(value, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in value
    )
    return [{"role": turn["role"], "content": turn["content"]} for turn in value] if well_formed else None
