"""What GRPO and distillation share: prompts to answer, the target of each, and a model ready to train."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.chat_template import folding_note, render, render_text
from slmkit.models.load import Loaded, load_tokenizer
from slmkit.rows.loss_mask import is_trained, label_chats, read_chats
from slmkit.rows.read_rows import train_file
from slmkit.text.tool_calls import answer_text
from slmkit.training.config import Training
from slmkit.training.predictions import predict
from slmkit.training.prepare_model import PreparedModel, num_probes, prepare_model
from slmkit.training.recorder import Recorder
from slmkit.types import Example, ModelRef


@dataclass(frozen=True)
class Prompt:
    """A conversation up to the model's turn, and the target answer."""

    id: str
    where: str
    turns: list[dict[str, Any]]
    target: str
    tools: list[Any] = field(default_factory=list)

    @property
    def input(self) -> str:
        """The last user turn."""
        return next((str(turn["content"]) for turn in reversed(self.turns) if turn["role"] == "user"), "")

    @property
    def example(self) -> Example:
        """The prompt as a question for metrics."""
        return Example(self.id, self.input, self.target, messages=tuple(self.turns), tools=tuple(self.tools))


@dataclass(frozen=True)
class Prompts:
    """Prompts and a prepared model, ready for a trainer that generates answers."""

    loaded: Loaded
    prepared: PreparedModel
    prompts: list[Prompt]
    texts: list[str]  # of the prompts, as the chat template renders them
    longest: int  # the prompt with the most tokens

    @property
    def examples(self) -> list[Example]:
        """The prompts as questions for metrics, in the order of the rows' "number"."""
        return [prompt.example for prompt in self.prompts]

    @property
    def train_dataset(self) -> Any:
        """The prompts as TRL's generating trainers read them."""
        from datasets import Dataset

        return Dataset.from_list([self._columns(i) for i in range(len(self.prompts))])

    @property
    def longest_row(self) -> dict[str, Any]:
        """The row with the longest prompt, for a trial step."""
        return self._columns(self.longest)

    def _columns(self, i: int) -> dict[str, Any]:
        """The columns of TRL's generating trainers; all but the prompt are passed to the reward functions."""
        return {"prompt": self.texts[i], "number": i}


def read_prompts(path: Path, *, limit: int | None = None) -> list[Prompt]:
    """The chats of a .jsonl file, each split before its last message, which must be the assistant's."""
    prompts = []
    for chat in read_chats(path, limit=limit):
        *turns, last = chat.messages
        if not is_trained(last) or not turns:
            raise SlmkitError(
                "the last message is not an assistant's answer to a prompt",
                where=chat.where,
                fix="end each chat with the target answer",
            )
        prompts.append(Prompt(chat.id, chat.where, turns, answer_text(last), chat.tools))
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
    tokenizer, turns = load_tokenizer(model), [prompt.turns for prompt in prompts]
    tools, places = [prompt.tools for prompt in prompts], [f"{one.where} (row {one.id})" for one in prompts]
    texts = render_text(tokenizer, turns, tools=tools, where=places)  # before the weights: it may refuse a row
    lengths = [len(ids) for ids in render(tokenizer, turns, tools=tools, where=places)]
    if note := folding_note(tokenizer, turns):
        run.note(note)
    loaded = training.load(model, run.note)
    limit = training.max_row_tokens(loaded)
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
        predict=partial(predict, rows=label_chats(loaded.tokenizer, read_chats(file, limit=num_probes(loaded.model)))),
        longest=max(lengths) + max_new_tokens,
        num_rows=len(prompts) * rows_per_prompt,
        rate_at_2048=rate_at_2048,
    )
    return Prompts(loaded, prepared, prompts, texts, lengths.index(max(lengths)))
