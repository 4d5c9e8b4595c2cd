"""Which stage and adapter another tool's config asks for; in every tool several keys decide these together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.importers.key_maps import AXOLOTL, DROPPED, LLAMA_FACTORY, TRL, UNSLOTH, Tool

_STAGES = ("sft", "dpo", "kto", "orpo", "reward", "grpo")
_PREFERENCE_LOSSES = ("sigmoid", "hinge", "ipo", "robust")  # same name in LLaMA-Factory and slmkit
_TRL_STAGES = {  # keys that only the config of one method has
    "desirable_weight": "kto",
    "num_generations": "grpo",
    "reward_funcs": "grpo",
    "loss_type": "dpo",
    "center_rewards_coefficient": "reward",
    "beta": "dpo",
    "precompute_ref_log_probs": "dpo",
}


@dataclass
class Method:
    """Stage and adapter of one file, with the keys that decided them."""

    stage: str = ""
    stage_from: list[str] = field(default_factory=list)
    values: dict[str, tuple[Any, str]] = field(default_factory=dict)  # slmkit key -> value, origin
    lost: list[tuple[str, Any, str]] = field(default_factory=list)
    dropped: list[tuple[str, Any, str]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)  # keys of the file that need no further translation


@dataclass(frozen=True)
class _Adapter:
    kind: str  # "lora" or "full"
    in_4bit: bool
    dora: bool
    rslora: bool


def read_method(tool: Tool, flat: Mapping[str, Any], stage: str | None) -> Method:
    """The method of a file; `stage` is what the user named, for a file that does not name it."""
    method = Method()
    keys = _Keys(flat, method.used)
    method.stage = stage or _stage(tool, keys, method)
    method.stage_from = sorted(method.used)
    asked = _adapter(tool, keys, method)
    if asked.kind not in ("lora", "full"):
        raise _no_equivalent(tool, "adapter", asked.kind, ("lora", "qlora", "dora", "rslora", "full"))
    is_qlora = asked.in_4bit and asked.kind == "lora"
    adapter = "dora" if asked.dora else "rslora" if asked.rslora else "qlora" if is_qlora else asked.kind
    adapter_keys = sorted(method.used - {*method.stage_from, "lora_target_linear"})
    method.values["adapter"] = (adapter, ", ".join(adapter_keys) or f"{tool.name}'s default")
    if asked.in_4bit and adapter in ("dora", "rslora"):
        method.values["load_in_4bit"] = (True, "load_in_4bit")
    if asked.in_4bit and asked.kind == "full":
        reason = "full fine-tuning cannot train 4-bit weights, so they are not quantized"
        method.lost.append(("load_in_4bit", True, reason))
    return method


@dataclass(frozen=True)
class _Keys:
    """The keys of a file; records which were read."""

    flat: Mapping[str, Any]
    used: set[str]

    def get(self, key: str, default: Any = None) -> Any:
        if key in self.flat:
            self.used.add(key)
        value = self.flat.get(key)
        return default if value is None else value


def _stage(tool: Tool, keys: _Keys, method: Method) -> str:
    if tool is LLAMA_FACTORY:
        name, loss = keys.get("stage", "sft"), keys.get("pref_loss", "sigmoid")
        if name == "dpo" and loss == "orpo":
            return "orpo"
        if name == "dpo":
            if loss not in _PREFERENCE_LOSSES:
                raise _no_equivalent(tool, "loss", loss, _PREFERENCE_LOSSES)
            method.values["loss_type"] = (loss, "pref_loss")
        return _known_stage(tool, "reward" if name == "rm" else name)
    if tool is AXOLOTL:
        name = keys.get("rl") or ("reward" if keys.get("reward_model", False) else "sft")
        if name == "ipo":
            method.values["loss_type"] = ("ipo", "rl")
        return _known_stage(tool, "dpo" if name == "ipo" else name)
    if tool is UNSLOTH:
        return "sft"
    key = next((key for key in _TRL_STAGES if key in keys.flat), None)
    why = f"{key} is a key of {_TRL_STAGES[key]}" if key else "assumed sft, as no key belongs to another method"
    method.dropped.append(("(method)", None, f"TRL configs do not state the method: {why}. --stage overrides it"))
    return _TRL_STAGES[key] if key else "sft"


def _adapter(tool: Tool, keys: _Keys, method: Method) -> _Adapter:
    in_4bit = bool(keys.get("load_in_4bit", False))
    if tool is LLAMA_FACTORY:
        kind, bits = keys.get("finetuning_type", "lora"), keys.get("quantization_bit")
        if bits not in (None, 4):
            method.lost.append(("quantization_bit", bits, DROPPED["load_in_8bit"]))
        return _Adapter(kind, in_4bit or bits == 4, keys.get("use_dora", False), keys.get("use_rslora", False))
    if tool is AXOLOTL:
        kind = keys.get("adapter", "full")
        dora, rslora = keys.get("peft_use_dora", False), keys.get("peft_use_rslora", False)
        if keys.get("lora_target_linear", False):
            method.values["lora.target_modules"] = ("all-linear", "lora_target_linear")
        return _Adapter("lora", True, dora, rslora) if kind == "qlora" else _Adapter(kind, in_4bit, dora, rslora)
    if tool is TRL:
        kind = "lora" if keys.get("use_peft", False) else "full"
        return _Adapter(kind, in_4bit, keys.get("use_dora", False), keys.get("use_rslora", False))
    in_4bit = bool(keys.get("training.load_in_4bit", True))
    return _Adapter(keys.get("training.training_type", "lora"), in_4bit, False, keys.get("lora.use_rslora", False))


def _known_stage(tool: Tool, name: Any) -> str:
    if name not in _STAGES:
        raise _no_equivalent(tool, "method", name, _STAGES)
    return str(name)


def _no_equivalent(tool: Tool, what: str, value: Any, known: Sequence[str]) -> SlmkitError:
    fix = f"use one of {', '.join(known)}"
    return SlmkitError(f"slmkit has no equivalent of the {what} {value!r}", where=f"{tool.name} config", fix=fix)
