"""Measures what a model has learned of the micro-world: the share of answer tokens it predicts correctly."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slmkit.micro_world.corpus import Encoder, document
from slmkit.micro_world.engine import rng

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM

ABILITIES = ("repeat", "cards", "binding")  # kinds of documents, in the order in which models learn them
_NUM_DOCUMENTS = 100
_BATCH_SIZE = 25


def ability(network: LlamaForCausalLM, encoder: Encoder, kind: str, *, chat: bool = False) -> float:
    """The share of answer tokens that the model predicts in documents of a kind, with names it never saw."""
    import torch

    correct = total = 0
    documents = [document(encoder, rng("ability", kind, n), kind, "dev", chat=chat) for n in range(_NUM_DOCUMENTS)]
    documents.sort(key=lambda row: len(row[0]))
    network.eval()
    with torch.no_grad():
        for first in range(0, len(documents), _BATCH_SIZE):
            batch = documents[first : first + _BATCH_SIZE]
            longest = max(len(ids) for ids, _ in batch)
            input_ids = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch], device=network.device)
            counted = torch.tensor([w + [0.0] * (longest - len(w)) for _, w in batch], device=network.device) == 1
            counted &= (input_ids != encoder("\n")[0]) & (input_ids != encoder.tokenizer.eos_token_id)
            predicted = network(input_ids=input_ids).logits[:, :-1].argmax(-1)  # padding is on the right: never seen
            correct += int(((predicted == input_ids[:, 1:]) & counted[:, 1:]).sum())
            total += int(counted[:, 1:].sum())
    network.train()
    return correct / total
