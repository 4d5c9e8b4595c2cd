"""A chat model, zero-shot or few-shot; a fine-tuned model is prompted the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from slmkit.systems._chat import ChatModel, ChatOptions
from slmkit.systems._shots import FewShot, Shots, chat_of, chats_of
from slmkit.types import Answer, Example, Keys, Message, Model, Task


def prompt(
    task: Task, *, model: Model, few_shot: Keys[FewShot] = FewShot(), chat: Keys[ChatOptions] = ChatOptions()
) -> Prompted:
    """Asks a chat model, zero-shot or after num_shots solved examples.

    examples: a prepared run. shots: the same examples for every question ("fixed"), a random draw for each ("random"),
    or those most similar to it ("nearest"). instruction: None takes the task's own.
    show_labels "auto" lists the labels, except for a model that a run has trained (its training prompts had no list)
    and where the list takes over a quarter of the context.
    decoding "labels" returns the label with the highest likelihood, "greedy" free text; "auto" is "labels" for
    classification tasks. score_targets also computes the log-probability of each target, for perplexity and
    bits_per_byte, and reads every prompt once more. batch_size: None takes as many prompts as fit.
    max_new_tokens "auto" takes a quarter more than the longest gold answers need, and at least 64. Of solved examples
    that do not fit into the context beside that, the least similar are left out.
    """
    return Prompted(ChatModel(task, model, chat), few_shot.load())


@dataclass(frozen=True)
class Prompted:
    """A chat model and the examples its prompts show."""

    chat_model: ChatModel
    shots: Shots | None

    @property
    def about(self) -> dict[str, str]:
        return self.chat_model.about

    @property
    def notes(self) -> list[str]:
        return self.chat_model.notes("solved examples")

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        start = time.perf_counter()
        model, opening = self.chat_model, self.chat_model.opening
        if self.shots:
            solved = self.shots(questions)

            def build(index: int, number: int) -> list[Message]:
                return chat_of(questions[index], solved[index], opening, number=number)

            chats, _ = model.fit(questions, [len(rows) for rows in solved], build)
        else:
            chats = chats_of(questions, None, opening)
        seconds = time.perf_counter() - start
        return self.chat_model.answer(questions, chats, preparing_seconds=seconds, on_answer=on_answer)
