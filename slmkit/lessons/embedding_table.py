"""From token ids to vectors: the first layer of a model looks up a row of the embedding table.

Read from top to bottom: the lookup is a matrix product, and training gives the rows their meaning.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, panels
from slmkit.micro_world.vocabulary import CATEGORIES
from slmkit.models.load import Device, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

NEIGHBOURS = 5


def embedding_table(
    run: Run, *, model: Model, table: Literal["trained", "untrained"] = "trained", device: Device = "auto"
) -> None:
    """Looks up tokens by hand and with torch, then measures whether words of one kind are neighbours in the table.

    table: "untrained" measures random rows in place of the trained ones.
    """
    import torch
    from transformers import AutoModelForCausalLM

    loaded = load_model(model, device=device, dtype="float32")
    torch.manual_seed(run.seed)
    untrained = AutoModelForCausalLM.from_config(loaded.model.config, dtype=torch.float32)
    tables = {
        "untrained": untrained.get_input_embeddings().weight.detach(),  # (V, D)
        "trained": loaded.model.get_input_embeddings().weight.detach().cpu(),
    }

    # 1. A lookup: row 17 of the table is the one-hot vector of 17 times the table.
    ids = torch.randint(tables["trained"].shape[0], (64,))
    run.metric(lookup_difference=largest_difference(tables["trained"], ids))

    # 2. Words that are one token each and belong to one kind: colours, animals, days, ...
    kinds = kinds_of_tokens(loaded.tokenizer)
    run.metric(words=len(kinds))
    chance = precision_by_chance(kinds)
    before = neighbour_precision(tables["untrained"], kinds)
    after = neighbour_precision(tables[table], kinds)
    run.metric(untrained_over_chance=before / chance, trained_over_chance=after / chance, chance=chance)
    run.table("neighbours", nearest(tables[table], loaded.tokenizer, kinds, seed=run.seed))

    run.figure("words", _draw(tables["untrained"], tables[table], kinds))
    run.verdict(
        f"Of a word's {NEIGHBOURS} nearest neighbours, {after:.0%} are of its kind in the {table} table and "
        f"{before:.0%} in a random one; chance is {chance:.0%}."
    )


def largest_difference(table: Tensor, ids: Tensor) -> float:
    """The largest difference between the rows of these ids, the one-hot product, and torch's embedding."""
    import torch

    rows = table[ids]  # (N, D)
    one_hot = torch.nn.functional.one_hot(ids, table.shape[0]).float()  # (N, V): a single 1 in each row
    library = torch.nn.functional.embedding(ids, table)
    return float(max((rows - one_hot @ table).abs().max(), (rows - library).abs().max()))


def kinds_of_tokens(tokenizer: Any) -> dict[int, str]:
    """The kind of each token that is a whole word of one kind only: {814: "animal", ...}."""
    found: dict[int, str] = {}
    for kind, words in CATEGORIES.items():
        for word in words:
            ids = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
            if len(ids) == 1 and sum(word in others for others in CATEGORIES.values()) == 1:
                found[ids[0]] = kind
    return found


def neighbour_precision(table: Tensor, kinds: Mapping[int, str]) -> float:
    """Of the five nearest words of each word, by cosine similarity, the fraction of the same kind."""
    ids = list(kinds)
    nearest = similarities(table, ids).topk(NEIGHBOURS).indices.tolist()
    same = [kinds[ids[other]] == kinds[id] for id, row in zip(ids, nearest, strict=True) for other in row]
    return sum(same) / len(same)


def similarities(table: Tensor, ids: Sequence[int]) -> Tensor:
    """The cosine similarity of the rows of each two words (N, N); a word is not its own neighbour."""
    import torch

    rows = torch.nn.functional.normalize(table[list(ids)], dim=-1)
    return (rows @ rows.T).fill_diagonal_(-1)


def precision_by_chance(kinds: Mapping[int, str]) -> float:
    """The same share for random neighbours: with 20 animals among 100 words, 19 of the 99 others are animals."""
    counts = list(kinds.values())
    return sum((counts.count(kind) - 1) / (len(counts) - 1) for kind in counts) / len(counts)


def nearest(table: Tensor, tokenizer: Any, kinds: Mapping[int, str], *, seed: int) -> list[dict[str, str]]:
    """Twenty random words with the five nearest to each."""
    ids = list(kinds)
    close = similarities(table, ids).topk(NEIGHBOURS).indices.tolist()
    rows = [
        {"word": tokenizer.decode([id]).strip(), "kind": kinds[id],
         "nearest": ", ".join(tokenizer.decode([ids[other]]).strip() for other in row)}
        for id, row in zip(ids, close, strict=True)
    ]  # fmt: skip
    return random.Random(seed).sample(rows, min(20, len(rows)))


def flattened(rows: Tensor) -> Tensor:
    """The rows in the two directions in which they differ most (N, 2): principal component analysis by SVD."""
    import torch

    centred = rows - rows.mean(0)
    return centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T


def _draw(before: Tensor, after: Tensor, kinds: Mapping[int, str]) -> Figure:
    """The words as points, coloured by kind, in a random table and in the measured one."""
    figure, charts = panels(columns=2, height=3.2, width=8.0, titles=("random table", "measured table"))
    shown = sorted(set(kinds.values()), key=lambda kind: -list(kinds.values()).count(kind))[:6]
    for axes, table in zip(charts, (before, after), strict=True):
        kept = [id for id, kind in kinds.items() if kind in shown]
        points = dict(zip(kept, flattened(table[kept]).tolist(), strict=True))
        for colour, marker, kind in zip(PALETTE, "os^DvP", shown, strict=True):
            x, y = zip(*(points[id] for id in kept if kinds[id] == kind), strict=True)
            axes.scatter(x, y, s=14, color=colour, marker=marker, label=kind)
        axes.set(xticks=[], yticks=[])
    figure.legend(*charts[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    return figure
