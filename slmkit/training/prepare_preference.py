"""What DPO, KTO, ORPO and the reward model share: pairs that are read and measured, and a model ready to train."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.models.chat_template import folding_note
from slmkit.models.load import Loaded, load_tokenizer
from slmkit.rows.answer_ids import answer_columns, longest_answer
from slmkit.rows.loss_mask import label_chats
from slmkit.rows.preference_rows import Answered, read_pairs
from slmkit.rows.read_rows import train_file, validation_file
from slmkit.training.config import Training
from slmkit.training.predictions import predict
from slmkit.training.prepare_model import PreparedModel, num_probes, prepare_model
from slmkit.training.recorder import Recorder
from slmkit.training.too_long import OnOverflow, fitting
from slmkit.types import ModelRef

Columns = list[dict[str, Any]]  # token ids, as TRL's trainers read them


@dataclass(frozen=True)
class PairsAndModel:
    """Rows with answers, their tokens, and the loaded model that will train on them."""

    loaded: Loaded
    pairs: list[Answered]
    validation: list[Answered]
    columns: Columns
    validation_columns: Columns

    @property
    def longest(self) -> int:
        """The tokens of the longest prompt with its answer."""
        return max(map(longest_answer, [*self.columns, *self.validation_columns]))

    @property
    def probes(self) -> list[Answered]:
        """A few rows to compare models on; from the validation split if there is one."""
        return (self.validation or self.pairs)[: num_probes(self.loaded.model)]

    @property
    def train_dataset(self) -> Any:
        """The training rows as TRL's preference trainers read them."""
        return dataset(self.columns)

    @property
    def eval_dataset(self) -> Any | None:
        """The validation rows as TRL's preference trainers read them; None if there are none."""
        return dataset(self.validation_columns) if self.validation else None


@dataclass(frozen=True)
class Preferences:
    """Pairs and a prepared model, ready for a preference method's trainer."""

    data: PairsAndModel
    prepared: PreparedModel
    reference: Any | None  # a copy of the start, if there is no adapter to switch off instead


def check_preferences(
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    read: Callable[..., list[Answered]] = read_pairs,
) -> None:
    """Refuses what cannot be trained on, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read(train_file(data), limit=100)


def load_pairs(
    run: Recorder,
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    on_overflow: OnOverflow,
    read: Callable[..., list[Answered]] = read_pairs,
    refuse: Callable[[list[Answered]], None] = lambda rows: None,
) -> PairsAndModel:
    """Reads and renders the rows, loads the model, and drops or refuses rows that are too long for it.

    The rows are rendered before the weights are loaded: a row that the chat template refuses shows at once.
    refuse: raises if the method cannot train on these rows.
    """
    training.refuse_gold(data)
    tokenizer = load_tokenizer(model)
    file = validation_file(data)
    splits = {"train": read(train_file(data)), "validation": read(file) if file else []}
    refuse(splits["train"])
    noun = "pairs" if read is read_pairs else "judged answers"
    run.note(f"{len(splits['train']):,} training {noun}, {len(splits['validation']):,} validation {noun}")
    columns = {name: answer_columns(tokenizer, rows) for name, rows in splits.items()}
    if note := folding_note(tokenizer, [row.prompt for rows in splits.values() for row in rows]):
        run.note(note)
    loaded = training.load(model, run.note)
    longest, context = training.max_row_tokens(loaded), loaded.context_length
    for name, rows in splits.items():
        lengths = list(map(longest_answer, columns[name]))
        kept = fitting(
            run, rows, lengths, longest=longest, context_length=context, split=name, on_overflow=on_overflow
        )
        splits[name], columns[name] = [rows[i] for i in kept], [columns[name][i] for i in kept]
    return PairsAndModel(loaded, splits["train"], splits["validation"], columns["train"], columns["validation"])


def prepare_preferences(
    run: Recorder,
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    rate_at_2048: float,
    on_overflow: OnOverflow,
    read: Callable[..., list[Answered]] = read_pairs,
    refuse: Callable[[list[Answered]], None] = lambda rows: None,
    with_reference: bool = True,
) -> Preferences:
    """Reads the rows and prepares the model; rate_at_2048: see prepare_model."""
    pairs = load_pairs(run, training, data=data, model=model, on_overflow=on_overflow, read=read, refuse=refuse)
    loaded = pairs.loaded
    probes = label_chats(loaded.tokenizer, [pair.chats[0] for pair in pairs.probes])
    reference = copy.deepcopy(loaded.model) if with_reference and training.adapter == "full" else None
    prepared = prepare_model(
        run,
        training,
        loaded.model,
        predict=partial(predict, rows=probes),
        longest=2 * pairs.longest,  # a pair is two rows; KTO reads another row's answer too
        num_rows=len(pairs.pairs),
        num_validation=len(pairs.validation),
        rate_at_2048=rate_at_2048,
    )
    return Preferences(pairs, prepared, reference)


def dataset(columns: Sequence[dict[str, Any]]) -> Any:
    """A table of the rows, for TRL."""
    from datasets import Dataset

    return Dataset.from_list(list(columns))
