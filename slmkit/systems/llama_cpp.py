"""A GGUF file run by llama.cpp in this process, as a laptop or a phone would run it.

llama-cpp-python compiles from source; the tests replace the engine. To use a running llama-server, take
openai_endpoint.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.without_thinking import without_thinking
from slmkit.systems._chat import Opening, ShowLabels, opening_of
from slmkit.systems._chat_reply import read_reply
from slmkit.systems._chat_request import SYSTEM_IS_FOLDED, as_api_messages, as_api_tool, refuses_system
from slmkit.systems._fit_prompts import Fitted, ask_with_fewer
from slmkit.systems._new_tokens import NewTokens, limit_text, new_tokens, tokens_by_bytes
from slmkit.systems._shots import FewShot, Shots, chat_of, solved_for
from slmkit.text.fold_system import fold_system
from slmkit.types import Answer, Example, Input, Keys, Message, PositiveInt, System, Task


def llama_cpp(
    task: Task,
    *,
    gguf: Input,
    few_shot: Keys[FewShot] = FewShot(),
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    max_new_tokens: NewTokens = "auto",
    context_length: PositiveInt = 2048,
    num_gpu_layers: int = -1,
) -> System:
    """Runs a GGUF model in llama.cpp with greedy decoding and the file's own chat template.

    num_gpu_layers: -1 puts all layers on the GPU, if llama.cpp was built for one. show_labels "auto" lists the labels:
    the file does not say whether the model was trained without a list. The other keys: as in `prompt`.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise SlmkitError(
            "the package llama-cpp-python is not installed",
            fix="pip install llama-cpp-python (it compiles), or run llama-server and use openai_endpoint",
        )
    opening = opening_of(task, instruction, show_labels=bool(show_labels))
    limit = new_tokens(max_new_tokens, task, tokens_by_bytes)
    if max_new_tokens == "auto":
        limit = min(limit, context_length // 2)
    decoding = f"greedy, {limit_text(limit, max_new_tokens)}"
    return _LlamaCpp(gguf, opening, few_shot.load(), limit, decoding, context_length, num_gpu_layers)


@dataclass(frozen=True)
class _LlamaCpp:
    gguf: Path
    opening: Opening
    shots: Shots | None
    max_new_tokens: int
    decoding: str
    context_length: int
    num_gpu_layers: int
    remarks: list[str] = field(default_factory=list)  # holds one if the template has refused a system message
    fitted: Fitted = field(default_factory=Fitted)  # what was left out of its prompts

    @property
    def notes(self) -> list[str]:
        return [*self.remarks, *self.fitted.notes("solved examples", context=self.context_length)]

    @property
    def about(self) -> dict[str, str]:
        from importlib.metadata import version

        from slmkit.models.chat_template import template_hash

        return {
            "model": str(self.gguf),
            "template": template_hash(self._engine.metadata.get("tokenizer.chat_template")),
            "backend": f"llama-cpp-python {version('llama-cpp-python')}",
            "decoding": self.decoding,
        }

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        answers = []
        for question, rows in zip(questions, solved_for(questions, self.shots), strict=True):
            chats = partial(chat_of, question, rows, self.opening)
            answer, kept = ask_with_fewer(len(rows), lambda number: self._ask(question, chats(number=number)))  # noqa: B023
            self.fitted.add([len(rows)], [kept])
            answers.append(answer)
            if on_answer:
                on_answer(answers[-1])
        return answers

    def _ask(self, question: Example, chat: list[Message]) -> Answer:
        start = time.perf_counter()
        try:
            body = self._complete(fold_system(chat) if self.remarks else chat, question.tools)
        except ValueError as error:  # the prompt is longer than the context, or the template refuses the chat
            if not self.remarks and refuses_system(str(error)):
                self.remarks.append(f"the chat template {SYSTEM_IS_FOLDED}")
                return self._ask(question, chat)
            return Answer(question.id, "", seconds=time.perf_counter() - start, stopped=False, error=str(error))
        reply, usage = read_reply(body), body["usage"]
        answer = Answer(
            question.id,
            (reply.text or "").strip(),
            prompt_tokens=usage["prompt_tokens"],
            completion_tokens=usage["completion_tokens"],
            seconds=time.perf_counter() - start,
            stopped=reply.finish_reason != "length",
        )
        return without_thinking(question, answer)

    def _complete(self, chat: list[Message], tools: Sequence[Any]) -> dict[str, Any]:
        offered = {"tools": [as_api_tool(tool) for tool in tools]} if tools else {}
        body: dict[str, Any] = self._engine.create_chat_completion(
            as_api_messages(chat), max_tokens=self.max_new_tokens, temperature=0.0, **offered
        )
        return body

    @cached_property
    def _engine(self) -> Any:
        from llama_cpp import Llama

        return Llama(str(self.gguf), n_ctx=self.context_length, n_gpu_layers=self.num_gpu_layers, verbose=False)
