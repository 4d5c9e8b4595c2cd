"""What DPO, KTO and ORPO share: pairs read and measured, a model ready to train, probes to compare them."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from slmkit.models.load import Loaded
from slmkit.models.lora import attach
from slmkit.models.memory import plan
from slmkit.rows.loss_mask import label_chats
from slmkit.rows.preference_rows import Pair, check_lengths, pair_files, read_pairs
from slmkit.training.config import Training, shared
from slmkit.training.guards import Said, predictions
from slmkit.training.loop import Recorder
from slmkit.types import ModelRef

_NUM_PROBES = 50  # pairs on which base and tuned, saved and trained are compared


@dataclass(frozen=True)
class Preferences:
    """Pairs and a model, ready for a preference method's trainer."""

    loaded: Loaded
    model: Any  # with its adapter
    reference: Any | None  # the start, where no adapter can be switched off to find it
    pairs: list[Pair]
    validation: list[Pair]
    longest: int  # tokens of the longest prompt and answer
    steps: int
    arguments: dict[str, Any]  # for the config of the TRL trainer
    say: Callable[[Any], Said]  # what a model says to the same few rows
    before: Said


def prepare_preferences(
    run: Recorder,
    training: Training,
    *,
    data: Path,
    model: ModelRef,
    seed: int,
    usual_rate: float,
    rows_per_pair: int = 1,
    with_reference: bool = True,
) -> Preferences:
    """Reads the pairs, loads the model, fits the batch into memory; `usual_rate` is an adapter's at width 2,048."""
    training.refuse_gold(data)
    train_file, validation_file = pair_files(data)
    pairs = read_pairs(train_file)
    validation = read_pairs(validation_file) if validation_file else []
    run.note(f"{len(pairs):,} pairs to train on, {len(validation):,} to validate with")
    loaded = training.load(model, run.note)
    limit = training.longest(loaded)
    longest = check_lengths(loaded.tokenizer, [*pairs, *validation], longest=limit)
    probes = label_chats(loaded.tokenizer, [pair.chat(pair.chosen) for pair in (validation or pairs)[:_NUM_PROBES]])
    say = partial(predictions, rows=probes)
    before = say(loaded.model)
    rate = training.rate(loaded.model, run.note, usual=usual_rate)
    reference = copy.deepcopy(loaded.model) if with_reference and training.adapter == "full" else None
    tuned = attach(loaded.model, training.lora, adapter=training.adapter, seed=seed)
    micro_batch = plan(
        tuned,
        longest=2 * longest,  # a pair is two rows
        gradient_checkpointing=training.gradient_checkpointing,
    )
    run.note(micro_batch.reason)
    training = training.with_micro_batch(micro_batch.max_tokens // (2 * longest), run.note)
    steps = training.steps(len(pairs) * rows_per_pair)
    arguments = shared(
        training.arguments(
            run.dir / "checkpoints",
            model=tuned,
            steps=steps,
            learning_rate=rate,
            gradient_checkpointing=micro_batch.gradient_checkpointing,
            seed=seed,
            num_validation=len(validation),
        )
    )
    return Preferences(loaded, tuned, reference, pairs, validation, longest, steps, arguments, say, before)
