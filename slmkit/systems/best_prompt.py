"""The prompting arm at its best: several prompts are tried on the development set, and the best one answers.

Without it a fine-tuned model is compared with the first prompt that came to mind. Gold is never looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from slmkit.errors import SlmkitError
from slmkit.evaluation.measure import default_metric, score_answers
from slmkit.evaluation.set_metrics import metric_name
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import Device, Dtype
from slmkit.systems._shots import Choice
from slmkit.systems.prompt import prompt
from slmkit.types import Answer, Example, Input, MetricPart, Model, PositiveInt, System, Task

_FEWEST = 10  # development items a prompt is judged by


def best_prompt(
    task: Task,
    *,
    model: Model,
    gold: Input,
    examples: Input | None = None,
    instructions: list[str] | None = None,
    num_shots: list[int] | None = None,
    metric: MetricPart | None = None,
    budget: PositiveInt = 400,
    max_new_tokens: PositiveInt = 64,
    batch_size: PositiveInt | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    load_in_4bit: bool = False,
    seed: int = 0,
) -> System:
    """Tries prompts on the development items beside `gold`, `budget` answers in all, and answers with the best.

    Tried are the task's instruction and each of `instructions`, with each of num_shots solved examples (None: 0 and
    4), the same for all questions or those nearest to each. Prompts that do alike: the one with fewer examples.
    metric: what the best is chosen by; None: what compare or eval scores this system by.
    """
    shots = sorted(set(num_shots if num_shots is not None else [0, 4] if examples else [0]))
    texts = list(dict.fromkeys([task.instruction, *(instructions or [])]))
    choices: list[Choice] = ["fixed", "nearest"]
    tried = [
        _Candidate(text, count, choice)
        for count, choice, text in product(shots, choices, texts)
        if count or choice == "fixed"
    ]

    def build(candidate: _Candidate) -> System:
        return prompt(
            task,
            model=model,
            num_shots=candidate.num_shots,
            shots=candidate.choice,
            examples=examples,
            instruction=candidate.instruction,
            max_new_tokens=max_new_tokens,
            batch_size=batch_size,
            device=device,
            dtype=dtype,
            load_in_4bit=load_in_4bit,
            seed=seed,
        )

    for candidate in tried:
        build(candidate)  # tells at once what is missing
    frozen = read_gold(gold)
    found = _BestPrompt(tried, build, frozen, metric or default_metric(frozen), budget)
    found.check()
    return found


@dataclass(frozen=True)
class _Candidate:
    instruction: str
    num_shots: int
    choice: Choice

    def __str__(self) -> str:
        shots = f"{self.num_shots} {self.choice} examples" if self.num_shots else "no examples"
        return f"{self.instruction!r} with {shots}"


@dataclass(frozen=True)
class _BestPrompt:
    candidates: Sequence[_Candidate]
    build: Callable[[_Candidate], System]
    gold: Gold
    metric: MetricPart
    budget: int
    notes: list[str] = field(default_factory=list)

    def check(self) -> None:
        if self.num_items < _FEWEST:
            raise SlmkitError(
                f"{len(self.gold.dev)} development items and a budget of {self.budget} answers leave "
                f"{self.num_items} for each of {len(self.candidates)} prompts",
                where=str(self.gold.folder / "dev.jsonl"),
                fix=f"a larger budget, fewer prompts, or at least {_FEWEST} development items",
            )

    @property
    def num_items(self) -> int:
        return min(len(self.gold.dev), self.budget // len(self.candidates))

    @property
    def about(self) -> dict[str, str]:
        chosen: dict[str, str] = self.chosen.about  # type: ignore[attr-defined]
        return chosen | {"prompt": self.notes[0]}

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        return self.chosen.answer(questions, on_answer=on_answer)

    @cached_property
    def chosen(self) -> System:
        """The candidate with the highest mean score on the same development items; the first at a tie."""
        items, metric = self.gold.dev[: self.num_items], self.metric
        systems = [self.build(candidate) for candidate in self.candidates]
        means = []
        for system in systems:
            answers = system.answer(items)
            means.append(sum(score_answers(metric, items, answers)) / len(items))
        best = max(range(len(means)), key=means.__getitem__)
        self.notes.append(
            f"chosen from {len(means)} prompts by {len(means) * len(items):,} answers on {len(items)} development "
            f"items: {self.candidates[best]}, {metric_name(metric)} {means[best]:.3f} (the lowest {min(means):.3f})"
        )
        self.notes.extend(getattr(systems[best], "notes", ()))
        return systems[best]
