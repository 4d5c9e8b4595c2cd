"""What a model predicts for labelled rows, to compare a model before and after training or saving."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slmkit.models.memory import computes_side_by_side
from slmkit.rows.batching import cut, pad
from slmkit.rows.loss_mask import IGNORED, Row
from slmkit.training.side_by_side import side_by_side


@dataclass(frozen=True)
class Predictions:
    """For each row, the likeliest token at each labelled position, and the mean loss of the labels."""

    tokens: list[list[int]]
    losses: list[float]


def predict(model: Any, rows: Sequence[Row]) -> Predictions:
    """The model's predictions at the labelled positions, given the correct tokens before each.

    Logits are computed only there: those of a whole batch can take more memory than the model.
    """
    import torch
    from torch.nn import functional as F

    keep = threading.local()  # its mask: (B, T) positions whose logits this thread computes
    head = model.get_output_embeddings()
    hook = head.register_forward_pre_hook(lambda _, args: (args[0][keep.mask],)) if head is not None else None
    workers = torch.get_num_threads() if computes_side_by_side(model) else 1

    def predict_batch(group: list[int]) -> list[tuple[list[int], float]]:
        batch = pad([rows[i] for i in group], pad_token_id=0)
        labels = batch["labels"][:, 1:]
        keep.mask = F.pad(labels != IGNORED, (0, 1)).to(model.device)  # position t predicts token t + 1
        with torch.no_grad():
            logits = model(input_ids=batch["input_ids"].to(model.device), use_cache=False).logits
        logits = (logits if logits.dim() == 2 else logits[keep.mask]).float().cpu()  # (N, V)
        counts = [int(count) for count in (labels != IGNORED).sum(1)]
        each = zip(logits.split(counts), labels, strict=True)
        return [(row.argmax(-1).tolist(), float(F.cross_entropy(row, ids[ids != IGNORED]))) for row, ids in each]

    was_training = model.training
    model.eval()
    groups = cut([len(row.input_ids) for row in rows], max_tokens=512 if workers > 1 else 2048, max_rows=16)
    found: dict[int, tuple[list[int], float]] = {}
    try:
        for group, predicted in zip(groups, side_by_side(predict_batch, groups, workers=workers), strict=True):
            found.update(zip(group, predicted, strict=True))
    finally:
        if hook is not None:
            hook.remove()
        model.train(was_training)
    return Predictions([found[i][0] for i in range(len(rows))], [found[i][1] for i in range(len(rows))])
