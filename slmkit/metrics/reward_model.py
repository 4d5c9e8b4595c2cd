"""Human preference as predicted by a trained reward model."""

from __future__ import annotations

import math

from slmkit.text.tool_calls import answer_message
from slmkit.types import Answer, Example, Model


def reward_model(example: Example, answer: Answer, *, model: Model) -> float:
    """The sigmoid of the reward model's score of the answer; `model` is a run of the reward stage.

    A score of 0 -> 0.5, of 2 -> 0.88; an answer with an error -> 0. Only the order of answers to the same question is
    meaningful: as a reward for grpo, or to pick the best of several.
    """
    from slmkit.models.reward_head import score

    if answer.error:
        return 0.0
    turns = [*example.conversation, answer_message(answer.text, has_tools=bool(example.tools))]
    return 1 / (1 + math.exp(-max(-50.0, min(50.0, score(model, turns, tools=example.tools)))))
