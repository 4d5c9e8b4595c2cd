"""Packs rows into full sequences; each row stays a separate document that does not attend to the others.

The packing is TRL's best fit. Whether documents stay separate depends on the model's layers and its attention, so it
is tested on the model. batching.py turns packed rows into tensors: position_ids that restart at each document, no
attention_mask, no cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from slmkit.errors import RefusedError
from slmkit.rows.loss_mask import IGNORED, Row

_PROBE_TOKENS = 12  # per document, of two
_NOISE = 1e-5  # relative to the effect of attending to the other document; a two-layer random Lfm2 leaks 1e-3


def pack(rows: Sequence[Row], *, max_length: int) -> list[Row]:
    """The rows packed into sequences of at most max_length tokens; no row is cut or dropped.

    A document's first token has no label: the token before it belongs to another document.

    Example: rows of 5, 2, 3 and 1 tokens, max_length 5 -> seq_lengths [5], [3, 2], [1].
    """
    from datasets import Dataset
    from trl import pack_dataset

    if not rows:
        return []
    columns = {
        "input_ids": [row.input_ids for row in rows],
        "labels": [[IGNORED, *row.labels[1:]] for row in rows],
        "document": [[i] * len(row.input_ids) for i, row in enumerate(rows)],
    }
    packed = pack_dataset(Dataset.from_dict(columns), max_length, map_kwargs={"batch_size": len(rows)})
    return [
        Row(
            id="+".join(rows[i].id for i in dict.fromkeys(one["document"])),
            input_ids=one["input_ids"],
            labels=one["labels"],
            seq_lengths=one["seq_lengths"],
        )
        for one in packed
    ]


def check_apart(model: Any) -> None:
    """Raises RefusedError if this model's output for a document depends on the document packed before it."""
    if not keeps_apart(model):
        attention = model.config.get_text_config()._attn_implementation
        raise RefusedError(
            "packed documents would leak into each other: this model carries state from one to the next",
            where=f"packing, {type(model).__name__} with attention {attention}",
            fix="set packing: false. Batches are grouped by length, so padding is small anyway",
        )


def keeps_apart(model: Any) -> bool:
    """Whether the model's logits for a document stay the same when the document packed before it changes.

    They do not where layers carry a state or a convolution along the sequence: these ignore position_ids.
    """
    import torch

    if "position_ids" not in inspect.signature(model.forward).parameters:
        return False
    vocab_size = model.config.get_text_config().vocab_size
    ids = torch.arange(1, 3 * _PROBE_TOKENS + 1, device=model.device).reshape(3, -1) % vocab_size
    restart = torch.arange(_PROBE_TOKENS, device=model.device).repeat(2)[None]

    def last_logits(first: int, **inputs: Any) -> torch.Tensor:
        """The last document's logits after document `first`; all shapes are equal, so rounding is too."""
        with torch.no_grad():
            both = torch.cat([ids[first], ids[2]])[None]
            return model(input_ids=both, use_cache=False, **inputs).logits[0, -_PROBE_TOKENS:].float()

    was_training = model.training
    model.eval()
    packed = (last_logits(0, position_ids=restart) - last_logits(1, position_ids=restart)).abs().max()
    joined = (last_logits(0) - last_logits(1)).abs().max()  # as one document: the effect of attending to the first
    model.train(was_training)
    return bool(packed <= _NOISE * joined)
