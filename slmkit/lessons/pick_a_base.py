"""Picking a base model: filter by your hard constraints, then take the smallest model left.

The filter is written out below, one rule per line, and compared with that of `slmkit pick` on random wish lists.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.models.load import Device, Dtype, load_model
from slmkit.models.model_folder import model_folder
from slmkit.runs.run_folder import Run
from slmkit.selection.all_cards import all_cards
from slmkit.selection.constraints import USABLE, Constraints, choose_model, judge
from slmkit.selection.folder_card import folder_card
from slmkit.selection.footprint import answering
from slmkit.selection.model_card import Card
from slmkit.types import Input, Model, ModelRef

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Rule = Callable[[Card, Constraints], bool]

# One rule per line: what a model card must say, given the wish list. An unknown value does not pass.
RULES: dict[str, Rule] = {
    "licence": lambda card, wish: (
        wish.licence == "any"
        or card.commercial == "yes"
        or (wish.licence == "commercial" and card.commercial == "conditions")
    ),
    "role": lambda card, wish: wish.role in ("any", card.role),
    "account": lambda card, wish: wish.gated or card.gated is False,
    "languages": lambda card, wish: set(wish.languages) <= set(card.languages or ()),
    "context": lambda card, wish: wish.context_length <= max(1, card.context_length or 0),
    "size": lambda card, wish: (card.num_parameters or 0) <= (wish.max_parameters or float("inf")),
    "memory": lambda card, wish: (
        wish.memory_gb is None or (card.has_shape and memory(card, wish) <= USABLE * wish.memory_gb * 1e9)
    ),
}


def pick_a_base(
    run: Run,
    *,
    model: Model,
    cards: Input,
    leave_out: list[str] | None = None,
    num_wishes: int = 200,
    context_length: int = 512,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Picks a model for random wish lists in two ways, tightens each list, and measures one model's memory.

    leave_out: rules that this lesson's filter skips.
    """
    known = all_cards(cards)
    with_size = [card for card in known if card.hub_id and card.num_parameters]
    rules = {name: rule for name, rule in RULES.items() if name not in (leave_out or ())}
    r = random.Random(run.seed)
    agreed, grew, tightened = 0, 0, 0
    for _ in range(num_wishes):
        wish = draw_wish(r)
        mine = pick(with_size, wish, rules)
        agreed += mine == choose_model(judge(with_size, wish))
        stricter = pick(with_size, tighten(wish, r), rules)
        if mine and stricter:
            tightened += 1
            grew += size(stricter) >= size(mine)
    measured, predicted = measure_memory(run, model, known, context_length, device, dtype)

    example = Constraints(
        role="instruct", licence="commercial", gated=False, languages=("en",), context_length=8192, memory_gb=4
    )
    left = what_is_left(with_size, example)
    run.figure("models_left", _chart(left))
    run.table("models_left", [{"rules so far": rule, "models left": count} for rule, count in left])
    run.table("smallest_candidates", _table(with_size, example))
    run.metric(
        agreement=agreed / num_wishes,
        never_smaller=grew / max(1, tightened),
        memory_error=abs(predicted - measured) / measured,
        measured_megabytes=measured / 1e6,
        predicted_megabytes=predicted / 1e6,
    )


def pick(cards: Sequence[Card], wish: Constraints, rules: dict[str, Rule]) -> Card | None:
    """The smallest model that passes every rule; on a tie the newest, then the first by name."""
    left = [card for card in cards if all(rule(card, wish) for rule in rules.values())]
    newest_first = sorted(sorted(left, key=lambda card: card.name), key=lambda card: card.released or "", reverse=True)
    return min(newest_first, key=size, default=None)


def size(card: Card) -> int:
    """The number of parameters; only cards with a known size are used."""
    assert card.num_parameters is not None
    return card.num_parameters


def memory(card: Card, wish: Constraints) -> int:
    """The bytes for inference: the weights, and the KV cache of a full context."""
    return answering(card, context_length=wish.context_length).total


def draw_wish(r: random.Random) -> Constraints:
    """A random list of constraints."""
    return Constraints(
        licence=r.choice(["any", "commercial", "open"]),
        role=r.choice(["any", "instruct", "base"]),
        gated=r.choice([True, False]),
        languages=tuple(r.sample(["en", "de", "fr", "zh"], r.randint(0, 2))),
        context_length=r.choice([1, 2048, 8192, 32_768]),
        max_parameters=r.choice([None, 1_000_000_000, 4_000_000_000]),
        memory_gb=r.choice([None, 2, 8, 24]),
    )


def tighten(wish: Constraints, r: random.Random) -> Constraints:
    """The same wish list with one constraint made stricter."""
    return r.choice(
        [
            replace(wish, licence="open"),
            replace(wish, gated=False),
            replace(wish, languages=(*wish.languages, "es")),
            replace(wish, context_length=4 * wish.context_length),
            replace(wish, memory_gb=(wish.memory_gb or 48) / 2),
        ]
    )


def measure_memory(
    run: Run, model: ModelRef, cards: Sequence[Card], context_length: int, device: Device, dtype: Dtype
) -> tuple[int, int]:
    """The bytes of a model after context_length tokens, and the bytes predicted from its card."""
    import torch

    card = card_of(model, cards)
    loaded = load_model(model, device=device, dtype=dtype)
    input_ids = torch.ones((1, context_length), dtype=torch.long, device=loaded.model.device)
    with torch.no_grad():
        cache = loaded.model(input_ids, use_cache=True).past_key_values
    weights = sum(p.numel() * p.element_size() for p in set(loaded.model.parameters()))
    keys_and_values = sum(t.numel() * t.element_size() for layer in cache.layers for t in (layer.keys, layer.values))
    is_float32 = loaded.model.dtype == torch.float32
    predicted = answering(card, context_length=context_length, precision="float32" if is_float32 else "bfloat16").total
    run.note(f"{model.name} after {context_length:,} tokens: weights {weights:,} bytes, KV cache {keys_and_values:,}")
    return weights + keys_and_values, predicted


def card_of(model: ModelRef, cards: Sequence[Card]) -> Card:
    """The card of a model, found by name or hub id, or made from its files."""
    for card in cards:
        if model.name in (card.name, card.hub_id) or (card.folder and card.folder == model_folder(model)):
            return card
    return folder_card(model)


def what_is_left(cards: Sequence[Card], wish: Constraints) -> list[tuple[str, int]]:
    """The number of models left after each rule."""
    left, counts = list(cards), [("none", len(cards))]
    for name, rule in RULES.items():
        left = [card for card in left if rule(card, wish)]
        counts.append((f"+ {name}", len(left)))
    return counts


def _chart(left: Sequence[tuple[str, int]]) -> Figure:
    figure, axes = charts.blank(height=2.6)
    axes.barh([name for name, _ in left], [count for _, count in left], color=charts.PALETTE[0], height=0.6)
    for y, (_, count) in enumerate(left):
        axes.annotate(str(count), (count, y), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.set(xlabel="models left: instruct, commercial use, no account, English, 8,192 tokens, 4 GB")
    return figure


def _table(cards: Sequence[Card], wish: Constraints) -> list[dict[str, object]]:
    """The eight smallest models, each with the first rule it fails."""
    rows = []
    for card in sorted(cards, key=size)[:8]:
        broken = next((name for name, rule in RULES.items() if not rule(card, wish)), "")
        rows.append({"model": card.name, "million parameters": size(card) // 10**6, "fails": broken or "–"})
    first = pick(cards, wish, RULES)
    return [row | {"picked": "◀" if first and row["model"] == first.name else ""} for row in rows]
