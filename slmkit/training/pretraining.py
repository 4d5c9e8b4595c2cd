"""Full-weight training of a small model: Muon for the matrices, AdamW for the rest, and checkpoints of both."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.training.checkpoints import PARTIAL, publish
from slmkit.training.muon import Muon

if TYPE_CHECKING:
    from torch import Tensor


@dataclass
class Progress:
    """How far a pretraining run is; part of its checkpoints."""

    step: int = 0
    phase: int = 0
    phase_tokens: int = 0  # since the phase began
    tokens: int = 0
    seconds: float = 0.0  # up to the checkpoint
    loss: float | None = None  # the last logged
    history: list[dict[str, Any]] = field(default_factory=list)  # of the finished phases


class Pretraining:
    """A network with its optimizers and progress: one step, and everything that a checkpoint stores."""

    def __init__(
        self,
        network: Any,
        *,
        learning_rate: float,
        embedding_learning_rate: float,
        weight_decay: float,
        dtype: str,
        compile: bool,
    ) -> None:
        import torch

        self.network, self.dtype = network, dtype
        self.body = torch.compile(network.model) if compile else network.model
        self.learning_rate, self.embedding_learning_rate = learning_rate, embedding_learning_rate
        matrices = [p for name, p in network.named_parameters() if p.ndim == 2 and "embed" not in name]
        self.others = [p for name, p in network.named_parameters() if p.ndim != 2 or "embed" in name]
        self.muon = Muon(matrices, weight_decay=weight_decay, dtype=dtype)
        self.adamw = torch.optim.AdamW(self.others, lr=embedding_learning_rate, betas=(0.9, 0.95), weight_decay=0.0)
        self.progress = Progress()

    def step(self, batch: list[tuple[list[int], list[float]]], *, rate: float) -> Tensor:
        """One update on rows of token ids and loss weights, both learning rates times `rate`; returns the loss."""
        import torch

        device = self.network.device
        input_ids = torch.tensor([ids for ids, _ in batch], device=device)  # (B, T + 1)
        weights = torch.tensor([weights for _, weights in batch], device=device)[:, 1:]
        with torch.autocast(device.type, torch.bfloat16, enabled=self.dtype == "bfloat16"):
            loss = self._loss(input_ids, weights)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        self.muon.step(self.learning_rate * rate)
        for group in self.adamw.param_groups:
            group["lr"] = self.embedding_learning_rate * rate
        self.adamw.step()
        self.network.zero_grad(set_to_none=True)
        return loss.detach()

    def save(self, checkpoints: Path) -> None:
        """Writes a checkpoint, which gets its name once it is complete; only the newest is kept."""
        import torch

        folder = checkpoints / PARTIAL / f"checkpoint-{self.progress.step}"
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            "network": self.network.state_dict(),
            "muon": self.muon.state_dict(),
            "adamw": self.adamw.state_dict(),
            "progress": asdict(self.progress),
        }
        torch.save(state, folder / "state.pt")
        publish(folder)

    def restore(self, checkpoint: Path) -> None:
        """Continues from a checkpoint."""
        import torch

        state = torch.load(checkpoint / "state.pt", map_location=self.network.device, weights_only=True)
        self.network.load_state_dict(state["network"])
        self.muon.load_state_dict(state["muon"])
        self.adamw.load_state_dict(state["adamw"])
        self.progress = Progress(**state["progress"])

    def _loss(self, input_ids: Tensor, weights: Tensor) -> Tensor:
        """The weighted mean cross-entropy of the next token."""
        import torch

        hidden = self.body(input_ids=input_ids[:, :-1], use_cache=False).last_hidden_state  # (B, T, D)
        counted = weights > 0
        logits = self.network.lm_head(hidden[counted])  # (N, V)
        losses = torch.nn.functional.cross_entropy(logits.float(), input_ids[:, 1:][counted], reduction="none")
        counted_weights = weights[counted]
        return (losses * counted_weights).sum() / counted_weights.sum()
