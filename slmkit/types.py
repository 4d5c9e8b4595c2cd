"""The plain data that travels between the parts, and the annotations by which a signature names its inputs.

A stage that declares `data: Input` is given a Path; its YAML names a file, a folder, or the recipe that makes it.
A stage that declares `model: Model` is given a ModelRef; its YAML names a card, a hub id, a folder, or a recipe.
`MetricPart`, `RetrieverPart` and `SystemPart` are functions of slmkit/metrics, retrievers and systems with their
keyword-only arguments already bound; the stage calls them with the positional ones.
A stage that declares `training: Keys[Training]` has the fields of the dataclass Training as keys of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

from annotated_types import Ge, Gt, Le, Lt


@dataclass(frozen=True)
class Example:
    """One question of a gold set: what is asked, the right answer, and the slices it counts in."""

    id: str
    input: str  # the user's turn
    target: str
    aliases: tuple[str, ...] = ()  # other answers that count as right
    relevant: tuple[str, ...] = ()  # ids of the passages that hold the answer
    slice: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Example:
        """The example in one line of examples.jsonl; unknown keys raise TypeError."""
        lists = {key: tuple(row[key]) for key in ("aliases", "relevant") if key in row}
        return cls(**{**row, **lists})

    def to_dict(self) -> dict[str, Any]:
        """A row for examples.jsonl, empty fields left out."""
        return {key: value for key, value in asdict(self).items() if value or key in ("id", "input", "target")}


@dataclass(frozen=True)
class Answer:
    """What a system said to one example, and what that cost."""

    example_id: str
    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # this answer's share of the time its batch took
    stopped: bool = True  # ended by its end-of-turn token; False: cut at max_new_tokens
    error: str = ""  # why there is no answer, e.g. "prompt of 1,240 tokens exceeds the context of 1,024"
    passages: tuple[str, ...] = ()  # ids of the passages put into the prompt
    confidence: float | None = None  # the probability the system gave this answer; None where it states none
    target_logprob: float | None = None  # of the example's target in place of the answer, where that was asked for
    target_tokens: int = 0


@dataclass(frozen=True)
class Task:
    """What a gold card says of its task: the instruction a system may use, and the labels where there are some."""

    name: str
    kind: Literal["classification", "generation", "extraction"] = "generation"
    instruction: str = ""  # the system message; "" means none
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Passage:
    """A piece of a document that a retriever can find."""

    id: str
    text: str


@dataclass(frozen=True)
class Hit:
    """A passage found for a query; a higher score is a better match."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Score:
    """A measured value with its 95 % interval and the number of items behind it."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


@dataclass(frozen=True)
class ModelRef:
    """A model by the name the user gave and the place it loads from."""

    name: str  # as written: "nano", "org/name", "./folder", "loop/train"
    path: str  # what to load: a folder, or a hub id


class System(Protocol):
    """Anything that answers: a prompted model, RAG, a tuned adapter, a classical classifier."""

    def answer(
        self, examples: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        """One answer an example, in the same order; on_answer hears of each as soon as it is there."""
        ...


class Retriever(Protocol):
    """An index over passages."""

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k best passages of each query, best first."""
        ...


@runtime_checkable
class Part(Protocol):
    """What a bound metric, retriever or system carries: its function with the keyword-only arguments already given."""

    name: str  # "rag"
    label: str  # the name with the options that the recipe gives: "rag(top_k=5)"
    key: str  # a hash of everything its output depends on
    arguments: dict[str, Any]


class SystemBuilder(Part, Protocol):
    """A bound system: called with the task, it builds the system."""

    def __call__(self, task: Task) -> System: ...


@dataclass(frozen=True)
class Reads:
    """Marks an annotation whose YAML value names something read: kind is "input" or "model"."""

    kind: Literal["input", "model"]


@dataclass(frozen=True)
class PartOf:
    """Marks an annotation whose YAML value names a function of the folder slmkit/<folder>."""

    folder: str


@dataclass(frozen=True)
class KeysOf:
    """Marks an annotation whose fields are keys of the stage itself, as those of a group that several stages share."""


_Group = TypeVar("_Group")
Keys = Annotated[_Group, KeysOf()]
# Numbers with a range, which the binder holds a recipe to.
PositiveInt = Annotated[int, Ge(1)]  # of rows, tokens, examples: none at all would tell nothing
NonNegativeInt = Annotated[int, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
FractionBelowOne = Annotated[float, Ge(0), Lt(1)]  # a share that leaves something
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
LearningRate = Annotated[float, Gt(0), Lt(1)]  # of learning
Input = Annotated[Path, Reads("input")]
Model = Annotated[ModelRef, Reads("model")]
MetricPart = Annotated[Callable[[Example, Answer], float], PartOf("metrics")]
RetrieverPart = Annotated[Callable[[Sequence[Passage]], Retriever], PartOf("retrievers")]
SystemPart = Annotated[SystemBuilder, PartOf("systems")]
