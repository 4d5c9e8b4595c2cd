"""Merging: an adapter and the model under it as one plain model folder, checked to answer as the two did."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Literal

from slmkit.errors import FailedError, SlmkitError
from slmkit.inference.generate import generate
from slmkit.models.chat_template import render
from slmkit.models.load import Device, Loaded, check_model, load_model, load_tokenizer, model_folder, read_base
from slmkit.models.lora import finish_saved
from slmkit.rows.loss_mask import label_chats, read_chats
from slmkit.runs.run import Run
from slmkit.training.guards import Said, predictions
from slmkit.training.prepare_prompts import prompt_file, read_prompts
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
    """Write a model and its adapter as one plain folder, and check on prompts that it answers as they do.

    `model` is the run that trained the adapter, `data` the rows whose questions are asked. The adapter is added to the
    whole weights in float32 and rounded once, to `save_dtype`, never to 4 bits. What was saved is loaded again; its
    greedy answers must be those of the adapter on its base for the share min_same_answers of them; both are worked out
    in float32, so that merging and rounding alone can make a difference.
    load_in_4bit: the adapter on 4-bit weights, as QLoRA trained it, is measured beside them.
    """
    file = prompt_file(data)
    prompts = read_prompts(file, limit=num_prompts)
    adapted = _adapted(model, device)
    rows = label_chats(adapted.tokenizer, read_chats(file, limit=num_prompts))
    asked = render(adapted.tokenizer, [prompt.turns for prompt in prompts])

    def answers(loaded: Loaded) -> tuple[list[str], Said]:
        texts = [output.text for output in generate(loaded, asked, max_new_tokens=max_new_tokens)]
        return texts, predictions(loaded.model, rows)

    wanted = answers(adapted)
    _save(adapted, run.path("model"), save_dtype, model)
    del adapted
    saved = load_model(ModelRef(model.name, str(run.dir)), device=device, dtype="float32")
    found = answers(saved)
    run.table("parity", _table([prompt.id for prompt in prompts], wanted[0], found[0]))
    same = _same(wanted[0], found[0])
    run.metric(same_answers=same, same_tokens=_same_tokens(wanted[1], found[1]), **_losses(wanted[1], found[1]))
    if load_in_4bit:
        trained = answers(_adapted(model, device, load_in_4bit=True))
        run.metric(same_answers_4bit=_same(trained[0], found[0]), loss_4bit=_mean(trained[1].losses))
    if same < min_same_answers:
        raise FailedError(
            f"{1 - same:.0%} of {len(asked)} answers of the merged model are not those of its adapter",
            where=str(run.dir / "parity.jsonl"),
            fix="save_dtype=float32 rounds nothing; or allow it: min_same_answers=0.98",
        )
    run.verdict(f"The merged model, in {save_dtype}, answers {same:.0%} of {len(asked)} prompts as its adapter does.")


def check(*, model: Model, data: Input, num_prompts: int = 50, **_: Any) -> None:
    """Refuses what cannot be merged, before anything is loaded."""
    check_model(model)
    folder = model_folder(model)
    if folder is not None and not (folder / "adapter_config.json").exists():
        fix = "name the run or folder of an adapter; a plain model needs no merge"
        raise SlmkitError(f"model {model.name!r} is not an adapter", where="model", fix=fix)
    if data.exists():
        read_prompts(prompt_file(data), limit=num_prompts)


def _adapted(ref: ModelRef, device: Device, *, load_in_4bit: bool = False) -> Loaded:
    """The adapter on its base, not merged into it; the base in float32, or in 4 bits."""
    from peft import PeftModel

    folder = model_folder(ref)
    if folder is None:
        raise SlmkitError(f"model {ref.name!r} is not a folder here", where="model", fix="download the adapter")
    base = load_model(read_base(folder), device=device, dtype="float32", load_in_4bit=load_in_4bit)
    return Loaded(PeftModel.from_pretrained(base.model, str(folder)).eval(), load_tokenizer(ref), ref)


def _save(adapted: Loaded, folder: Path, dtype: str, ref: ModelRef) -> None:
    """Merges in float32, rounds once, saves model, tokenizer and chat template."""
    import torch

    merged = adapted.model.merge_and_unload().to(getattr(torch, dtype))
    merged.save_pretrained(folder)
    adapted.tokenizer.save_pretrained(folder)
    finish_saved(folder, ref)


def _table(ids: list[str], wanted: list[str], found: list[str]) -> list[dict[str, Any]]:
    rows = zip(ids, wanted, found, strict=True)
    return [{"id": id, "adapter": one, "merged": other, "same": one == other} for id, one, other in rows]


def _same(wanted: list[str], found: list[str]) -> float:
    return sum(one == other for one, other in zip(wanted, found, strict=True)) / len(wanted)


def _same_tokens(wanted: Said, found: Said) -> float:
    """The share of answer tokens, the right ones given so far, of which both think the same the likeliest."""
    pairs = [
        pair for one, other in zip(wanted.tokens, found.tokens, strict=True) for pair in zip(one, other, strict=True)
    ]
    return sum(one == other for one, other in pairs) / len(pairs)


def _losses(wanted: Said, found: Said) -> dict[str, float]:
    gaps = [abs(one - other) for one, other in zip(wanted.losses, found.losses, strict=True)]
    return {"loss_adapter": _mean(wanted.losses), "loss_merged": _mean(found.losses), "largest_loss_gap": max(gaps)}


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
