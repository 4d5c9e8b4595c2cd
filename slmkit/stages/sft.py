"""Supervised fine-tuning: TRL's SFTTrainer on chats or texts, with LoRA, QLoRA, DoRA, rsLoRA or all weights."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from slmkit.data.lengths import length_percentiles
from slmkit.errors import RefusedError, counted
from slmkit.models import precision
from slmkit.models.chat_template import folding_note
from slmkit.models.load import Loaded, load_tokenizer
from slmkit.models.memory import computes_side_by_side
from slmkit.models.unsloth import check_unsloth, load_unsloth
from slmkit.rows.loss_mask import Chat, Row, label_chats, read_chats
from slmkit.rows.packing import check_apart, pack
from slmkit.rows.read_rows import train_file, validation_file
from slmkit.rows.text_rows import DEFAULT_LENGTH, Text, holds_texts, label_texts, read_texts
from slmkit.runs.run_folder import Run
from slmkit.training.budget import validation_rows
from slmkit.training.config import Training
from slmkit.training.fsdp import is_fsdp_requested, local_share, shard_model
from slmkit.training.predictions import predict
from slmkit.training.prepare_model import PreparedModel, num_probes, prepare_model
from slmkit.training.save_and_check import save_and_check
from slmkit.training.sft_trainer import sft_trainer, trained_tokens
from slmkit.training.too_long import OnOverflow, fitting
from slmkit.training.train_model import TrainedModel, train_model
from slmkit.training.trainer import OnLog, OnStep, Shuffle
from slmkit.types import FractionBelowOne, Input, Keys, Model

DISTRIBUTED = ("ddp", "fsdp")  # how several processes can run this stage
_MAX_VALIDATION = 500  # rows

ChatsOrTexts = list[Chat] | list[Text]


@dataclass(frozen=True)
class _Data:
    """Labelled rows for training, validation and replay."""

    rows: list[Row]
    validation: list[Row]
    replay: list[Row]

    @property
    def all(self) -> list[Row]:
        return [*self.rows, *self.validation, *self.replay]

    @property
    def labelled_share(self) -> float:
        """The share of tokens that are included in the loss."""
        return sum(row.num_trained for row in self.all) / sum(len(row.input_ids) for row in self.all)


def sft(
    run: Run,
    *,
    data: Input,
    model: Model,
    replay: Input | None = None,
    replay_ratio: FractionBelowOne = 0.25,
    packing: bool = False,
    on_overflow: OnOverflow = "error",
    backend: Literal["transformers", "unsloth"] = "transformers",
    training: Keys[Training] = Training(num_train_epochs=3.0),
) -> None:
    """Fine-tune a model on chats, with loss on the assistant's words only; or continue pretraining on texts.

    `data` is a prepare run (train.jsonl, validation.jsonl) or a .jsonl file, each line {"messages": [...]}, also
    with "tools", or each {"text": ...}. A text is cut into rows of max_length (auto: 1,024 tokens); a chat over
    max_length is dropped and counted, never truncated, and with on_overflow "error" more than 1% are refused. One
    optimizer step has per_device_train_batch_size * gradient_accumulation_steps rows, at most
    per_device_train_batch_size of them in memory at once. `replay` names other rows to mix in, as the share
    replay_ratio of each epoch, so that the model keeps its other abilities; chats may be replayed among texts.
    packing: rows are packed into sequences of max_length (auto: 1,024 tokens) without attending to each other, and a
    step counts sequences. It is off because batches are grouped by length, so padding is small: on a CPU, chats of 20
    to 300 tokens packed to 512 ran at 0.90 of the tokens per second, packed to 1,024 at 0.68 (attention spans the
    whole sequence). backend unsloth: uses its kernels, if it is installed.
    """
    if is_fsdp_requested() and training.best_checkpoint:
        raise RefusedError(
            "a sharded run writes no checkpoints, so there is no best one to restore or to stop at",
            where="--fsdp, load_best_model_at_end, early_stopping_patience",
            fix="remove --fsdp, or these two keys",
        )
    training.refuse_gold(data, replay)
    found, loaded, rows = _load(run, data, replay, model, backend, training, on_overflow)
    if isinstance(found[0], Text) and not rows.validation:
        run.note("perplexity is not measured: there are no validation rows; the notes of prepare say why")
    probes = (rows.validation or rows.rows)[: num_probes(loaded.model)]
    if packing:
        rows, training = _pack(run, loaded, rows, training)
    else:
        run.note("packing is off: batches are grouped by length, so padding is small")
    num_replayed = round(len(rows.rows) * replay_ratio / (1 - replay_ratio)) if rows.replay else 0
    shuffle = Shuffle(len(rows.rows), seed=run.seed, num_extra=num_replayed, extra_pool=len(rows.replay))
    stops_early = training.num_train_epochs == "auto" and computes_side_by_side(loaded.model)
    training = training.with_epochs(loaded.model, len(shuffle), run.note)
    rows = _capped_validation(run, rows, training, len(shuffle))
    prepared = prepare_model(
        run,
        training,
        loaded.model,
        predict=partial(predict, rows=probes),
        longest=max(len(row.input_ids) for row in rows.all),
        num_rows=len(shuffle),
        num_validation=len(rows.validation),
        labelled_share=rows.labelled_share,
        backend=backend,
        trainer_cuts_steps=True,
    )
    if reason := precision.why(prepared.model, training.dtype):
        run.note(reason)
    if is_fsdp_requested():
        share = local_share(shard_model(prepared.model))
        run.note(f"sharded: this process holds {share:.0%} of the weights, and no checkpoints are written")
    epoch_steps = math.ceil(len(shuffle) / training.rows_per_step) if stops_early else None
    trained = _train(run, loaded, rows, prepared, shuffle, training, epoch_steps=epoch_steps)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    steps = int(trained.trainer.state.global_step)
    num_tokens = trained_tokens([*rows.rows, *rows.replay], shuffle, steps=steps, rows_per_step=training.rows_per_step)
    run.metric(trained_tokens=float(num_tokens))
    if rows.validation and isinstance(found[0], Text):
        losses = trained.curve("validation_loss")[0], trained.validated("validation_loss")
        run.metric(perplexity_before=math.exp(losses[0]), perplexity=math.exp(losses[1]))


def check(
    *,
    data: Input,
    model: Model,
    replay: Input | None = None,
    backend: Literal["transformers", "unsloth"] = "transformers",
    training: Training,
    **_: Any,
) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    if backend == "unsloth":
        check_unsloth(model, training.adapter, training.attn_implementation)
    read = [_read(train_file(path), limit=100) for path in (data, replay) if path and path.exists()]
    has_chats = not read or any(isinstance(rows[0], Chat) for rows in read)
    training.check(model, data, replay, needs_chat_template=has_chats)


def _load(
    run: Run,
    data: Path,
    replay: Path | None,
    model: Model,
    backend: str,
    training: Training,
    on_overflow: OnOverflow,
) -> tuple[ChatsOrTexts, Loaded, _Data]:
    """The chats or texts to train on, the loaded model, and all rows labelled for it."""
    file = validation_file(data)
    found: dict[str, ChatsOrTexts] = {
        "train": _read(train_file(data)),
        "validation": _read(file) if file else [],
        "replay": _read(train_file(replay)) if replay else [],
    }
    run.note(", ".join(f"{len(rows):,} {name} rows" for name, rows in found.items()))
    chats = {name: [row for row in rows if isinstance(row, Chat)] for name, rows in found.items()}
    labelled = _label_chats(run, chats, model)
    if backend == "unsloth":
        loaded = load_unsloth(model, load_in_4bit=training.quantized)
    else:
        loaded = training.load(model, run.note)
    fit = partial(_fitting, run, loaded, training, on_overflow)
    rows = {name: fit(found[name], labelled[name], split=name) for name in found}
    return found["train"], loaded, _Data(rows["train"], rows["validation"], rows["replay"])


def _read(file: Path, *, limit: int | None = None) -> ChatsOrTexts:
    return read_texts(file, limit=limit) if holds_texts(file) else read_chats(file, limit=limit)


def _label_chats(run: Run, chats: dict[str, list[Chat]], model: Model) -> dict[str, list[Row]]:
    """The labelled chats of each split; before the weights are loaded, since the template may refuse a row."""
    every = [chat for rows in chats.values() for chat in rows]
    if not every:
        return {name: [] for name in chats}
    tokenizer = load_tokenizer(model)
    labelled = {name: label_chats(tokenizer, rows) for name, rows in chats.items()}
    if note := folding_note(tokenizer, [chat.messages for chat in every]):
        run.note(note)
    if num_untrained := sum(chat.has_untrained for chat in every):
        run.note(f"{counted(num_untrained, 'row')} have answers of weight 0: they are shown, without loss")
    return labelled


def _fitting(
    run: Run,
    loaded: Loaded,
    training: Training,
    on_overflow: OnOverflow,
    found: ChatsOrTexts,
    chats: list[Row],
    *,
    split: str,
) -> list[Row]:
    """The labelled rows of a split: texts are cut to length; chats over it are dropped, or refused if many."""
    if not found:
        return []
    longest = training.max_row_tokens(loaded)
    texts = [row for row in found if isinstance(row, Text)]
    if texts and training.max_length == "auto":
        longest = min(longest, DEFAULT_LENGTH)
    rows = [*label_texts(loaded.tokenizer, texts, max_length=longest), *chats]
    lengths, context = [len(row.input_ids) for row in rows], loaded.context_length
    indices = fitting(
        run, rows, lengths, longest=longest, context_length=context, split=split, on_overflow=on_overflow
    )
    kept = [rows[i] for i in indices]
    lengths = [len(row.input_ids) for row in kept]
    share = sum(row.num_trained for row in kept) / sum(lengths)
    run.note(f"{split}: {length_percentiles(lengths)}; {share:.0%} of the tokens are included in the loss")
    return kept


def _pack(run: Run, loaded: Loaded, data: _Data, training: Training) -> tuple[_Data, Training]:
    """Training and replay rows packed into full sequences, and the micro-batch that keeps documents apart."""
    check_apart(loaded.model)
    attention = loaded.model.config.get_text_config()._attn_implementation
    longest = training.max_row_tokens(loaded)
    if training.max_length == "auto":
        longest = max(min(longest, DEFAULT_LENGTH), *(len(row.input_ids) for row in (*data.rows, *data.replay)))
    packed = pack(data.rows, max_length=longest)
    full = sum(len(row.input_ids) for row in packed) / (len(packed) * longest)
    run.note(
        f"packing: {len(data.rows):,} rows in {len(packed):,} sequences of up to {longest:,} tokens, {full:.0%} full. "
        f"Tested on this model: {attention} attention keeps documents apart"
    )
    if "flash" in attention and training.per_device_train_batch_size > 1:
        run.note("micro-batches of one sequence: flash attention keeps documents apart only within one sequence")
        training = replace(training, per_device_train_batch_size=1, gradient_accumulation_steps=training.rows_per_step)
    return _Data(packed, data.validation, pack(data.replay, max_length=longest)), training


def _capped_validation(run: Run, data: _Data, training: Training, num_rows: int) -> _Data:
    """As many validation rows as can be evaluated in a tenth of the time of training."""
    available = len(data.validation)
    chooses, trained = training.best_checkpoint is not None, training.num_steps(num_rows) * training.rows_per_step
    count = min(_MAX_VALIDATION, validation_rows(available, trained_rows=trained, chooses=chooses))
    if count < available:
        run.note(f"validation uses {count} of {available:,} rows, so that it takes about a tenth of the time")
    return replace(data, validation=data.validation[:count])


def _train(
    run: Run,
    loaded: Loaded,
    data: _Data,
    prepared: PreparedModel,
    shuffle: Shuffle,
    training: Training,
    *,
    epoch_steps: int | None,
) -> TrainedModel:
    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        return sft_trainer(
            model=prepared.model,
            tokenizer=loaded.tokenizer,
            arguments=prepared.arguments,
            rows=[*data.rows, *data.replay],
            validation=data.validation,
            shuffle=shuffle,
            micro_batch=prepared.micro_batch,
            in_bfloat16=precision.in_bfloat16(prepared.model, training.dtype),
            on_step=on_step,
            on_log=on_log,
        )

    return train_model(
        run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint, epoch_steps=epoch_steps
    )
