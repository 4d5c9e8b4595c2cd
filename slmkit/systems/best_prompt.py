"""Prompt search on the development set, so that fine-tuning is compared with a good prompt and not with the first one.

The gold questions are never used for the search.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import product

from slmkit.errors import SlmkitError
from slmkit.evaluation.score import default_metric, score_answers
from slmkit.evaluation.set_metrics import metric_name
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import Device, Dtype
from slmkit.systems._chat import ChatOptions
from slmkit.systems._new_tokens import NewTokens
from slmkit.systems._shots import Choice, FewShot
from slmkit.systems.prompt import Prompted, prompt
from slmkit.types import Answer, Example, Input, MetricPart, Model, PositiveInt, System, Task

_MIN_DEV_ITEMS = 10  # per prompt: with fewer the ranking is mostly noise


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
    max_new_tokens: NewTokens = "auto",
    batch_size: PositiveInt | None = None,
    device: Device = "auto",
    dtype: Dtype = "auto",
    load_in_4bit: bool = False,
    seed: int = 0,
) -> System:
    """Tries several prompts on the development items of `gold` and answers with the best.

    The candidates combine an instruction (the task's, or one of `instructions`), a number of examples (one of
    num_shots; None: 0 and 4), and their choice (fixed, or nearest to the question). Ties go to fewer examples.
    budget: answers in the whole search: 400 for 8 candidates is 50 development items each.
    metric: decides the best; None: the metric that compare or eval scores this system by.
    """
    shots = sorted(set(num_shots if num_shots is not None else [0, 4] if examples else [0]))
    texts = list(dict.fromkeys([task.instruction, *(instructions or [])]))
    choices: list[Choice] = ["fixed", "nearest"]
    candidates = [
        _Candidate(text, count, choice)
        for count, choice, text in product(shots, choices, texts)
        if count or choice == "fixed"
    ]

    chat = ChatOptions(
        max_new_tokens=max_new_tokens, batch_size=batch_size, device=device, dtype=dtype, load_in_4bit=load_in_4bit
    )

    def build(candidate: _Candidate) -> Prompted:
        few_shot = FewShot(num_shots=candidate.num_shots, shots=candidate.choice, examples=examples, seed=seed)
        return prompt(task, model=model, few_shot=few_shot, chat=replace(chat, instruction=candidate.instruction))

    for candidate in candidates:
        build(candidate)  # refuses wrong options before any model is loaded
    frozen = read_gold(gold)
    system = _BestPrompt(candidates, build, frozen, metric or default_metric(frozen), budget)
    system.check()
    return system


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
    build: Callable[[_Candidate], Prompted]
    gold: Gold
    metric: MetricPart
    budget: int
    search: list[str] = field(default_factory=list)  # a sentence on the search, once it is done

    def check(self) -> None:
        if self.num_items < _MIN_DEV_ITEMS:
            raise SlmkitError(
                f"only {self.num_items} development items for each of {len(self.candidates)} prompts "
                f"(budget {self.budget} answers, {len(self.gold.dev)} items)",
                where=str(self.gold.folder / "dev.jsonl"),
                fix=f"each prompt needs {_MIN_DEV_ITEMS}: raise the budget, try fewer prompts, or add items",
            )

    @property
    def num_items(self) -> int:
        return min(len(self.gold.dev), self.budget // len(self.candidates))

    @property
    def about(self) -> dict[str, str]:
        return self.chosen.about | {"prompt": self.search[0]}

    @property
    def notes(self) -> list[str]:
        return [*self.search, *self.chosen.notes] if self.search else []

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        return self.chosen.answer(questions, on_answer=on_answer)

    @cached_property
    def chosen(self) -> Prompted:
        """The candidate with the highest mean score on the same development items; ties go to the first."""
        items, metric = self.gold.dev[: self.num_items], self.metric
        systems = [self.build(candidate) for candidate in self.candidates]
        means = []
        for system in systems:
            answers = system.answer(items)
            means.append(sum(score_answers(metric, items, answers)) / len(items))
        best = max(range(len(means)), key=means.__getitem__)
        self.search.append(
            f"best of {len(means)} prompts on {len(items)} development items: {self.candidates[best]}, "
            f"{metric_name(metric)} {means[best]:.3f} (worst {min(means):.3f}; {len(means) * len(items):,} answers)"
        )
        return self.build(self.candidates[best])  # anew: its notes are about the gold questions only
