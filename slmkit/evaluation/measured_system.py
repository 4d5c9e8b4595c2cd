"""One system of a comparison: its scores, what it costs, and its row in the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.cost import cost_of_1000, train_seconds
from slmkit.evaluation.score import Metric, Summary, score_answers, summarise
from slmkit.evaluation.verdict import ScoredArm, Verdict
from slmkit.statistics.paired_tests import paired_difference
from slmkit.types import Answer, Example, SystemPart, Task

_PROMPTED = ("prompt", "best_prompt", "openai_endpoint", "llama_cpp", "vllm")
_BASELINE = "majority"


@dataclass(frozen=True)
class MeasuredSystem:
    """A system's answers to the examples, with scores and costs."""

    name: str
    part: SystemPart
    answers: list[Answer]
    scores: list[float]
    summary: Summary
    train_seconds: float  # 0 for a model that no run trained
    cost: float  # of 1,000 answers

    @property
    def arm(self) -> ScoredArm:
        """The system as the verdict needs it."""
        is_prompting = self.part.name in _PROMPTED and not self.train_seconds
        return ScoredArm(self.name, self.scores, self.cost, is_prompting, is_floor=self.part.name == _BASELINE)


def measure_system(
    name: str,
    part: SystemPart,
    answers: list[Answer],
    *,
    task: Task,
    metric: Metric,
    examples: Sequence[Example],
    clusters: Sequence[str] | None,
    price_per_hour: float,
    answers_per_training: int,
    seed: int,
) -> MeasuredSystem:
    """Scores a system's answers and works out what 1,000 of them cost."""
    scores = score_answers(metric, examples, answers)
    summary = summarise(task, answers, scores, clusters=clusters, seed=seed)
    seconds = train_seconds(part)
    cost = cost_of_1000(
        part,
        summary,
        train_seconds=seconds,
        price_per_hour=price_per_hour,
        answers_per_training=answers_per_training,
    )
    return MeasuredSystem(name, part, answers, scores, summary, seconds, cost)


def repeat_rows(
    measured: Mapping[str, MeasuredSystem],
    repeats: Mapping[str, str],
    *,
    clusters: Sequence[str] | None,
    seed: int,
) -> list[dict[str, Any]]:
    """The paired difference of each repeat run from the system it repeats."""
    return [
        {"system": name, "repeats": original}
        | asdict(paired_difference(measured[name].scores, measured[original].scores, clusters=clusters, seed=seed))
        for name, original in repeats.items()
    ]


def arm_row(system: MeasuredSystem, verdict: Verdict, file: AnswerFile) -> dict[str, Any]:
    """The system's row in the arms table."""
    summary = system.summary
    row: dict[str, Any] = {
        "system": system.name,
        "chosen": system.name == verdict.chosen,
        "score": summary.score.value,
        "low": summary.score.low,
        "high": summary.score.high,
        "n": summary.score.n,
    }
    if system.name != verdict.reference:
        difference = verdict.differences[system.name]
        row |= {
            "difference": difference.value,
            "difference_low": difference.low,
            "difference_high": difference.high,
            "p_value": difference.p_value,
        }
    return row | {
        "reference": verdict.reference,
        "parse_rate": summary.parse_rate,
        "stop_rate": summary.stop_rate,
        "empty_rate": summary.empty_rate,
        "error_rate": summary.error_rate,
        "prompt_tokens": summary.prompt_tokens,
        "completion_tokens": summary.completion_tokens,
        "seconds_per_answer": summary.seconds_per_answer,
        "p50_seconds": summary.p50_seconds,
        "p95_seconds": summary.p95_seconds,
        "setup_seconds": file.setups[system.name]["setup_seconds"],
        "peak_memory_bytes": file.peak_memory.get(system.name),
        "train_seconds": system.train_seconds,
        "cost_per_1000": system.cost,
    }
