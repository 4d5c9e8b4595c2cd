"""Keeps the thinking of a reasoning model apart from its answer, so that only the answer is scored."""

from __future__ import annotations

from dataclasses import replace

from slmkit.text.thinking import has_thinking_tags, open_tag, split_thinking
from slmkit.types import Answer, Example

IN_THINKING = "inside its thinking"  # in the error of an answer that never got beyond it


def without_thinking(example: Example, answer: Answer, *, prompt_end: str = "") -> Answer:
    """The answer with its thinking moved to `thinking`; one that ends inside its thinking becomes an error.

    An answer whose `thinking` is not None has been split already, and stays as it is.
    prompt_end: the end of the prompt, which may open the thinking: an answer that was cut then is all thinking, while
    one that the model ended without a closing tag is its answer. An example whose target has thinking tags asks for
    the thinking, so its answer stays as it is.
    """
    if answer.error or answer.thinking is not None:
        return answer
    if any(map(has_thinking_tags, (example.target, *example.aliases))):
        return replace(answer, thinking="")
    tag = open_tag(prompt_end)
    text, thinking, is_cut = split_thinking(("" if answer.stopped else tag) + answer.text, opened=bool(tag))
    if is_cut:
        return replace(answer, text="", thinking=thinking, stopped=False, error=thinking_error(answer.stopped))
    return replace(answer, text=text, thinking=thinking)


def thinking_error(stopped: bool) -> str:
    """The error of an answer that is all thinking: ended by the model itself, or cut at max_new_tokens."""
    how = "the model stopped" if stopped else "the answer was cut at max_new_tokens"
    return f"{how} {IN_THINKING}"
