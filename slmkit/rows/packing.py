"""Rows laid into full sequences, each row still a document of its own: none attends to another.

What is packed is TRL's best-fit; that documents stay apart is tried out on the model itself, since it depends on its
layers and its attention. How a packed row is handed to the model is in batching.py: position_ids that start again at
each document, no attention_mask, no cache.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from slmkit.errors import RefusedError
from slmkit.rows.loss_mask import IGNORED, Row

_PROBE_TOKENS = 12  # of each of two documents
_NOISE = 1e-5  # of what seeing the other document changes; two layers of Lfm2 with random weights reach 1e-3


def pack(rows: Sequence[Row], *, max_length: int) -> list[Row]:
    """The rows in few sequences of at most max_length tokens; no row is cut, and none left out.

    A document's first token has no label: what stands before it is another document.

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
    """Raises RefusedError where a document packed behind another is not what it is alone, for this model."""
    if not keeps_apart(model):
        attention = model.config.get_text_config()._attn_implementation
        raise RefusedError(
            "packed documents would see each other: the model carries something over from one to the next",
            where=f"packing, {type(model).__name__} with attention {attention}",
            fix="packing: false; rows of like length then share a micro-batch, with little padding",
        )


def keeps_apart(model: Any) -> bool:
    """Whether what the model says of a document stays the same when the document packed before it is another.

    Layers that carry a state or a convolution along the sequence let it change, whatever position_ids say.
    """
    import torch

    if "position_ids" not in inspect.signature(model.forward).parameters:
        return False
    vocab_size = model.config.get_text_config().vocab_size
    ids = torch.arange(1, 3 * _PROBE_TOKENS + 1, device=model.device).reshape(3, -1) % vocab_size
    restart = torch.arange(_PROBE_TOKENS, device=model.device).repeat(2)[None]

    def last(first: int, **given: Any) -> torch.Tensor:
        """The logits of the last document behind another one, each time in the same shapes: rounding is the same."""
        with torch.no_grad():
            together = torch.cat([ids[first], ids[2]])[None]
            return model(input_ids=together, use_cache=False, **given).logits[0, -_PROBE_TOKENS:].float()

    was_training = model.training
    model.eval()
    packed = (last(0, position_ids=restart) - last(1, position_ids=restart)).abs().max()
    joined = (last(0) - last(1)).abs().max()  # the same two rows as one document each: what seeing it changes
    model.train(was_training)
    return bool(packed <= _NOISE * joined)
