"""Translates another tool's config to the keys of a slmkit stage; each key is carried over or listed with a reason."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.importers.data_files import find_rows
from slmkit.importers.key_maps import AS_ASKED, CHANGES, DROPPED, LLAMA_FACTORY, TOOLS, TRL, Tool
from slmkit.importers.method import read_method
from slmkit.recipe.lookup import load_stage
from slmkit.recipe.signature import parameters

_TRL_RATES = {"sft": 2e-5, "dpo": 1e-6, "kto": 1e-6, "reward": 1e-4, "grpo": 1e-6, "orpo": 1e-6}


@dataclass
class Translated:
    """The translation of one file: the stage, its keys with their origins, and what was omitted."""

    tool: str
    stage: str
    stage_from: list[str]  # the keys that decide the stage
    values: dict[str, tuple[Any, str]]  # slmkit key -> value and origin: "lora.r" -> (32, "lora_r")
    lost: list[tuple[str, Any, str]]  # key, value, reason; changes the trained model
    dropped: list[tuple[str, Any, str]]  # key, value, reason; no effect on the trained model
    prepare: dict[str, tuple[Any, str]] = field(default_factory=dict)  # keys of the recipe that prepares the data
    seed: int | None = None
    unsupported: set[str] = field(default_factory=set)  # slmkit keys for which the file has an unsupported value


def translate(config: Mapping[str, Any], *, folder: Path, stage: str | None = None) -> Translated:
    """Translates one file; `folder` is the file's, `stage` the training method if the file does not name it.

    Raises: SlmkitError if the tool cannot be recognized, or if slmkit has no such method.
    """
    flat = _flat(config)
    tool = detect(flat)
    method = read_method(tool, flat, stage)
    done = Translated(tool.name, method.stage, method.stage_from, method.values, method.lost, method.dropped)
    known = parameters(load_stage(done.stage))
    for key, value in flat.items():
        if key in method.used:
            continue
        if value is None or value in ("", []):
            done.dropped.append((key, value, "empty"))
        elif key in tool.carried:
            _carry(done, key, tool.carried[key], value, flat, folder, known)
        else:
            _drop(done, key, value, tool, known)
    _fill_defaults(done, tool, known)
    return done


def detect(flat: Mapping[str, Any]) -> Tool:
    """The tool whose distinctive keys the file uses most."""
    counts = sorted(((len(tool.distinctive & flat.keys()), tool.name, tool) for tool in TOOLS), reverse=True)
    if counts[0][0] == 0:
        names = ", ".join(tool.name for tool in TOOLS)
        fix = f"use a training config of {names}"
        where = f"keys {', '.join(list(flat)[:6])}"
        raise SlmkitError("cannot recognize which tool the file is for", where=where, fix=fix)
    return counts[0][2]


def _carry(
    done: Translated,
    key: str,
    ours: str,
    value: Any,
    flat: Mapping[str, Any],
    folder: Path,
    known: Mapping[str, Any],
) -> None:
    """A key with an equivalent: its value translated, or the reason this value cannot be."""
    if ours == "--seed":
        if isinstance(value, int):
            done.seed = value
        else:
            done.lost.append((key, value, "the seed must be an integer"))
        return
    if ours == "data":
        rows, reason = find_rows(key, value, folder=folder, dataset_dir=str(flat.get("dataset_dir") or "data"))
        if rows is None:
            done.lost.append((key, value, reason))
        else:
            (done.prepare if done.stage == "sft" else done.values)["data"] = (rows, key)
        return
    first, _, inner = ours.partition(".")
    if first == "prepare":
        if inner == "validation_size" and not (isinstance(value, int | float) and 0 <= value < 1):
            done.lost.append((key, value, "slmkit expects a fraction of the rows, below 1"))
        elif done.stage == "sft":
            done.prepare[inner] = (value, key)
        else:
            done.lost.append((key, value, f"{done.stage} reads train.jsonl and validation.jsonl unchanged"))
        return
    if first == "lora" and done.values["adapter"][0] == "full":
        done.dropped.append((key, value, "full fine-tuning has no adapter"))
        return
    if first not in known:
        done.lost.append((key, value, DROPPED.get(key, f"stage {done.stage} has no {first}")))
        return
    try:
        done.values[ours] = (_converted(ours, key, value, flat, known), key)
    except ValueError as reason:
        done.lost.append((key, value, str(reason)))
        done.unsupported.add(ours)


def _converted(ours: str, key: str, value: Any, flat: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    """The value for slmkit. Raises: ValueError with the reason if there is none."""
    if ours == "lora.target_modules":
        names = _names(value)
        return "all-linear" if names in (["all"], ["all-linear"], ["all_linear"]) else names
    if ours == "lora.modules_to_save":
        return _names(value)
    if ours == "warmup_ratio" and key.endswith("warmup_steps") and not (isinstance(value, float) and value < 1):
        steps = flat.get("max_steps") or flat.get("training.max_steps") or 0
        if not isinstance(value, int | float) or not isinstance(steps, int | float):
            raise ValueError("warm-up steps and max_steps must be numbers")
        if value == 0:
            return 0.0
        if steps <= 0:
            raise ValueError("slmkit sets warmup_ratio, a fraction of the steps, and the file does not set max_steps")
        return round(value / steps, 4)
    if ours == "max_steps" and value == 0:
        return -1  # in Unsloth, 0 means: train by epochs
    if ours == "gradient_checkpointing" and not isinstance(value, bool):
        return {"true": True, "none": False, "false": False}.get(str(value), "auto")
    if ours == "loss_type" and isinstance(value, list):
        if len(value) != 1:
            raise ValueError("slmkit trains with one loss")
        value = value[0]
    if ours == "learning_rate":
        return float(value)
    allowed = [one for one in typing.get_args(known[ours].annotation) if isinstance(one, str)] if ours in known else []
    if allowed and isinstance(value, str) and value not in allowed:
        raise ValueError(f"slmkit has {', '.join(allowed)}; its default is {known[ours].default}")
    return value


def _drop(done: Translated, key: str, value: Any, tool: Tool, known: Mapping[str, Any]) -> None:
    """A key without an equivalent: bookkeeping, a difference in the trained model, or an unknown key."""
    leaf = key.rpartition(".")[2]
    if leaf in known and "." not in key and leaf not in ("data", "model", "lora", "adapter", "attn_implementation"):
        done.values[leaf] = (value, key)  # the stage has a key of the same name
        return
    reason = tool.lost.get(key) or tool.dropped.get(key) or DROPPED.get(leaf)
    if reason is None:
        done.lost.append((key, value, "unknown key"))
    elif _as_asked(leaf, value):
        done.dropped.append((key, value, f"{reason}, as the file asks"))
    elif leaf in AS_ASKED or key in tool.lost or _matters(leaf, value, reason):
        done.lost.append((key, value, reason))
    else:
        done.dropped.append((key, value, reason))


def _matters(leaf: str, value: Any, reason: str) -> bool:
    """Whether omitting the key changes the trained model."""
    if leaf.startswith("finetune_"):
        return value is False and leaf != "finetune_vision_layers"
    return reason in CHANGES and value is not False


def _as_asked(leaf: str, value: Any) -> bool:
    """Whether the key asks for what slmkit does anyway."""
    if leaf in AS_ASKED:
        return bool(value == AS_ASKED[leaf])
    return leaf in ("optim", "optimizer") and str(value).startswith("adamw_torch")


def _fill_defaults(done: Translated, tool: Tool, known: Mapping[str, Any]) -> None:
    """Sets the tool's defaults for keys the file does not set, where slmkit's defaults differ."""
    defaults = dict(tool.defaults)
    if tool is TRL:
        defaults["learning_rate"] = _TRL_RATES[done.stage]
        defaults |= {"lora.lora_dropout": 0.05}
        if done.values["adapter"][0] != "full" and "lora.target_modules" not in done.values:
            reason = "not set: PEFT would adapt q_proj and v_proj of most models, slmkit adapts all linear layers"
            done.lost.append(("lora_target_modules", None, reason))
    if tool is LLAMA_FACTORY and "lora.lora_alpha" not in done.values:
        defaults["lora.lora_alpha"] = 2 * done.values.get("lora.r", (8, ""))[0]
    for ours, value in defaults.items():
        first, _, inner = ours.partition(".")
        if ours in done.values or ours in done.unsupported or first not in known:
            continue
        if ours == "max_length" and done.stage == "grpo":  # TRL's GRPO has no max_length
            continue
        if first == "lora" and done.values["adapter"][0] == "full":
            continue
        usual = getattr(known["lora"].default, inner) if first == "lora" else known[first].default
        if value != usual:
            done.values[ours] = (value, f"{tool.name}'s default")


def _names(value: Any) -> list[str]:
    return [str(one).strip() for one in (value if isinstance(value, list) else str(value).split(","))]


def _flat(value: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    """Unsloth's sections as dotted keys; in other files a mapping is a value."""
    rows: dict[str, Any] = {}
    for key, inner in value.items():
        if isinstance(inner, Mapping) and key in ("data", "training", "lora", "logging") and not at:
            rows |= _flat(inner, f"{key}.")
        else:
            rows[f"{at}{key}"] = inner
    return rows
