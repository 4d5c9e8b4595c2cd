"""What GRPO and distillation share: prompts to answer, the target of each, a model ready to train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.chat_template import render
from slmkit.models.load import Loaded
from slmkit.models.lora import attach
from slmkit.models.memory import plan
from slmkit.rows.loss_mask import label_chats, read_chats
from slmkit.training.config import Training, shared
from slmkit.training.guards import Said, predictions
from slmkit.training.loop import Recorder
from slmkit.types import ModelRef

_NUM_PROBES = 50  # rows on which base and tuned, saved and trained are compared


@dataclass(frozen=True)
class Prompt:
    """What the model is asked, and the answer that counts as right."""

    id: str
    where: str
    turns: list[dict[str, Any]]
    target: str

    def row(self) -> dict[str, Any]:
        """The columns TRL's generating trainers read; the rest goes to the reward functions."""
        return {"prompt": self.turns, "id": self.id, "target": self.target}


@dataclass(frozen=True)
class Prompts:
    """Prompts and a model, ready for a trainer that lets the model answer."""

    loaded: Loaded
    model: Any  # with its adapter
    prompts: list[Prompt]
    longest: Prompt  # in tokens
    steps: int
    arguments: dict[str, Any]  # for the config of the TRL trainer
    say: Callable[[Any], Said]  # what a model says to the same few rows
    before: Said


def prompt_file(path: Path) -> Path:
    """The train.jsonl of a folder, or the file itself."""
    file = path / "train.jsonl" if path.is_dir() else path
    if not file.exists():
        fix = "name the run of a prepare stage, or a .jsonl of messages"
        raise SlmkitError("there is no train.jsonl", where=str(path), fix=fix)
    return file


def read_prompts(path: Path, *, limit: int | None = None) -> list[Prompt]:
    """The chats of a .jsonl file, each split before its last turn, which is the assistant's."""
    prompts = []
    for chat in read_chats(path, limit=limit):
        *turns, last = chat.messages
        if last["role"] != "assistant" or not turns:
            raise SlmkitError(
                "the last turn is not an assistant's after a question", where=chat.where, fix="add the right answer"
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
    seed: int,
    usual_rate: float,
    rows_per_prompt: int = 1,
) -> Prompts:
    """Reads the prompts, loads the model, fits the batch into memory; `usual_rate` is an adapter's at width 2,048."""
    training.refuse_gold(data)
    file = prompt_file(data)
    prompts = read_prompts(file)
    run.note(f"{len(prompts):,} prompts")
    loaded = training.load(model, run.note)
    limit = training.longest(loaded)
    lengths = [len(ids) for ids in render(loaded.tokenizer, [prompt.turns for prompt in prompts])]
    over = [i for i, length in enumerate(lengths) if length + max_new_tokens > limit]
    if over:
        raise RefusedError(
            f"{len(over):,} of {len(prompts):,} prompts and their answers exceed {limit:,} tokens",
            where=f"{prompts[over[0]].where} (row {prompts[over[0]].id})",
            fix="a smaller max_new_tokens, or leave these rows out",
        )
    probes = label_chats(loaded.tokenizer, read_chats(file, limit=_NUM_PROBES))
    say = partial(predictions, rows=probes)
    before = say(loaded.model)
    rate = training.rate(loaded.model, run.note, usual=usual_rate)
    tuned = attach(loaded.model, training.lora, adapter=training.adapter, seed=seed)
    longest = max(lengths) + max_new_tokens
    micro_batch = plan(
        tuned,
        longest=longest,
        gradient_checkpointing=training.gradient_checkpointing,
    )
    run.note(micro_batch.reason)
    training = training.with_micro_batch(micro_batch.max_tokens // longest, run.note)
    steps = training.steps(len(prompts) * rows_per_prompt)
    arguments = shared(
        training.arguments(
            run.dir / "checkpoints",
            model=tuned,
            steps=steps,
            learning_rate=rate,
            gradient_checkpointing=micro_batch.gradient_checkpointing,
            seed=seed,
        )
    )
    longest_prompt = prompts[lengths.index(max(lengths))]
    return Prompts(loaded, tuned, prompts, longest_prompt, steps, arguments, say, before)
