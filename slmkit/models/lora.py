"""Adapters by PEFT: which parameters train, and at what rate."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import SlmkitError
from slmkit.models.load import save_base
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
    modules_to_save: list[str] | None = None  # trained whole, beside the adapter: e.g. ["embed_tokens"]


def attach(
    model: PreTrainedModel,
    lora: Lora,
    *,
    adapter: Adapter,
    seed: int,
    task_type: Literal["CAUSAL_LM", "SEQ_CLS"] = "CAUSAL_LM",
) -> Any:
    """The model with a fresh adapter on it, each name in `lora` checked first; "full" gives the model itself."""
    if adapter == "full":
        return model.requires_grad_(True)
    from peft import LoraConfig, get_peft_model
    from transformers import set_seed

    _check_names(model, lora)
    set_seed(seed)  # A starts random
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


def finish_saved(folder: Path, ref: ModelRef) -> None:
    """Makes what a trainer saved fit to travel: base.json beside an adapter, and no path of this machine in it."""
    config = folder / "adapter_config.json"
    if config.exists():
        save_base(folder, ref)
        content = json.loads(config.read_text(encoding="utf-8"))
        content |= {"base_model_name_or_path": ref.name}
        if isinstance(content["target_modules"], list):
            content["target_modules"].sort()  # peft keeps a set
        config.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    for name in ("training_args.bin", "README.md"):  # a pickle, and peft's form to fill in: the run says more
        (folder / name).unlink(missing_ok=True)
    for file in folder.glob("*.safetensors"):
        file.chmod(0o644)  # they are written for their owner alone


def trainable_share(model: Any) -> float:
    """Trainable weights over all weights."""
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return float(sum(n for n, trains in counts if trains) / sum(n for n, _ in counts))


def auto_learning_rate(hidden_size: int, *, adapter: Adapter, usual: float = 2e-4) -> float:
    """A starting learning rate: at width 2,048 it is `usual` for an adapter and a tenth of that for all weights.

    It goes with 1 / hidden_size, to two digits. Example: width 128, adapter -> 0.0032.
    Source: adapters about ten times all weights: Schulman 2025, https://thinkingmachines.ai/blog/lora/. The inverse
    width: Yang et al. 2022, https://arxiv.org/abs/2203.03466. At width 128 and after 4 epochs of 1,000 tickets,
    0.0018 gave .67 of the codes, 0.004 gave .86.
    """
    rate = usual * (0.1 if adapter == "full" else 1.0) * 2048 / hidden_size
    return float(f"{rate:.1e}")


def _check_names(model: PreTrainedModel, lora: Lora) -> None:
    leaves = {name.rpartition(".")[2] for name, module in model.named_modules() if not list(module.children())}
    asked = [] if lora.target_modules == "all-linear" else list(lora.target_modules)
    for key, wanted in (("target_modules", asked), ("modules_to_save", lora.modules_to_save or [])):
        for name in wanted:
            if name.rpartition(".")[2] not in leaves:
                near = difflib.get_close_matches(name, leaves, n=1)
                raise SlmkitError(
                    f"the model has no module {name!r}",
                    where=f"lora.{key}",
                    fix=f"did you mean {near[0]!r}?" if near else f"it has {', '.join(sorted(leaves))}",
                )
    if "lm_head" in asked:
        raise SlmkitError(
            "an adapter on the output head would not be trained",
            where="lora.target_modules",
            fix="put lm_head into lora.modules_to_save instead",
        )
