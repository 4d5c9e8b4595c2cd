"""What is a model? A fixed function made of nothing but its parameters, in a certain order.

Read from top to bottom: open the file, count the parameters by hand, load it twice, then shuffle it and test it again.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, panels
from slmkit.evaluation.score import accuracy
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, load_model
from slmkit.models.model_folder import model_folder, read_base
from slmkit.runs.run_folder import Run
from slmkit.types import Input, Model, ModelRef, PositiveInt, Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from transformers import PretrainedConfig


def what_is_a_model(
    run: Run, *, model: Model, gold: Input, shuffle: bool = True, limit: PositiveInt = 100, device: Device = "auto"
) -> None:
    """Counts a model's parameters by hand, loads it twice, then shuffles the parameters of each tensor.

    shuffle: put the parameters of each tensor into a random order before the second test.
    """
    loaded = load_model(model, device=device, dtype="float32")
    frozen = read_gold(gold)

    # 1. A model file is a list of named tensors.
    tensors = [row for file in weight_files(model) for row in tensors_in(file)]
    run.table("tensors", tensors)
    parameters = loaded.model.num_parameters()
    by_hand = count_by_hand(loaded.model.config)
    if by_hand is None:
        run.note(f"parameters not counted by hand: {loaded.model.config.model_type} is not a Llama-like architecture")
    else:
        run.metric(parameters_by_hand=by_hand, parameters_off=abs(by_hand - parameters))
    bytes_each = sum(row["bytes"] for row in tensors) / sum(
        row["parameters"] for row in tensors
    )  # 2 in half precision
    size = sum(file.stat().st_size for file in weight_files(model))
    run.metric(parameters=parameters, file_size_over_numbers=size / (parameters * bytes_each))

    # 2. A model is a function: the same input always gives the same output.
    again = load_model(model, device=device, dtype="float32")
    run.metric(logits_differ=largest_difference(loaded, again, frozen.examples[0].input))

    # 3. It is nothing but its parameters, in this order: shuffle each tensor and ask the same questions.
    before = accuracy(loaded, frozen, limit=limit, seed=run.seed)
    if shuffle:
        shuffle_parameters(again.model, seed=run.seed)
    after = accuracy(again, frozen, limit=limit, seed=run.seed)
    run.metric(accuracy=before, accuracy_shuffled=after)

    run.figure("model", _draw(tensors, before, after, second="shuffled" if shuffle else "loaded again"))
    run.verdict(
        f"{parameters:,} parameters in {len(tensors)} tensors: {before.value:.0%} of the answers are correct, "
        f"{after.value:.0%} {'after each tensor is shuffled' if shuffle else 'when the model is loaded again'}."
    )


def count_by_hand(config: PretrainedConfig) -> int | None:
    """The number of parameters of a Llama-like model, from its shape alone; None for other architectures.

    V tokens, width D, H heads and K key-value heads of width C, an MLP of width F in each layer:
    nano has V 1686, D 128, 4 layers, H 4, K 2, C 32, F 344 -> 215_808 + 4 * 181_504 + 128 = 941_952.
    """
    if config.model_type not in ("llama", "mistral", "qwen2", "qwen3", "smollm3"):
        return None
    V, D, F = config.vocab_size, config.hidden_size, config.intermediate_size
    H, K = config.num_attention_heads, config.num_key_value_heads
    C = getattr(config, "head_dim", None) or D // H
    embedding = V * D
    attention = D * H * C + 2 * D * K * C + H * C * D  # queries, keys and values, output
    mlp = 3 * D * F  # gate, up, down
    norms = 2 * D
    if config.model_type == "qwen2":
        attention += H * C + 2 * K * C  # a bias for queries, keys and values
    elif config.model_type == "qwen3":
        norms += 2 * C  # queries and keys have a norm too
    elif getattr(config, "attention_bias", False):
        attention += H * C + 2 * K * C + D
    if getattr(config, "mlp_bias", False):
        mlp += 2 * F + D
    output = 0 if config.tie_word_embeddings else V * D  # tied: the embedding is also the output layer
    return int(embedding + config.num_hidden_layers * (attention + mlp + norms) + D + output)


def tensors_in(file: Path) -> list[dict[str, Any]]:
    """The tensors in a .safetensors file, read by hand: 8 bytes give the length of the JSON header that follows."""
    with open(file, "rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        header = json.loads(stream.read(length))
    header.pop("__metadata__", None)
    return [
        {
            "name": name,
            "shape": " x ".join(map(str, about["shape"])),
            "parameters": math.prod(about["shape"]),
            "bytes": about["data_offsets"][1] - about["data_offsets"][0],
        }
        for name, about in header.items()
    ]


def weight_files(ref: ModelRef) -> list[Path]:
    """The files that hold the parameters; for an adapter, those of its base model."""
    folder = model_folder(ref)
    while folder and (folder / "adapter_config.json").exists():
        ref = read_base(folder)
        folder = model_folder(ref)
    if folder is None:
        from huggingface_hub import snapshot_download

        folder = Path(snapshot_download(ref.path, allow_patterns="*.safetensors"))
    return sorted(folder.glob("*.safetensors"))


def shuffle_parameters(model: Any, *, seed: int) -> None:
    """Puts the parameters of each tensor into a random order; none is changed, added or removed."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.parameters():
            order = torch.randperm(tensor.numel(), generator=generator).to(tensor.device)
            tensor.copy_(tensor.flatten()[order].view_as(tensor))


def largest_difference(one: Any, other: Any, text: str) -> float:
    """The largest difference between two models' logits for a text."""
    import torch

    input_ids = one.tokenizer(text, return_tensors="pt").input_ids.to(one.model.device)  # (1, T)
    with torch.inference_mode():
        return float((one.model(input_ids).logits - other.model(input_ids).logits).abs().max())


def _draw(tensors: Sequence[dict[str, Any]], before: Score, after: Score, *, second: str) -> Figure:
    """The parameters in each part of the model, and the accuracy before and after."""
    titles = ("parameters in each part", f"correct answers to {before.n} questions")
    figure, [left, right] = panels(columns=2, height=2.6, width=7.2, titles=titles)
    parts = {"embedding": "embed", "attention": "attn", "MLP": "mlp", "norms": "norm", "output": "lm_head"}
    counts = dict.fromkeys(parts, 0)
    for row in tensors:
        part = next((part for part, word in parts.items() if word in row["name"]), "norms")
        counts[part] += row["parameters"]
    shown = {part: count for part, count in counts.items() if count}
    bars = left.barh(list(shown), list(shown.values()), color=PALETTE[0])
    left.bar_label(bars, [f"{count:,}" for count in shown.values()], padding=3, fontsize=8)
    left.invert_yaxis()
    left.set(xticks=[], xlim=(0, 1.35 * max(shown.values())))
    scores = {"original": before, second: after}
    bars = right.bar(list(scores), [score.value for score in scores.values()], color=PALETTE[:2], width=0.5)
    right.bar_label(bars, [f"{score.value:.0%}" for score in scores.values()], padding=3)
    right.set(ylim=(0, 1.1), ylabel="share")
    return figure
