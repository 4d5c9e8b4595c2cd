"""Prompts and their answers as token ids, rendered by slmkit: TRL's trainers read them as they are.

TRL would render the rows itself, but a table of them loses which keys a tool call has, and it knows nothing of system
turns that a template refuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slmkit.models.chat_template import render
from slmkit.rows.preference_rows import Answered


def answer_columns(tokenizer: Any, rows: Sequence[Answered]) -> list[dict[str, Any]]:
    """For each row prompt_ids and the ids of each answer (chosen_ids, rejected_ids, or completion_ids with a label).

    An answer is all that follows the tokens which the rendered prompt shares with the whole chat, as in TRL.
    Raises: SlmkitError naming the row that the chat template refuses.
    """
    tools = [row.tools for row in rows]
    where = [f"{row.where} (row {row.id})" for row in rows]
    prompts = render(tokenizer, [row.prompt for row in rows], tools=tools, where=where)
    wholes = {
        name: render(
            tokenizer,
            [[*row.prompt, *row.answers[name]] for row in rows],
            tools=tools,
            where=where,
            add_generation_prompt=False,
        )
        for name in (rows[0].answers if rows else ())
    }
    found = []
    for i, row in enumerate(rows):
        ids = {name: whole[i] for name, whole in wholes.items()}
        size = min(_num_shared(prompts[i], whole) for whole in ids.values())
        label = {} if row.label is None else {"label": row.label}
        answers = {f"{name}_ids": whole[size:] for name, whole in ids.items()}
        found.append({"prompt_ids": prompts[i][:size], **answers, **label})
    return found


def _num_shared(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    pairs = zip(one, other, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def longest_answer(columns: dict[str, Any]) -> int:
    """The tokens of a row's prompt with its longest answer."""
    sizes = {name: len(value) for name, value in columns.items() if name.endswith("_ids")}
    return sizes.pop("prompt_ids") + max(sizes.values())
