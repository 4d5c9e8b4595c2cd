"""A RAG prompt: passages with a heading before the question; training rows as solved examples, turn by turn.

user       Use these passages to answer.            user       My card is gone.
                                                    assistant  lost_card
           [1] A lost card is blocked at once.      user       My card was lost.

           [2] Cash cannot be used.

           Question: What happens to a lost card?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from slmkit.errors import SlmkitError
from slmkit.types import Message, Passage, Task

BARE = "{passages}\n{input}"
SMALL_VOCABULARY = 4_096  # tokens; such a model was trained on a small world, in whose texts no heading occurs


@dataclass(frozen=True)
class RagPrompt:
    """How a prompt shows passages. template: of the user message; None: a heading, the passages, the question."""

    template: str | None
    noun: str  # what the input is called
    is_bare: bool = False  # the passages and the question alone, a line each

    def shots(self, passages: Sequence[Passage]) -> list[Message]:
        """The passages as turns before the question if all are training rows, the most similar row last."""
        if self.template is not None or self.is_bare or not all(passage.answer for passage in passages):
            return []
        return [turn for passage in passages[::-1] for turn in _turns(passage)]

    def user(self, question: str, passages: Sequence[Passage]) -> str:
        """The user message; only the question if nothing was found, or if the passages are turns. Best first."""
        if not passages or self.shots(passages):
            return question
        if self.is_bare:
            return BARE.format(passages="\n".join(passage.text for passage in passages), input=question)
        template = self.template or f"Use these passages to answer.\n\n{{passages}}\n\n{self.noun}: {{input}}"
        shown = [f"[{number}] {passage.text}" for number, passage in enumerate(passages, 1)]
        return template.format(passages="\n\n".join(shown), input=question)


def _turns(row: Passage) -> list[Message]:
    question = row.text.removesuffix(row.answer).rstrip("\n")
    return [{"role": "user", "content": question}, {"role": "assistant", "content": row.answer}]


def rag_prompt(task: Task, template: str, *, vocabulary: int) -> RagPrompt:
    """The prompt of a task. template: "auto", or with {passages} and {input}. vocabulary: of the model, in tokens."""
    noun = "Text" if task.kind != "generation" else "Question"
    is_auto = template == "auto"
    return RagPrompt(None if is_auto else template, noun, is_bare=is_auto and vocabulary < SMALL_VOCABULARY)


def check_template(template: str) -> None:
    """Raises: SlmkitError for a template without its two placeholders, or with others."""
    if template == "auto":
        return
    try:
        shown = template.format(passages="PASSAGES", input="QUESTION")
    except (KeyError, IndexError, ValueError):
        shown = ""
    if "PASSAGES" not in shown or "QUESTION" not in shown:
        raise SlmkitError(
            f"invalid value for prompt_template: {template!r}",
            fix="use both {passages} and {input} and no other placeholder; write {{ for a brace",
        )
