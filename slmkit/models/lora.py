"""PEFT adapters: which parameters train, and at what learning rate."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import SlmkitError
from slmkit.models.model_folder import save_base
from slmkit.types import Fraction, ModelRef, PositiveInt

if TYPE_CHECKING:
    from transformers import PreTrainedModel

Adapter = Literal["lora", "qlora", "dora", "rslora", "full"]


@dataclass(frozen=True, kw_only=True)
class Lora:
    """The low-rank adapter: W + lora_alpha / r * B A, on every linear layer but the output head.

    Source: Hu et al. 2021, https://arxiv.org/abs/2106.09685. All linear layers rather than attention alone, and
    lora_alpha = 2 r: Biderman et al. 2024, https://arxiv.org/abs/2405.09673, section 4.
    """

    r: PositiveInt = 16
    lora_alpha: PositiveInt = 32
    lora_dropout: Fraction = 0.0
    target_modules: list[str] | Literal["all-linear"] = "all-linear"
    modules_to_save: list[str] | None = None  # also trained in full, e.g. ["embed_tokens"]


def attach(
    model: PreTrainedModel,
    lora: Lora,
    *,
    adapter: Adapter,
    seed: int,
    task_type: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM",
) -> Any:
    """The model with a new adapter, after checking the module names in `lora`; with "full", the model itself."""
    if adapter == "full":
        return model.requires_grad_(True)
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    _check_names(model, lora)
    set_seed(seed)  # for A's random start
    config = LoraConfig(
        task_type=task_type,
        r=lora.r,
        lora_alpha=lora.lora_alpha,
        lora_dropout=lora.lora_dropout,
        target_modules=lora.target_modules,
        modules_to_save=lora.modules_to_save,
        use_dora=adapter == "dora",
        use_rslora=adapter == "rslora",
    )
    return get_peft_model(model, config)


def clean_saved_model(folder: Path, ref: ModelRef) -> None:
    """Makes a saved model portable: adds base.json to an adapter, and removes paths of this machine."""
    config = folder / "adapter_config.json"
    if config.exists():
        save_base(folder, ref)
        content = json.loads(config.read_text(encoding="utf-8"))
        content |= {"base_model_name_or_path": ref.name}
        if isinstance(content["target_modules"], list):
            content["target_modules"].sort()  # peft keeps a set
        config.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name in ("training_args.bin", "README.md"):  # a pickle, and peft's empty model card
        (folder / name).unlink(missing_ok=True)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # they are written readable by their owner only


def trainable_share(model: Any) -> float:
    """The trainable share of all weights."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return float(sum(n for n, trains in counts if trains) / sum(n for n, _ in counts))


def auto_learning_rate(hidden_size: int, *, adapter: Adapter, rate_at_2048: float = 2e-4) -> float:
    """A default learning rate: at width 2,048 `rate_at_2048` for an adapter, and a tenth of it for full fine-tuning.

    It scales with 1 / hidden_size and is rounded to two digits. Example: width 128, adapter -> 0.0032.
    Source: an adapter needs about ten times the rate of full fine-tuning (Schulman 2025,
    https://thinkingmachines.ai/blog/lora/); inverse width (Yang et al. 2022, https://arxiv.org/abs/2203.03466). At
    width 128, after 4 epochs of 1,000 tickets, 0.0018 got 67% of the codes right and 0.004 got 86%.
    """
    rate = rate_at_2048 * (0.1 if adapter == "full" else 1.0) * 2048 / hidden_size
    return float(f"{rate:.1e}")


def _check_names(model: PreTrainedModel, lora: Lora) -> None:
    module_names = {name.rpartition(".")[2] for name, module in model.named_modules() if not list(module.children())}
    targets = [] if lora.target_modules == "all-linear" else list(lora.target_modules)
    for key, names in (("target_modules", targets), ("modules_to_save", lora.modules_to_save or [])):
        for name in names:
            if name.rpartition(".")[2] not in module_names:
                near = difflib.get_close_matches(name, module_names, n=1)
                raise SlmkitError(
                    f"the model has no module {name!r}",
                    where=f"lora.{key}",
                    fix=f"did you mean {near[0]!r}?" if near else f"use one of {', '.join(sorted(module_names))}",
                )
    if "lm_head" in targets:
        raise SlmkitError(
            "an adapter on lm_head, the output head, would not be trained",
            where="lora.target_modules",
            fix="put lm_head into lora.modules_to_save instead",
        )
