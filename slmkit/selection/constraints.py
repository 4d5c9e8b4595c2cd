"""Hard constraints on a base model: the smallest model that meets all of them wins, and measurements break ties.

Every constraint is a function that returns why a card fails it, or None. A card fails a constraint on a fact it does
not state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from slmkit.selection.footprint import Footprint, Method, Precision, answering, training
from slmkit.selection.model_card import Card
from slmkit.selection.roofline import Gpu, decode_tokens_per_second

USABLE = 0.9  # fraction of the memory; the rest is for the driver and fragmentation


@dataclass(frozen=True, kw_only=True)
class Constraints:
    """The constraints; the defaults allow every model."""

    architecture: Literal["decoder", "encoder", "encoder-decoder", "any"] = "any"
    role: Literal["base", "instruct", "any"] = "any"
    licence: Literal["open", "commercial", "any"] = "any"
    gated: bool = True  # False: no models that need an account
    languages: tuple[str, ...] = ()
    context_length: int = 1  # tokens of a row with its answer
    thinking: Literal["never", "possible", "any"] = "any"
    gguf: bool = False
    released_since: str | None = None
    min_parameters: int = 0
    max_parameters: int | None = None
    memory_gb: float | None = None
    on_cpu: bool = False  # also counts freed heap that malloc does not return to the system
    training: Method | Literal["none"] = "none"
    precision: Precision = "bfloat16"
    batch_size: int = 1
    loss_share: float = 0.5  # fraction of a training row's tokens included in the loss
    gpu: Gpu | None = None
    min_tokens_per_second: float = 0.0
    measured_tokens: Mapping[str, int] = field(default_factory=dict)  # by card: context_length of its tokenizer

    def tokens(self, card: Card) -> int:
        """The context length needed, in this card's tokens."""
        return self.measured_tokens.get(card.name, self.context_length)


@dataclass(frozen=True)
class Candidate:
    """A card with the first constraint it fails and the reason; `failed` is "" if it meets all."""

    card: Card
    failed: str = ""
    reason: str = ""


def judge(cards: Sequence[Card], constraints: Constraints) -> list[Candidate]:
    """One candidate per card, in the same order."""
    return [_candidate(card, constraints) for card in cards]


def choose_model(candidates: Sequence[Candidate], scores: Mapping[str, float] | None = None) -> Card | None:
    """The smallest that passes; ties are broken by score, then release date, then name."""
    passing = [candidate.card for candidate in candidates if not candidate.failed]
    return min(passing, key=lambda card: _rank(card, scores or {}), default=None)


def ladder(candidates: Sequence[Candidate], scores: Mapping[str, float] | None = None) -> list[Card]:
    """All that pass, the choice first, then what to try if it is not good enough."""
    passing = [candidate.card for candidate in candidates if not candidate.failed]
    return sorted(passing, key=lambda card: _rank(card, scores or {}))


def marks(card: Card, constraints: Constraints) -> dict[str, bool]:
    """Whether the card meets each constraint."""
    return {name: check(card, constraints) is None for name, check in CHECKS.items()}


def train_footprint(card: Card, constraints: Constraints) -> Footprint | None:
    """The peak memory of training with gradient checkpointing; None without training, or if the shape is unknown."""
    if constraints.training == "none" or not card.has_shape:
        return None
    return training(
        card,
        method=constraints.training,
        max_length=constraints.tokens(card),
        batch_size=constraints.batch_size,
        precision="float32" if constraints.precision == "float32" else "bfloat16",
        loss_share=constraints.loss_share,
        on_cpu=constraints.on_cpu,
    )


def answer_footprint(card: Card, constraints: Constraints) -> Footprint | None:
    """The memory for inference; None if the shape is unknown."""
    if not card.has_shape:
        return None
    return answering(
        card,
        context_length=constraints.tokens(card),
        batch_size=constraints.batch_size,
        precision=constraints.precision,
    )


def tokens_per_second(card: Card, constraints: Constraints) -> float | None:
    """The upper bound on the named GPU over the whole batch; None without a GPU, or if the shape is unknown."""
    if constraints.gpu is None or not card.has_shape:
        return None
    return decode_tokens_per_second(
        card,
        constraints.gpu,
        context_length=constraints.tokens(card),
        batch_size=constraints.batch_size,
        precision=constraints.precision,
    )


def _candidate(card: Card, constraints: Constraints) -> Candidate:
    for name, check in CHECKS.items():
        if reason := check(card, constraints):
            return Candidate(card, name, reason)
    return Candidate(card)


def _rank(card: Card, scores: Mapping[str, float]) -> tuple[float, float, tuple[int, ...], str]:
    newest = tuple(-int(part) for part in (card.released or "0").split("-"))
    return (card.num_parameters or float("inf"), -scores.get(card.name, float("-inf")), newest, card.name)


def _architecture(card: Card, asked: Constraints) -> str | None:
    kind = "decoder" if card.architecture == "hybrid" else card.architecture
    return None if asked.architecture in ("any", kind) else f"it is {_a(card.architecture)}"


def _role(card: Card, asked: Constraints) -> str | None:
    if asked.role in ("any", card.role):
        return None
    return f"it is {_a(card.role)} model" if card.role else "base or instruct is unknown"


def _licence(card: Card, asked: Constraints) -> str | None:
    if asked.licence == "any" or card.commercial == "yes":
        return None
    if card.commercial is None:
        return f"the terms of its licence {card.licence} are unknown" if card.licence else "its licence is unknown"
    if card.commercial == "conditions" and asked.licence == "commercial":
        return None
    return f"{card.licence} forbids {card.forbids}"


def _gated(card: Card, asked: Constraints) -> str | None:
    if asked.gated or card.gated is False:
        return None
    return "it is gated: you must accept its terms with an account" if card.gated else "whether it is gated is unknown"


def _languages(card: Card, asked: Constraints) -> str | None:
    if not asked.languages:
        return None
    if card.languages is None:
        return "its languages are unknown"
    missing = [language for language in asked.languages if language not in card.languages]
    return f"its card does not list {', '.join(missing)}" if missing else None


def _context(card: Card, asked: Constraints) -> str | None:
    tokens = asked.tokens(card)
    if tokens <= 1:
        return None
    if card.context_length is None:
        return "its context length is unknown"
    return (
        f"its context length is {card.context_length:,} tokens; {tokens:,} are needed"
        if card.context_length < tokens
        else None
    )


def _thinking(card: Card, asked: Constraints) -> str | None:
    if asked.thinking == "any":
        return None
    if card.thinking is None:
        return "whether it has a thinking mode is unknown"
    if asked.thinking == "never":
        return "it always thinks before answering" if card.thinking == "always" else None
    return "it has no thinking mode" if card.thinking == "none" else None


def _gguf(card: Card, asked: Constraints) -> str | None:
    if not asked.gguf or card.gguf:
        return None
    return "it is not known to run in llama.cpp"


def _released(card: Card, asked: Constraints) -> str | None:
    if asked.released_since is None:
        return None
    if card.released is None:
        return "its release date is unknown"
    return f"it was released {card.released}" if card.released < asked.released_since else None


def _size(card: Card, asked: Constraints) -> str | None:
    if card.num_parameters is None:
        return "its size is unknown"
    if card.num_parameters < asked.min_parameters:
        return (
            f"it has {card.num_parameters / 1e6:,.0f} M parameters; the minimum is {asked.min_parameters / 1e6:,.0f} M"
        )
    if asked.max_parameters is not None and card.num_parameters > asked.max_parameters:
        return (
            f"it has {card.num_parameters / 1e6:,.0f} M parameters; the maximum is {asked.max_parameters / 1e6:,.0f} M"
        )
    return None


def _answer_memory(card: Card, asked: Constraints) -> str | None:
    return None if asked.memory_gb is None else _too_big(answer_footprint(card, asked), asked.memory_gb, "answering")


def _train_memory(card: Card, asked: Constraints) -> str | None:
    if asked.memory_gb is None or asked.training == "none":
        return None
    return _too_big(train_footprint(card, asked), asked.memory_gb, f"{asked.training} training")


def _speed(card: Card, asked: Constraints) -> str | None:
    if asked.gpu is None or not asked.min_tokens_per_second:
        return None
    most = tokens_per_second(card, asked)
    if most is None:
        return "its speed cannot be estimated: the card does not give its layer sizes"
    return f"it reaches at most {most:,.0f} tokens/s" if most < asked.min_tokens_per_second else None


CHECKS: dict[str, Callable[[Card, Constraints], str | None]] = {
    "architecture": _architecture,
    "role": _role,
    "licence": _licence,
    "gated": _gated,
    "languages": _languages,
    "context_length": _context,
    "thinking": _thinking,
    "gguf": _gguf,
    "released_since": _released,
    "parameters": _size,
    "answering memory": _answer_memory,
    "training memory": _train_memory,
    "tokens_per_second": _speed,
}


def _too_big(need: Footprint | None, memory_gb: float, what: str) -> str | None:
    if need is None:
        return "its memory cannot be estimated: the card does not give its layer sizes"
    if need.total <= USABLE * memory_gb * 1e9:
        return None
    return f"{what} needs {need.total / 1e9:.1f} GB; {USABLE * memory_gb:.1f} of {memory_gb:g} GB are usable"


def _a(word: str | None) -> str:
    return f"an {word}" if word and word[0] in "aeiou" else f"a {word}"
