"""What a model predicts for labelled rows equals a plain forward pass, for a fraction of the memory."""

from __future__ import annotations

import pytest
import torch

from slmkit.rows.loss_mask import IGNORED, Row
from slmkit.training.predictions import predict


def test_predictions_compute_logits_only_where_labels_are(nano):
    rows = [Row("a", [5, 6, 7, 8], [-100, -100, 7, 8]), Row("b", [9, 10, 11], [-100, 10, -100])]
    sizes = []
    hook = nano.model.get_output_embeddings().register_forward_hook(
        lambda head, args, logits: sizes.append(logits.shape[:-1])
    )
    found = predict(nano.model, rows)
    hook.remove()
    assert sizes == [(3,)]
    for row, tokens, loss in zip(rows, found.tokens, found.losses, strict=True):
        with torch.no_grad():
            logits = nano.model(input_ids=torch.tensor([row.input_ids])).logits[0, :-1]
        labels = torch.tensor(row.labels[1:])
        assert tokens == logits[labels != IGNORED].argmax(-1).tolist()
        assert loss == pytest.approx(float(torch.nn.functional.cross_entropy(logits, labels)), rel=1e-4)
