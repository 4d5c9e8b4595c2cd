"""Supervised fine-tuning: TRL's SFTTrainer on chats, or on texts, with LoRA, QLoRA, DoRA, rsLoRA or all weights."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from slmkit.data.lengths import spread
from slmkit.errors import RefusedError, SlmkitError
from slmkit.models import precision
from slmkit.models.load import Loaded
from slmkit.models.lora import attach
from slmkit.models.memory import plan
from slmkit.models.unsloth import attach_unsloth, check_unsloth, load_unsloth
from slmkit.rows.loss_mask import Chat, Row, label_chats, read_chats
from slmkit.rows.packing import check_apart, pack
from slmkit.rows.text_rows import DEFAULT_LENGTH, Text, holds_texts, label_texts, read_texts
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.fsdp import is_asked, kept_share, shard
from slmkit.training.guards import predictions
from slmkit.training.loop import finish, fit
from slmkit.training.sft_trainer import sft_trainer, trained_tokens
from slmkit.training.trainer import OnLog, OnStep, Shuffle
from slmkit.types import FractionBelowOne, Input, Keys, Model

DISTRIBUTED = ("ddp", "fsdp")  # ways in which several processes can run this stage
_MAX_SHARE_TOO_LONG = 0.01  # more rows than this over max_length is a mistake in the settings, not an outlier
_MAX_VALIDATION = 500  # rows evaluated up to ten times in a run
_NUM_PROBES = 50  # rows on which base and tuned, saved and trained are compared

Found = list[Chat] | list[Text]


def sft(
    run: Run,
    *,
    data: Input,
    model: Model,
    replay: Input | None = None,
    replay_ratio: FractionBelowOne = 0.25,
    packing: bool = False,
    backend: Literal["transformers", "unsloth"] = "transformers",
    training: Keys[Training] = Training(num_train_epochs=3.0),
) -> None:
    """Fine-tune a model on chats, loss on the assistant's words only; or pretrain it further on texts, loss on all.

    `data` is a prepare run (train.jsonl, validation.jsonl) or a .jsonl file, each line {"messages": [...]} or each
    {"text": ...}; a text is cut into rows of max_length (auto: 1,024 tokens), none of it lost. One optimizer step sees
    per_device_train_batch_size * gradient_accumulation_steps rows a device, at most per_device_train_batch_size of
    them in memory at once. `replay` names rows of another kind, `replay_ratio` of each epoch, so that the model keeps
    what it could do; chats may be replayed among texts. A chat over max_length is dropped and counted, never cut.
    packing: rows laid into sequences of max_length (auto: 1,024 tokens), none seeing another, and a step sees so many
    sequences. Off, since rows of like length in one micro-batch have little padding to save: on a CPU, chats of 20 to
    300 tokens packed to 512 ran at 0.90 of the tokens a second, to 1,024 at 0.68 (attention goes over the whole
    sequence). backend unsloth: its kernels, where it is installed.
    """
    training.refuse_gold(data, replay)
    found, found_validation = _read(data)
    found_replay = _read(replay)[0] if replay else []
    run.note(
        f"{len(found):,} rows to train on, {len(found_validation):,} to validate, {len(found_replay):,} to replay"
    )
    loaded = (
        load_unsloth(model, load_in_4bit=training.quantized)
        if backend == "unsloth"
        else training.load(model, run.note)
    )
    rows = _label(run, loaded, found, training, what="train")
    validation = _label(run, loaded, found_validation, training, what="validation")[:_MAX_VALIDATION]
    replayed = _label(run, loaded, found_replay, training, what="replay")
    probes = (validation or rows)[:_NUM_PROBES]
    if packing:
        rows, replayed, training = _pack(run, loaded, rows, replayed, training)
    else:
        run.note("no packing: rows of like length share a micro-batch, with little padding to save")
    say = partial(predictions, rows=probes)
    before = say(loaded.model)
    rate = training.rate(loaded.model, run.note)
    put_on = attach_unsloth if backend == "unsloth" else attach
    tuned = put_on(loaded.model, training.lora, adapter=training.adapter, seed=run.seed)
    lengths = [len(row.input_ids) for row in (*rows, *validation, *replayed)]
    micro_batch = plan(
        tuned,
        longest=max(lengths),
        labelled_share=sum(row.num_trained for row in (*rows, *validation, *replayed)) / sum(lengths),
        gradient_checkpointing=training.gradient_checkpointing,
    )
    run.note(micro_batch.reason)
    if reason := precision.why(tuned, training.dtype):
        run.note(reason)
    if is_asked():
        if training.selection:
            raise RefusedError(
                "a sharded run keeps no checkpoint to take the best model from",
                where="--fsdp, load_best_model_at_end, early_stopping_patience",
                fix="leave out --fsdp, or train to the end",
            )
        tuned = shard(tuned)
        run.note(f"sharded: this process keeps {kept_share(tuned):.0%} of the weights; no checkpoint is written")
    num_replayed = round(len(rows) * replay_ratio / (1 - replay_ratio)) if replayed else 0
    shuffle = Shuffle(len(rows), seed=run.seed, num_extra=num_replayed, extra_pool=len(replayed))
    steps = training.steps(len(shuffle))

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        return sft_trainer(
            model=tuned,
            tokenizer=loaded.tokenizer,
            arguments=training.arguments(
                run.dir / "checkpoints",
                model=tuned,
                steps=steps,
                learning_rate=rate,
                gradient_checkpointing=micro_batch.gradient_checkpointing,
                seed=run.seed,
                num_validation=len(validation),
            ),
            rows=[*rows, *replayed],
            validation=validation,
            shuffle=shuffle,
            micro_batch=micro_batch,
            in_bfloat16=precision.in_bfloat16(tuned, training.dtype),
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=steps, selection=training.selection)
    finish(run, fitted, model, say=say, before=before)
    done = int(fitted.trainer.state.global_step)
    trained = trained_tokens([*rows, *replayed], shuffle, steps=done, rows_per_step=training.rows_per_step)
    run.metric(trained_tokens=float(trained))
    if validation and isinstance(found[0], Text):
        before_and_after = fitted.curve("validation_loss")[0], fitted.validated("validation_loss")
        run.metric(perplexity_before=math.exp(before_and_after[0]), perplexity=math.exp(before_and_after[1]))


def check(
    *,
    data: Input,
    model: Model,
    replay: Input | None = None,
    backend: Literal["transformers", "unsloth"] = "transformers",
    training: Training,
    **_: Any,
) -> None:
    """Refuses what cannot train, before anything is loaded."""
    if backend == "unsloth":
        check_unsloth(model, training.adapter, training.attn_implementation)
    read = [_read_file(_train_file(path), limit=100) for path in (data, replay) if path and path.exists()]
    has_chats = not read or any(isinstance(rows[0], Chat) for rows in read)
    training.check(model, data, replay, needs_chat_template=has_chats)


def _pack(
    run: Run, loaded: Loaded, rows: list[Row], replayed: list[Row], training: Training
) -> tuple[list[Row], list[Row], Training]:
    """Rows and replayed rows as full sequences; a flash kernel keeps documents apart in one sequence at a time."""
    check_apart(loaded.model)
    attention = loaded.model.config.get_text_config()._attn_implementation
    most = training.longest(loaded)
    if training.max_length == "auto":
        most = max(min(most, DEFAULT_LENGTH), *(len(row.input_ids) for row in (*rows, *replayed)))
    packed, packed_replayed = pack(rows, max_length=most), pack(replayed, max_length=most)
    full = sum(len(row.input_ids) for row in packed) / (len(packed) * most)
    run.note(
        f"packing: {len(rows):,} rows in {len(packed):,} sequences of up to {most:,} tokens, {full:.0%} full; "
        f"{attention} attention keeps them apart, as tried out on this model"
    )
    if "flash" in attention and training.per_device_train_batch_size > 1:
        run.note("micro-batches of one sequence: in more than one, flash attention would not tell documents apart")
        training = replace(training, per_device_train_batch_size=1, gradient_accumulation_steps=training.rows_per_step)
    return packed, packed_replayed, training


def _read(path: Path) -> tuple[Found, Found]:
    """The rows to train on and those to validate with."""
    validation = path / "validation.jsonl"
    return _read_file(_train_file(path)), _read_file(validation) if validation.exists() else []


def _read_file(file: Path, *, limit: int | None = None) -> Found:
    return read_texts(file, limit=limit) if holds_texts(file) else read_chats(file, limit=limit)


def _train_file(path: Path) -> Path:
    file = path / "train.jsonl" if path.is_dir() else path
    if not file.exists():
        raise SlmkitError(
            "there is no train.jsonl",
            where=str(path),
            fix="name the run of a prepare stage, or a .jsonl of messages or of texts",
        )
    return file


def _label(run: Run, loaded: Loaded, found: Found, training: Training, *, what: str) -> list[Row]:
    """Labelled rows: texts cut to the length, chats over it dropped, written to a table, and refused when many."""
    if not found:
        return []
    longest = training.longest(loaded)
    texts = [row for row in found if isinstance(row, Text)]
    if texts and training.max_length == "auto":
        longest = min(longest, DEFAULT_LENGTH)
    rows = label_texts(loaded.tokenizer, texts, max_length=longest)
    rows += label_chats(loaded.tokenizer, chats) if (chats := [row for row in found if isinstance(row, Chat)]) else []
    dropped = [row for row in rows if len(row.input_ids) > longest]
    if dropped:
        counted = f"{len(dropped):,} of {len(rows):,} {what} rows are longer than {longest:,} tokens"
        if len(dropped) > _MAX_SHARE_TOO_LONG * len(rows):
            raise RefusedError(
                counted,
                where=f"row {dropped[0].id}: {len(dropped[0].input_ids):,} tokens",
                fix=f"a larger max_length (this model takes {loaded.context_length:,}), or shorter rows",
            )
        run.note(f"{counted}: dropped, see too_long_{what}.jsonl")
        run.table(f"too_long_{what}", [{"id": row.id, "tokens": len(row.input_ids)} for row in dropped])
    kept = [row for row in rows if len(row.input_ids) <= longest]
    lengths = [len(row.input_ids) for row in kept]
    share = sum(row.num_trained for row in kept) / sum(lengths)
    run.note(f"{what}: {spread(lengths)}; loss on {share:.0%} of the tokens")
    return kept
