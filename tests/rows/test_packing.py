"""Packing keeps every row intact and isolated, with the same loss as when unpacked."""

from __future__ import annotations

import random

import pytest
import torch

from slmkit.errors import RefusedError
from slmkit.rows.batching import pad
from slmkit.rows.loss_mask import IGNORED, Chat, Row, label_chats
from slmkit.rows.packing import check_apart, keeps_apart, pack
from slmkit.training.predictions import predict

LENGTH = 128


@pytest.fixture
def rows(nano) -> list[Row]:
    """Chats of varied length."""
    source = random.Random(0)

    def talk(most: int) -> str:
        return " ".join(source.choice(["the", "red", "cup", "box", "boat"]) for _ in range(source.randint(1, most)))

    turns = [(("user", talk(40)), ("assistant", talk(12))) for _ in range(16)]
    chats = [Chat(f"r{i}", "", [{"role": r, "content": c} for r, c in turn]) for i, turn in enumerate(turns)]
    return label_chats(nano.tokenizer, chats)


def documents(packed: list[Row]) -> list[tuple[list[int], list[int]]]:
    """The input_ids and labels of each packed document."""
    found = []
    for row in packed:
        start = 0
        for length in row.seq_lengths:
            found.append((row.input_ids[start : start + length], row.labels[start : start + length]))
            start += length
    return found


def test_the_example_in_the_docstring_holds():
    rows = [Row(str(n), [n] * n, [n] * n) for n in (5, 2, 3, 1)]
    assert [row.seq_lengths for row in pack(rows, max_length=5)] == [[5], [3, 2], [1]]
    assert pack([], max_length=5) == []


def test_every_row_is_packed_once_whole_and_with_its_labels(rows):
    packed = pack(rows, max_length=LENGTH)
    assert len(packed) < len(rows) / 2
    assert all(sum(row.seq_lengths) == len(row.input_ids) <= LENGTH for row in packed)
    assert sorted(documents(packed)) == sorted((row.input_ids, [IGNORED, *row.labels[1:]]) for row in rows)
    assert sorted("+".join(row.id for row in packed).split("+")) == sorted(row.id for row in rows)
    assert sum(row.num_trained for row in packed) == sum(row.num_trained for row in rows)


def test_position_ids_restart_at_each_document_and_at_the_padding():
    packed = [Row("a", [5, 6, 7], [5, 6, 7], [2, 1]), Row("b", [8, 9], [8, 9], [2])]
    assert pad(packed, pad_token_id=0)["position_ids"].tolist() == [[0, 1, 0], [0, 1, 0]]
    assert "position_ids" not in pad([Row("c", [5], [5])], pad_token_id=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_each_packed_document_has_the_loss_it_has_alone(nano, rows, attention):
    nano.model.set_attn_implementation(attention)
    alone = dict(zip([tuple(row.input_ids) for row in rows], predict(nano.model, rows).losses, strict=True))
    batch = pad(packed := pack(rows, max_length=LENGTH), pad_token_id=0)

    def largest_gap(**given: torch.Tensor) -> float:
        """The largest difference between a document's packed loss and its loss alone."""
        with torch.no_grad():
            logits = nano.model(input_ids=batch["input_ids"], use_cache=False, **given).logits
        apart = 0.0
        for row, said in zip(packed, logits, strict=True):
            start = 0
            for length in row.seq_lengths:
                ids = row.input_ids[start : start + length]
                labels = batch["labels"][packed.index(row), start + 1 : start + length]
                loss = torch.nn.functional.cross_entropy(said[start : start + length - 1], labels)
                apart = max(apart, abs(float(loss) - alone[tuple(ids)]))
                start += length
        return apart

    assert largest_gap(position_ids=batch["position_ids"]) < 1e-4
    assert largest_gap() > 0.1  # without position_ids the documents see each other


def test_models_that_carry_state_along_the_sequence_are_refused(nano):
    from transformers import Lfm2Config, Lfm2ForCausalLM, MambaConfig, MambaForCausalLM, Qwen3Config, Qwen3ForCausalLM

    shape = {"vocab_size": 64, "hidden_size": 32, "num_hidden_layers": 2}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 64}
    assert keeps_apart(nano.model)
    assert keeps_apart(Qwen3ForCausalLM(Qwen3Config(**shape, **heads, head_dim=8)))
    convolution = Lfm2ForCausalLM(Lfm2Config(**shape, **heads, layer_types=["conv", "full_attention"]))
    state = MambaForCausalLM(MambaConfig(**shape))
    for model in (convolution, state):
        with pytest.raises(RefusedError) as refused:
            check_apart(model)
        assert type(model).__name__ in refused.value.where
        assert "packing: false" in refused.value.fix
