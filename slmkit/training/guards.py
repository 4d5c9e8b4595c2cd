"""Checks while and after training: gradients reach every adapted module, the saved model is the trained one, and
training changed what the model says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError
from slmkit.rows.batching import cut, pad
from slmkit.rows.loss_mask import IGNORED, Row

if TYPE_CHECKING:
    from torch import nn

_ADAPTER_PREFIX = "base_model.model."


def check_gradients(model: nn.Module, *, may_stand_still: bool = False) -> None:
    """Raises FailedError unless every module with trainable weights got a finite gradient, and not all zeros.

    may_stand_still: all of them without a gradient is fine, as where every answer of a group got the same reward.

    To be called after the first backward. LoRA starts at B = 0, which makes A's first gradient zero, so a module
    counts as reached when any of its trainable weights is.
    """
    reached: dict[str, bool] = {}
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            module = name.partition(".lora_")[0].removeprefix(_ADAPTER_PREFIX)
            gradient = parameter.grad
            if gradient is not None and not gradient.isfinite().all():
                raise FailedError(
                    f"the first gradient of {module} is not finite",
                    fix="lower learning_rate, or set dtype: float32",
                )
            reached[module] = reached.get(module, False) or (gradient is not None and bool(gradient.any()))
    silent = [module for module, got in reached.items() if not got]
    if silent and not (may_stand_still and len(silent) == len(reached)):
        raise FailedError(
            f"{len(silent)} of {len(reached)} modules to train got no gradient, e.g. {silent[0]}",
            where="first step",
            fix="leave them out of target_modules, or look at how the model uses them",
        )


@dataclass(frozen=True)
class Said:
    """What a model says to each row: the likeliest token at each trained position, and the loss of the right ones."""

    tokens: list[list[int]]
    losses: list[float]


def predictions(model: Any, rows: Sequence[Row]) -> Said:
    """What the model says, given the right tokens so far; two models that agree in tokens and losses are alike."""
    import torch
    from torch.nn import functional as F

    was_training = model.training
    model.eval()
    said: list[list[int]] = [[] for _ in rows]
    losses = [0.0] * len(rows)
    for group in cut([len(row.input_ids) for row in rows], max_tokens=2048, max_rows=16):
        batch = pad([rows[i] for i in group], pad_token_id=0)
        with torch.no_grad():
            logits = model(input_ids=batch["input_ids"].to(model.device), use_cache=False).logits[:, :-1].float().cpu()
        for i, row_logits, row_labels in zip(group, logits, batch["labels"][:, 1:], strict=True):
            mask = row_labels != IGNORED
            said[i] = row_logits[mask].argmax(-1).tolist()
            losses[i] = float(F.cross_entropy(row_logits[mask], row_labels[mask]))
    model.train(was_training)
    return Said(said, losses)


def check_saved(model: Any, folder: Path, say: Callable[[Any], Said]) -> None:
    """Raises FailedError unless what was saved in `folder` says the same as the model in memory.

    An adapter is loaded beside the one in memory and must say the same; full weights are compared one by one.
    """
    import torch
    from safetensors import safe_open

    if hasattr(model, "peft_config"):
        expected = say(model).losses
        active = model.active_adapter
        model.load_adapter(str(folder), "saved")
        model.set_adapter("saved")
        found = say(model).losses
        model.set_adapter(active)
        model.delete_adapter("saved")
        gap = max(abs(a - b) for a, b in zip(expected, found, strict=True))
        if gap > 1e-4:
            raise FailedError(f"the saved adapter differs from the trained one: losses are {gap:.2g} apart")
        return
    state = model.state_dict()
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "pt") as saved:
            for name in saved.keys():  # noqa: SIM118 - not a dict
                if not torch.equal(saved.get_tensor(name), state[name].cpu()):
                    raise FailedError(f"the saved weight {name} differs from the trained one", where=str(file))
