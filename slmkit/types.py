"""The plain data that stages, systems and metrics exchange, and the annotations that declare a signature's inputs.

A parameter `data: Input` receives a Path; its YAML value names a file, a folder, or the recipe that makes it.
A parameter `model: Model` receives a ModelRef; its YAML value names a card, a hub id, a folder, or a recipe.
`MetricPart`, `RetrieverPart` and `SystemPart` are functions of slmkit/metrics, retrievers and systems with their
keyword-only arguments bound; the stage calls them with the positional ones.
A parameter `training: Keys[Training]` makes each field of the dataclass Training a key of the stage.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol, TypeVar, runtime_checkable

from annotated_types import Ge, Gt, Le, Lt

Message = dict[str, Any]  # {"role": …, "content": …}; an assistant's may have "tool_calls"
ColumnNames = str | int | float | bool | list[str | int | float | bool]  # YAML reads the name 007 as a number
AnswersAre = Literal["alternatives", "list"]  # what a list in the answer column is


@dataclass(frozen=True)
class Example:
    """One example of a gold set: input, target, and the slices it belongs to."""

    id: str
    input: str  # the user's turn; of a conversation, the last one
    target: str
    aliases: tuple[str, ...] = ()  # other correct answers
    relevant: tuple[str, ...] = ()  # ids of the passages that contain the answer
    slice: Mapping[str, str] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()  # the conversation up to the answer, if it is more than the user's turn
    tools: tuple[Any, ...] = ()  # the tools that the model may call, as JSON schemas

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Example:
        """The example from a row of examples.jsonl; unknown keys raise TypeError."""
        lists = {key: tuple(row[key]) for key in ("aliases", "relevant", "messages", "tools") if key in row}
        return cls(**{**row, **lists})

    @property
    def conversation(self) -> list[Message]:
        """The messages to answer: system turn, history and the last user turn."""
        return [dict(message) for message in self.messages] or [{"role": "user", "content": self.input}]

    def to_dict(self) -> dict[str, Any]:
        """A row for examples.jsonl without empty fields."""
        return {key: value for key, value in asdict(self).items() if value or key in ("id", "input", "target")}


@dataclass(frozen=True)
class Answer:
    """A system's answer to one example, and its cost."""

    example_id: str
    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0  # this answer's share of its batch's time
    stopped: bool = True  # ended with the end-of-turn token; False: cut at max_new_tokens
    error: str = ""  # why there is no answer, e.g. "prompt of 1,240 tokens exceeds the context of 1,024"
    passages: tuple[str, ...] = ()  # ids of the passages put into the prompt
    confidence: float | None = None  # probability of this answer according to the system; None if unknown
    target_logprob: float | None = None  # log-probability of the target given the input, if requested
    target_tokens: int = 0
    thinking: str | None = None  # what a reasoning model wrote before `text`; None: still in `text`, if any


@dataclass(frozen=True)
class Task:
    """The task of a gold card: kind, instruction for systems, and labels of a classification."""

    name: str
    kind: Literal["classification", "generation", "extraction"] = "generation"
    instruction: str = ""  # the system message; "" means none
    labels: tuple[str, ...] = ()
    longest_targets: tuple[str, ...] = ()  # of the gold set; max_new_tokens=auto makes room for them


@dataclass(frozen=True, slots=True)  # a corpus holds many: 100 bytes less each
class Passage:
    """A chunk of a document, or a training row, that a retriever can return."""

    id: str
    text: str  # of a training row: the question, a line break, the answer
    answer: str = ""  # of a training row

    def to_dict(self) -> dict[str, str]:
        """A row for documents.jsonl."""
        return {"id": self.id, "text": self.text} | ({"answer": self.answer} if self.answer else {})

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Passage:
        """The passage from a row of documents.jsonl; other keys are ignored."""
        return cls(str(row["id"]), row["text"], row.get("answer") or "")


@dataclass(frozen=True)
class Hit:
    """A retrieved passage; a higher score is a better match."""

    passage: Passage
    score: float


@dataclass(frozen=True)
class Score:
    """A measured value with its 95% confidence interval and the number of examples."""

    value: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}] n={self.n}"


@dataclass(frozen=True)
class ModelRef:
    """A model by the name the user gave and the path or hub id to load."""

    name: str  # as the user wrote it: "nano", "org/name", "./folder", "loop/train"
    path: str  # a folder or a hub id


class System(Protocol):
    """Anything that answers: a prompted model, RAG, a tuned adapter, a classical classifier."""

    def answer(
        self, examples: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        """One answer per example, in the same order; on_answer is called with each as soon as it is ready."""
        ...


class Retriever(Protocol):
    """An index over passages."""

    def search(self, queries: Sequence[str], *, top_k: int) -> list[list[Hit]]:
        """The top_k best passages for each query, best first."""
        ...


@runtime_checkable
class Part(Protocol):
    """A bound metric, retriever or system: a function with its keyword-only arguments already set."""

    name: str  # "rag"
    label: str  # the name with the options of the recipe: "rag(top_k=5)"
    key: str  # a hash of everything its output depends on
    arguments: dict[str, Any]


class SystemBuilder(Part, Protocol):
    """A bound system; calling it with the task builds the system."""

    def __call__(self, task: Task) -> System: ...


@dataclass(frozen=True)
class Reads:
    """Marks an annotation whose YAML value names an input or a model."""

    kind: Literal["input", "model"]


@dataclass(frozen=True)
class PartOf:
    """Marks an annotation whose YAML value names a part of slmkit/<folder>."""

    folder: str


@dataclass(frozen=True)
class KeysOf:
    """Marks an annotation whose fields are keys of the stage itself; several stages share such a group."""


_Group = TypeVar("_Group")
Keys = Annotated[_Group, KeysOf()]
# Numbers with a range, which is validated when a recipe is bound.
PositiveInt = Annotated[int, Ge(1)]
NonNegativeInt = Annotated[int, Ge(0)]
Fraction = Annotated[float, Ge(0), Le(1)]
FractionBelowOne = Annotated[float, Ge(0), Lt(1)]  # 1 would leave nothing, as for a dropout or a share set aside
PositiveFloat = Annotated[float, Gt(0)]
NonNegativeFloat = Annotated[float, Ge(0)]
LearningRate = Annotated[float, Gt(0), Lt(1)]
Input = Annotated[Path, Reads("input")]
Model = Annotated[ModelRef, Reads("model")]
MetricPart = Annotated[Callable[[Example, Answer], float], PartOf("metrics")]
RetrieverPart = Annotated[Callable[[Sequence[Passage]], Retriever], PartOf("retrievers")]
SystemPart = Annotated[SystemBuilder, PartOf("systems")]
