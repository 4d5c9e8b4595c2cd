"""Merging: an adapter and its base model as one plain model folder, checked to give the same answers."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from slmkit.errors import FailedError, SlmkitError
from slmkit.inference.generate import generate
from slmkit.models.chat_template import render
from slmkit.models.check_model import check_model
from slmkit.models.load import Device, Loaded, load_model, load_tokenizer
from slmkit.models.lora import clean_saved_model
from slmkit.models.model_folder import model_folder, read_base
from slmkit.rows.loss_mask import label_chats, read_chats
from slmkit.rows.read_rows import train_file
from slmkit.runs.run_folder import Run
from slmkit.training.predictions import Predictions, predict
from slmkit.training.prepare_prompts import read_prompts
from slmkit.types import Fraction, Input, Model, ModelRef, PositiveInt


def merge(
    run: Run,
    *,
    model: Model,
    data: Input,
    save_dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16",
    num_prompts: PositiveInt = 50,
    max_new_tokens: PositiveInt = 64,
    min_same_answers: Fraction = 1.0,
    load_in_4bit: bool = False,
    device: Device = "auto",
) -> None:
    """Merge an adapter into its base model, and check that the result gives the same answers.

    `model` is the run that trained the adapter, `data` the rows whose prompts are answered. The adapter is added to
    the unquantized weights in float32 and rounded once, to `save_dtype`, never to 4 bits. The saved model is loaded
    again; at least the share min_same_answers of its greedy answers must equal those of the adapter on its base. Both
    answer in float32, so only merging and rounding can make a difference.
    load_in_4bit: also measures the adapter on 4-bit weights, as QLoRA trained it.
    """
    file = train_file(data)
    prompts = read_prompts(file, limit=num_prompts)
    adapted = _adapted(model, device)
    rows = label_chats(adapted.tokenizer, read_chats(file, limit=num_prompts))
    prompt_ids = render(
        adapted.tokenizer, [prompt.turns for prompt in prompts], tools=[prompt.tools for prompt in prompts]
    )

    def answers(loaded: Loaded) -> tuple[list[str], Predictions]:
        texts = [output.text for output in generate(loaded, prompt_ids, max_new_tokens=max_new_tokens)]
        return texts, predict(loaded.model, rows)

    expected = answers(adapted)
    _save(adapted, run.path("model"), save_dtype, model)
    del adapted
    saved = load_model(ModelRef(model.name, str(run.dir)), device=device, dtype="float32")
    found = answers(saved)
    run.table("parity", _table([prompt.id for prompt in prompts], expected[0], found[0]))
    same = _same(expected[0], found[0])
    run.metric(same_answers=same, same_tokens=_same_tokens(expected[1], found[1]), **_losses(expected[1], found[1]))
    if load_in_4bit:
        trained = answers(_adapted(model, device, load_in_4bit=True))
        run.metric(same_answers_4bit=_same(trained[0], found[0]), loss_4bit=_mean(trained[1].losses))
    if same < min_same_answers:
        raise FailedError(
            f"{1 - same:.0%} of the merged model's {len(prompts)} answers differ from those of the adapter",
            where=str(run.dir / "parity.jsonl"),
            fix="use save_dtype=float32, which rounds nothing, or min_same_answers=0.98 to accept a few",
        )
    run.verdict(f"The merged model ({save_dtype}) gives the adapter's answer to {same:.0%} of {len(prompts)} prompts.")


def check(*, model: Model, data: Input, num_prompts: int = 50, **_: Any) -> None:
    """Refuses what cannot be merged, before anything is loaded."""
    check_model(model)
    folder = model_folder(model)
    if folder is not None and not (folder / "adapter_config.json").exists():
        fix = "use the run or folder of an adapter; a plain model needs no merging"
        raise SlmkitError(f"model {model.name!r} is not an adapter", where="model", fix=fix)
    if data.exists():
        read_prompts(train_file(data), limit=num_prompts)


def _adapted(ref: ModelRef, device: Device, *, load_in_4bit: bool = False) -> Loaded:
    """The adapter on its base, unmerged; the base in float32 or in 4 bits."""
    from peft import PeftModel

    folder = model_folder(ref)
    if folder is None:
        raise SlmkitError(f"model {ref.name!r} is not a local folder", where="model", fix="download the adapter first")
    base = load_model(read_base(folder), device=device, dtype="float32", load_in_4bit=load_in_4bit)
    return Loaded(PeftModel.from_pretrained(base.model, str(folder)).eval(), load_tokenizer(ref), ref)


def _save(adapted: Loaded, folder: Path, dtype: str, ref: ModelRef) -> None:
    """Merges in float32, rounds once, and saves model, tokenizer and chat template."""
    import torch

    merged = adapted.model.merge_and_unload().to(getattr(torch, dtype))
    merged.save_pretrained(folder)
    adapted.tokenizer.save_pretrained(folder)
    clean_saved_model(folder, ref)


def _table(ids: list[str], expected: list[str], found: list[str]) -> list[dict[str, Any]]:
    rows = zip(ids, expected, found, strict=True)
    return [{"id": id, "adapter": one, "merged": other, "same": one == other} for id, one, other in rows]


def _same(expected: list[str], found: list[str]) -> float:
    return sum(one == other for one, other in zip(expected, found, strict=True)) / len(expected)


def _same_tokens(expected: Predictions, found: Predictions) -> float:
    """The share of answer positions where both predict the same token, given the correct tokens before it."""
    pairs = [
        pair for one, other in zip(expected.tokens, found.tokens, strict=True) for pair in zip(one, other, strict=True)
    ]
    return sum(one == other for one, other in pairs) / len(pairs)


def _losses(expected: Predictions, found: Predictions) -> dict[str, float]:
    gaps = [abs(one - other) for one, other in zip(expected.losses, found.losses, strict=True)]
    return {"loss_adapter": _mean(expected.losses), "loss_merged": _mean(found.losses), "largest_loss_gap": max(gaps)}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
