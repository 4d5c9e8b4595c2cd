"""Pretraining, prompting, RAG or fine-tuning: six ways on four tasks, and which way suits which task."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from slmkit import charts
from slmkit.evaluation.lesson_arms import LessonArm, ask_arms
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Dtype
from slmkit.runs.run_folder import Run
from slmkit.systems import ChatOptions, FewShot
from slmkit.systems.prompt import prompt
from slmkit.systems.rag import rag
from slmkit.types import Input, Model, NonNegativeInt, PositiveInt, System, Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Scores = Mapping[str, Mapping[str, float]]  # task -> way -> accuracy


def four_ways(
    run: Run,
    *,
    model: Model,
    base: Model | None,
    golds: dict[str, Input],
    data: dict[str, Input],
    documents: dict[str, Input],
    tuned: dict[str, Model],
    num_shots: NonNegativeInt = 4,
    limit: PositiveInt = 100,
    max_new_tokens: PositiveInt = 32,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Scores six ways on four tasks: skills, fresh, tickets and fresh_tickets.

    golds, data, documents, tuned: for each task its questions, training rows, documents for retrieval, and the model
    trained on the rows. base: the base model; None skips it. It never stops on its own and always writes
    max_new_tokens.
    """
    chat = ChatOptions(device=device, dtype=dtype, show_labels=False, max_new_tokens=max_new_tokens)
    ask, look_up = (partial(part, chat=chat) for part in (prompt, rag))
    arms: dict[str, dict[str, LessonArm]] = {}
    for task, gold in golds.items():
        ways: dict[str, Callable[[Task], System]] = {
            **({"pretrained only": partial(ask, model=base)} if base else {}),
            "prompt": partial(ask, model=model),
            "few-shot": partial(ask, model=model, few_shot=FewShot(num_shots=num_shots, examples=data[task])),
            "RAG": partial(look_up, model=model, documents=documents[task]),
            "fine-tuned": partial(ask, model=tuned[task]),
            "fine-tuned + RAG": partial(look_up, model=tuned[task], documents=documents[task]),
        }
        arms[task] = ask_arms(run, read_gold(gold), ways, limit=limit)
    scores = {task: {way: arm.score.value for way, arm in row.items()} for task, row in arms.items()}
    tokens = {task: {way: arm.prompt_tokens for way, arm in row.items()} for task, row in arms.items()}
    run.table("accuracy", _by_way(scores))
    run.table("tokens_per_question", _by_way(tokens))
    run.table("answers", (line for row in arms.values() for way, arm in row.items() for line in arm.rows(way)))
    run.figure("which_way_for_which_task", _chart(scores))
    run.metric(**margins(scores), **{f"{task}_best": max(row.values()) for task, row in scores.items()})


def margins(scores: Scores) -> dict[str, float]:
    """How far the expected winner of each task is ahead of the other ways."""
    skills, fresh, tickets, both = (scores[task] for task in ("skills", "fresh", "tickets", "fresh_tickets"))
    return {
        "prompting_behind_best_on_skills": max(skills.values()) - max(skills["prompt"], skills["few-shot"]),
        "rag_over_tuning_on_fresh_facts": fresh["RAG"] - fresh["fine-tuned"],
        "tuning_over_rag_and_prompt_on_house_rules": tickets["fine-tuned"]
        - max(tickets["prompt"], tickets["few-shot"], tickets["RAG"]),
        "both_over_either": both["fine-tuned + RAG"] - max(both["fine-tuned"], both["RAG"]),
    }


def _by_way(found: Scores) -> list[dict[str, object]]:
    """One row per way, one column per task."""
    ways = next(iter(found.values()))
    return [{"way": way, **{task: row[way] for task, row in found.items()}} for way in ways]


def _chart(scores: Scores) -> Figure:
    """The accuracy of each way on each task, with the best of each task in bold."""
    tasks, ways = list(scores), list(next(iter(scores.values())))
    figure, axes = charts.blank(height=3.0)
    axes.imshow(
        [[scores[task][way] for task in tasks] for way in ways],
        cmap=charts.clear_to(charts.PALETTE[0]),
        vmin=0,
        vmax=1,
        aspect="auto",
    )
    for x, task in enumerate(tasks):
        for y, way in enumerate(ways):
            is_best = scores[task][way] == max(scores[task].values())
            weight = "bold" if is_best else "normal"
            axes.text(x, y, f"{scores[task][way]:.2f}", ha="center", va="center", fontweight=weight)
    axes.set_xticks(range(len(tasks)), [task.replace("_", " ") for task in tasks])
    axes.set_yticks(range(len(ways)), ways)
    axes.grid(visible=False)
    return figure
