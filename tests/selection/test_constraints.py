"""The choice equals brute force over random constraints, and tighter constraints never give a smaller model."""

import random
from dataclasses import replace

import pytest
from project_files import REPOSITORY

from slmkit.selection.constraints import USABLE, Constraints, choose_model, judge, ladder
from slmkit.selection.footprint import answering, training
from slmkit.selection.model_card import Card, read_cards
from slmkit.selection.roofline import GPUS, decode_tokens_per_second

CARDS = [card for card in read_cards(REPOSITORY / "configs/models") if card.hub_id]


def _random_constraints(rng: random.Random) -> Constraints:
    return Constraints(
        architecture=rng.choice(["decoder", "decoder", "encoder", "encoder-decoder", "any"]),
        role=rng.choice(["base", "instruct", "any"]),
        licence=rng.choice(["open", "commercial", "any"]),
        gated=rng.random() < 0.8,
        languages=tuple(rng.sample(["en", "de", "zh", "es"], rng.choice([0, 1, 1, 2]))),
        context_length=rng.choice([1, 512, 2048, 8192, 32768]),
        thinking=rng.choice(["any", "any", "never", "possible"]),
        gguf=rng.random() < 0.3,
        released_since=rng.choice([None, None, "2024", "2025-01"]),
        min_parameters=rng.choice([0, 0, int(5e8), int(2e9)]),
        max_parameters=rng.choice([None, int(1e9), int(4e9)]),
        memory_gb=rng.choice([None, 4.0, 8.0, 16.0, 80.0]),
        training=rng.choice(["none", "lora", "qlora", "full"]),
        precision=rng.choice(["float32", "bfloat16", "nf4"]),
        batch_size=rng.choice([1, 4]),
        gpu=rng.choice([None, GPUS["t4"], GPUS["h100-80gb"]]),
        min_tokens_per_second=rng.choice([0.0, 30.0, 200.0]),
    )


def _holds(card: Card, asked: Constraints) -> dict[str, bool]:
    """The constraints a second time, as plain statements about a card."""
    fits = {"answering memory": True, "training memory": True, "tokens_per_second": True}
    if asked.memory_gb is not None:
        usable = USABLE * asked.memory_gb * 1e9
        shape = {"batch_size": asked.batch_size}
        if card.has_shape:
            need = answering(card, context_length=asked.context_length, precision=asked.precision, **shape)
            fits["answering memory"] = need.total <= usable
        else:
            fits["answering memory"] = False
        if asked.training != "none":
            dtype = "float32" if asked.precision == "float32" else "bfloat16"
            fits["training memory"] = card.has_shape and usable >= (
                training(card, method=asked.training, max_length=asked.context_length, precision=dtype, **shape).total
            )
    if asked.gpu and asked.min_tokens_per_second:
        fits["tokens_per_second"] = card.has_shape and asked.min_tokens_per_second <= decode_tokens_per_second(
            card,
            asked.gpu,
            context_length=asked.context_length,
            batch_size=asked.batch_size,
            precision=asked.precision,
        )
    decoder = card.architecture in ("decoder", "hybrid")
    return {
        "architecture": asked.architecture == "any"
        or (decoder if asked.architecture == "decoder" else card.architecture == asked.architecture),
        "role": asked.role in ("any", card.role),
        "licence": {
            "any": True,
            "commercial": card.commercial in ("yes", "conditions"),
            "open": card.commercial == "yes",
        }[asked.licence],
        "gated": asked.gated or card.gated is False,
        "languages": set(asked.languages) <= set(card.languages or ()),
        "context_length": asked.context_length <= 1 or (card.context_length or 0) >= asked.context_length,
        "thinking": {
            "any": True,
            "never": card.thinking in ("none", "optional"),
            "possible": card.thinking in ("optional", "always"),
        }[asked.thinking],
        "gguf": not asked.gguf or card.gguf is True,
        "released_since": asked.released_since is None or (card.released or "") >= asked.released_since,
        "parameters": card.num_parameters is not None
        and asked.min_parameters <= card.num_parameters <= (asked.max_parameters or 10**12),
        **fits,
    }


@pytest.mark.long
def test_the_choice_matches_brute_force_and_reported_failures_are_real() -> None:
    rng = random.Random(0)
    answered = 0
    for _ in range(500):
        asked = _random_constraints(rng)
        candidates = judge(CARDS, asked)
        passing = []
        for candidate in candidates:
            holds = _holds(candidate.card, asked)
            broken = [name for name, true in holds.items() if not true]
            assert bool(candidate.failed) == bool(broken), (candidate, broken)
            if broken:
                assert candidate.failed == broken[0], (candidate, broken)
                assert candidate.reason
            else:
                passing.append(candidate.card)
        chosen = choose_model(candidates)
        if passing:
            answered += 1
            assert chosen is not None
            assert chosen.num_parameters == min(card.num_parameters or 0 for card in passing)
            assert ladder(candidates)[0] == chosen
        else:
            assert chosen is None
    assert 100 < answered < 490  # some have no answer, some have one


def test_tighter_constraints_never_give_a_smaller_model() -> None:
    rng = random.Random(1)
    tighter = [
        {"licence": "open"},
        {"gated": False},
        {"languages": ("en", "de", "zh", "es")},
        {"context_length": 40_000},
        {"gguf": True},
        {"memory_gb": 3.0},
        {"min_parameters": int(3e9)},
        {"released_since": "2025-06"},
    ]
    for _ in range(100):
        asked = _random_constraints(rng)
        before = choose_model(judge(CARDS, asked))
        after = choose_model(judge(CARDS, replace(asked, **rng.choice(tighter))))
        if after is not None:
            assert before is not None
            assert (after.num_parameters or 0) >= (before.num_parameters or 0)


def test_of_models_of_equal_size_the_one_with_the_better_score_wins() -> None:
    asked = Constraints(role="any", languages=("en",), licence="open", architecture="decoder")
    candidates = [c for c in judge(CARDS, asked) if c.card.name.startswith("smollm2-135m")]
    assert (
        choose_model(candidates, {"smollm2-135m": 0.4, "smollm2-135m-instruct": 0.7}).name == "smollm2-135m-instruct"
    )  # type: ignore[union-attr]
    assert choose_model(candidates, {"smollm2-135m": 0.8, "smollm2-135m-instruct": 0.7}).name == "smollm2-135m"  # type: ignore[union-attr]


def test_an_unknown_fact_fails_the_constraint_on_it() -> None:
    card = Card(name="mystery", hub_id="x/y", parameters=10**9)
    assert judge([card], Constraints(licence="commercial"))[0].failed == "licence"
    assert judge([card], Constraints(memory_gb=8))[0].failed == "answering memory"
    assert not judge([card], Constraints())[0].failed
