"""What a model predicts for labelled rows, to compare a model before and after training or saving."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slmkit.rows.batching import cut, pad
from slmkit.rows.loss_mask import IGNORED, Row


@dataclass(frozen=True)
class Predictions:
    """For each row, the likeliest token at each labelled position, and the mean loss of the labels."""

    tokens: list[list[int]]
    losses: list[float]


def predict(model: Any, rows: Sequence[Row]) -> Predictions:
    """The model's predictions at the labelled positions, given the correct tokens before each."""
    import torch
    from torch.nn import functional as F

    was_training = model.training
    model.eval()
    tokens: list[list[int]] = [[] for _ in rows]
    losses = [0.0] * len(rows)
    for group in cut([len(row.input_ids) for row in rows], max_tokens=2048, max_rows=16):
        batch = pad([rows[i] for i in group], pad_token_id=0)
        with torch.no_grad():
            logits = model(input_ids=batch["input_ids"].to(model.device), use_cache=False).logits[:, :-1].float().cpu()
        for i, row_logits, row_labels in zip(group, logits, batch["labels"][:, 1:], strict=True):
            mask = row_labels != IGNORED
            tokens[i] = row_logits[mask].argmax(-1).tolist()
            losses[i] = float(F.cross_entropy(row_logits[mask], row_labels[mask]))
    model.train(was_training)
    return Predictions(tokens, losses)
