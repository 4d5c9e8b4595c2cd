"""Checks of training: gradients reach every adapted module, and the saved model is the trained one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError

if TYPE_CHECKING:
    from torch import nn

_ADAPTER_PREFIX = "base_model.model."


def check_gradients(model: nn.Module, *, allow_no_gradient: bool = False) -> None:
    """Raises FailedError unless every module with trainable weights has a finite gradient that is not all zeros.

    allow_no_gradient: accept that no module has one, as when all answers of a GRPO group have the same reward.

    Call it after the first backward. LoRA starts at B = 0, which makes A's first gradient zero, so one trainable
    weight with a gradient is enough for a module.
    """
    has_gradient: dict[str, bool] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            module = name.partition(".lora_")[0].removeprefix(_ADAPTER_PREFIX)
            gradient = parameter.grad
            if gradient is not None and not gradient.isfinite().all():
                raise FailedError(
                    f"the first gradient of {module} is not finite",
                    fix="lower learning_rate, or set dtype: float32",
                )
            has_gradient[module] = has_gradient.get(module, False) or (gradient is not None and bool(gradient.any()))
    without = [module for module, found in has_gradient.items() if not found]
    if without and not (allow_no_gradient and len(without) == len(has_gradient)):
        raise FailedError(
            f"{len(without)} of {len(has_gradient)} trainable modules got no gradient, e.g. {without[0]}",
            where="first step",
            fix="remove them from target_modules, or check that the model's forward uses them",
        )


def check_saved(model: Any, folder: Path) -> None:
    """Raises FailedError unless the model saved in `folder` is the one in memory, weight by weight.

    An adapter is loaded next to the one in memory, as a later run loads it; its scale is compared too.
    """
    import torch
    from safetensors import safe_open

    if hasattr(model, "peft_config"):
        active = model.active_adapter
        model.load_adapter(str(folder), "saved")
        try:
            different = _different_weight(model, active, "saved")
        finally:
            model.set_adapter(active)
            model.delete_adapter("saved")
        if different:
            raise FailedError(f"the saved adapter is not the trained one: {different} differs", where=str(folder))
        return
    state = model.state_dict()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as saved:
            for name in saved.keys():  # noqa: SIM118 - not a dict
                if not torch.equal(saved.get_tensor(name), state[name].cpu()):
                    raise FailedError(f"the saved weight {name} is not the trained one", where=str(file))


def _different_weight(model: Any, one: str, other: str) -> str | None:
    """The name of a weight or scale in which two adapters differ; None if they are the same."""
    import torch

    weights = dict(model.named_parameters())
    for name, weight in weights.items():
        if one in name.split("."):
            found = weights.get(name.replace(f".{one}", f".{other}"))
            if found is None or not torch.equal(found, weight.to(found.dtype)):
                return str(name)
    for name, module in model.named_modules():
        scaling = getattr(module, "scaling", None)
        if isinstance(scaling, dict) and scaling.get(one) != scaling.get(other):
            return f"{name}.scaling"
    return None
