"""What DPO, KTO, ORPO and the reward model share: pairs that are read and measured, and a model ready to train."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.models.load import Loaded
from slmkit.rows.loss_mask import label_chats
from slmkit.rows.preference_rows import Pair, check_lengths, read_pairs
from slmkit.rows.read_rows import train_file, validation_file
from slmkit.training.config import Training
from slmkit.training.predictions import predict
from slmkit.training.prepare_model import NUM_PROBES, PreparedModel, prepare_model
from slmkit.training.recorder import Recorder
from slmkit.types import ModelRef


@dataclass(frozen=True)
class PairsAndModel:
    """Preference pairs, and the loaded model that will train on them."""

    loaded: Loaded
    pairs: list[Pair]
    validation: list[Pair]
    longest: int  # tokens of the longest prompt with its answer

    @property
    def probes(self) -> list[Pair]:
        """A few pairs to compare models on; from the validation split if there is one."""
        return (self.validation or self.pairs)[:NUM_PROBES]

    @property
    def train_dataset(self) -> Any:
        """The training pairs as TRL's preference trainers read them."""
        return _dataset(self.pairs)

    @property
    def eval_dataset(self) -> Any | None:
        """The validation pairs as TRL's preference trainers read them; None if there are none."""
        return _dataset(self.validation) if self.validation else None


@dataclass(frozen=True)
class Preferences:
    """Pairs and a prepared model, ready for a preference method's trainer."""

    data: PairsAndModel
    prepared: PreparedModel
    reference: Any | None  # a copy of the start, if there is no adapter to switch off instead


def check_preferences(training: Training, *, data: Path, model: ModelRef) -> None:
    """Refuses what cannot be trained on, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read_pairs(train_file(data), limit=100)


def load_pairs(run: Recorder, training: Training, *, data: Path, model: ModelRef) -> PairsAndModel:
    """Reads the pairs, loads the model, and refuses pairs that are too long for it."""
    training.refuse_gold(data)
    validation = validation_file(data)
    pairs, validation_pairs = read_pairs(train_file(data)), read_pairs(validation) if validation else []
    run.note(f"{len(pairs):,} training pairs, {len(validation_pairs):,} validation pairs")
    loaded = training.load(model, run.note)
    longest = check_lengths(loaded.tokenizer, [*pairs, *validation_pairs], longest=training.max_row_tokens(loaded))
    return PairsAndModel(loaded, pairs, validation_pairs, longest)


def prepare_preferences(
    run: Recorder,
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    rate_at_2048: float,
    rows_per_pair: int = 1,
    with_reference: bool = True,
) -> Preferences:
    """Reads the pairs and prepares the model; rate_at_2048: see prepare_model."""
    pairs = load_pairs(run, training, data=data, model=model)
    loaded = pairs.loaded
    probes = label_chats(loaded.tokenizer, [pair.chat(pair.chosen) for pair in pairs.probes])
    reference = copy.deepcopy(loaded.model) if with_reference and training.adapter == "full" else None
    prepared = prepare_model(
        run,
        training,
        loaded.model,
        predict=partial(predict, rows=probes),
        longest=2 * pairs.longest,  # a pair is two rows
        num_rows=len(pairs.pairs) * rows_per_pair,
        num_validation=len(pairs.validation),
        rate_at_2048=rate_at_2048,
    )
    return Preferences(pairs, prepared, reference)


def _dataset(pairs: list[Pair]) -> Any:
    from datasets import Dataset

    return Dataset.from_list([pair.columns() for pair in pairs])
