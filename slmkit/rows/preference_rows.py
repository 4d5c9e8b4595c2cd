"""Preference rows: a prompt with a better and a worse answer, or one answer that was liked or not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.rows.loss_mask import Chat

Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Pair:
    """A prompt, the answer to prefer, and the one to avoid."""

    id: str
    where: str  # "train.jsonl:17"
    prompt: Turns
    chosen: Turns
    rejected: Turns

    def chat(self, turns: Turns) -> Chat:
        """The prompt with one of the answers, as a chat."""
        return Chat(self.id, self.where, [*self.prompt, *turns])

    def row(self) -> dict[str, Any]:
        """The columns TRL's preference trainers read."""
        return {"prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}

    def judged(self) -> list[dict[str, Any]]:
        """The two answers by themselves, each with whether it was liked."""
        answers = ((self.chosen, True), (self.rejected, False))
        return [{"prompt": self.prompt, "completion": turns, "label": liked} for turns, liked in answers]


def pair_files(path: Path) -> tuple[Path, Path | None]:
    """The file to train on and the one to validate with, in a folder; or a single .jsonl file."""
    train = path / "train.jsonl" if path.is_dir() else path
    if not train.exists():
        fix = "name a folder that holds it, or a .jsonl file of pairs"
        raise SlmkitError("there is no train.jsonl", where=str(path), fix=fix)
    validation = path / "validation.jsonl"
    return train, validation if validation.exists() else None


def read_pairs(path: Path, *, limit: int | None = None) -> list[Pair]:
    """The pairs of a .jsonl file, each line {"prompt", "chosen", "rejected"} of texts or of messages.

    Where chosen and rejected are whole chats without a prompt, their common beginning is the prompt.
    """
    pairs: list[Pair] = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            if limit is not None and len(pairs) >= limit:
                break
            if line.strip():
                pairs.append(_pair(line, f"{path.name}:{number}"))
    if not pairs:
        raise SlmkitError(f"{path.name} holds no pairs", where=str(path), fix="name a file with one pair a line")
    return pairs


def check_lengths(tokenizer: Any, pairs: Sequence[Pair], *, longest: int) -> int:
    """The tokens of the longest prompt and answer; refuses pairs over `longest`, which TRL would cut silently.

    Raises: RefusedError with the first such row.
    """
    from slmkit.models.chat_template import render

    chats = [pair.chat(turns).messages for pair in pairs for turns in (pair.chosen, pair.rejected)]
    lengths = [len(ids) for ids in render(tokenizer, chats, add_generation_prompt=False)]
    over = [i // 2 for i, length in enumerate(lengths) if length > longest]
    if over:
        raise RefusedError(
            f"{len(set(over)):,} of {len(pairs):,} pairs are longer than {longest:,} tokens",
            where=f"{pairs[over[0]].where} (row {pairs[over[0]].id})",
            fix="leave these rows out, or take a larger max_length or a model with a longer context",
        )
    return max(lengths)


def _pair(line: str, where: str) -> Pair:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise SlmkitError(f"not JSON: {error.msg}", where=f"{where}:{error.colno}", fix="mend the line") from None
    keys = ", ".join(row) if isinstance(row, dict) else type(row).__name__
    wrong = SlmkitError(
        f"a preference row needs prompt, chosen and rejected, found {keys}",
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
        raise SlmkitError("chosen and rejected are the same", where=where, fix="leave this row out")
    return Pair(str(row.get("id", where)), where, prompt, chosen, rejected)


def _turns(value: Any, role: str) -> Turns | None:
    if isinstance(value, str):
        return [{"role": role, "content": value}] if value.strip() else None
    well_formed = isinstance(value, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in value
    )
    return [{"role": turn["role"], "content": turn["content"]} for turn in value] if well_formed else None
