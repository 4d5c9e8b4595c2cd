"""What GRPO and distillation share: prompts to answer, the target of each, and a model ready to train."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.chat_template import render
from slmkit.models.load import Loaded
from slmkit.rows.loss_mask import label_chats, read_chats
from slmkit.rows.read_rows import train_file
from slmkit.training.config import Training
from slmkit.training.predictions import predict
from slmkit.training.prepare_model import NUM_PROBES, PreparedModel, prepare_model
from slmkit.training.recorder import Recorder
from slmkit.types import ModelRef


@dataclass(frozen=True)
class Prompt:
    """A conversation up to the model's turn, and the target answer."""

    id: str
    where: str
    turns: list[dict[str, Any]]
    target: str

    def columns(self) -> dict[str, Any]:
        """The columns of TRL's generating trainers; all but the prompt are passed to the reward functions."""
        return {"prompt": self.turns, "id": self.id, "target": self.target}


@dataclass(frozen=True)
class Prompts:
    """Prompts and a prepared model, ready for a trainer that generates answers."""

    loaded: Loaded
    prepared: PreparedModel
    prompts: list[Prompt]
    longest: Prompt  # in tokens

    @property
    def train_dataset(self) -> Any:
        """The prompts as TRL's generating trainers read them."""
        from datasets import Dataset

        return Dataset.from_list([prompt.columns() for prompt in self.prompts])


def read_prompts(path: Path, *, limit: int | None = None) -> list[Prompt]:
    """The chats of a .jsonl file, each split before its last message, which must be the assistant's."""
    prompts = []
    for chat in read_chats(path, limit=limit):
        *turns, last = chat.messages
        if last["role"] != "assistant" or not turns:
            raise SlmkitError(
                "the last message is not an assistant's answer to a prompt",
                where=chat.where,
                fix="end each chat with the target answer",
            )
        prompts.append(Prompt(chat.id, chat.where, turns, last["content"]))
    return prompts


def prepare_prompts(
    run: Recorder,
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    max_new_tokens: int,
    rate_at_2048: float,
    rows_per_prompt: int = 1,
) -> Prompts:
    """Reads the prompts, loads and prepares the model; rate_at_2048: see prepare_model."""
    training.refuse_gold(data)
    file = train_file(data)
    prompts = read_prompts(file)
    run.note(f"{len(prompts):,} prompts")
    loaded = training.load(model, run.note)
    limit = training.max_row_tokens(loaded)
    lengths = [len(ids) for ids in render(loaded.tokenizer, [prompt.turns for prompt in prompts])]
    too_long = [i for i, length in enumerate(lengths) if length + max_new_tokens > limit]
    if too_long:
        first = prompts[too_long[0]]
        raise RefusedError(
            f"{len(too_long):,} of {len(prompts):,} prompts leave no room for {max_new_tokens} new tokens "
            f"within {limit:,} tokens",
            where=f"{first.where} (row {first.id})",
            fix="use a smaller max_new_tokens, or remove these rows",
        )
    prepared = prepare_model(
        run,
        training,
        loaded.model,
        predict=partial(predict, rows=label_chats(loaded.tokenizer, read_chats(file, limit=NUM_PROBES))),
        longest=max(lengths) + max_new_tokens,
        num_rows=len(prompts) * rows_per_prompt,
        rate_at_2048=rate_at_2048,
    )
    return Prompts(loaded, prepared, prompts, prompts[lengths.index(max(lengths))])
