"""A model run by vLLM in this process: continuous batching on a GPU, with the same prompts as `prompt`.

vLLM pins its own torch and so needs its own environment; the tests replace the engine. To use a running `vllm serve`,
take openai_endpoint, which needs no extra package.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from slmkit.errors import SlmkitError
from slmkit.evaluation.without_thinking import without_thinking
from slmkit.systems._chat import Opening, ShowLabels, is_trained, opening_of
from slmkit.systems._fit_prompts import Fitted, fit_parts
from slmkit.systems._new_tokens import NewTokens, limit_text, new_tokens
from slmkit.systems._shots import FewShot, Shots, chat_of, solved_for
from slmkit.text.thinking import LONGEST_TAG
from slmkit.types import Answer, Example, Fraction, Keys, Message, Model, ModelRef, PositiveInt, System, Task


def vllm(
    task: Task,
    *,
    model: Model,
    few_shot: Keys[FewShot] = FewShot(),
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    max_new_tokens: NewTokens = "auto",
    context_length: PositiveInt | None = None,
    gpu_memory_share: Fraction = 0.9,
) -> System:
    """Runs a model in vLLM with greedy decoding, guided to the labels in classification tasks.

    model: a merged model, or a run's adapter, which vLLM applies to its base. num_shots, shots, examples, instruction:
    as in `prompt`. show_labels "auto" lists the labels, except for a model that a run has trained.
    Source: Kwon et al. 2023, https://arxiv.org/abs/2309.06180.
    """
    if importlib.util.find_spec("vllm") is None:
        raise SlmkitError(
            "the package vllm is not installed",
            fix="pip install vllm in a separate environment, or run `vllm serve` there and use openai_endpoint",
        )
    shown = not is_trained(model) if show_labels == "auto" else show_labels
    opening = opening_of(task, instruction, show_labels=shown)
    return _Vllm(task, model, opening, few_shot.load(), max_new_tokens, context_length, gpu_memory_share)


@dataclass(frozen=True)
class _Vllm:
    task: Task
    model: ModelRef
    opening: Opening
    shots: Shots | None
    max_new_tokens: NewTokens
    context_length: int | None
    gpu_memory_share: float
    fitted: Fitted = field(default_factory=Fitted)  # what was left out of its prompts

    @property
    def notes(self) -> list[str]:
        return self.fitted.notes("solved examples", context=self._context)

    @property
    def about(self) -> dict[str, str]:
        from importlib.metadata import version

        from slmkit.models.chat_template import template_hash
        from slmkit.models.load import load_tokenizer

        guided = ", guided to the labels" if self.task.labels else ""
        return {
            "model": self.model.path,
            "template": template_hash(load_tokenizer(self.model).chat_template),
            "backend": f"vllm {version('vllm')}",
            "decoding": f"greedy, {limit_text(self._limit, self.max_new_tokens)}{guided}",
        }

    @cached_property
    def _limit(self) -> int:
        """The most new tokens of an answer."""
        from slmkit.models.load import load_tokenizer

        def count(texts: Sequence[str]) -> list[int]:
            rows = load_tokenizer(self.model)(list(texts), add_special_tokens=False)["input_ids"]
            return [len(row) for row in rows]

        return new_tokens(self.max_new_tokens, self.task, count)

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        from slmkit.models.chat_template import render
        from slmkit.models.load import load_tokenizer

        engine, adapter = self._engine
        context = self._context
        limit = min(self._limit, context // 2) if self.max_new_tokens == "auto" else self._limit
        room = context - limit
        start = time.perf_counter()
        solved = solved_for(questions, self.shots)
        tokenizer = load_tokenizer(self.model)

        def build(index: int, number: int) -> list[Message]:
            return chat_of(questions[index], solved[index], self.opening, number=number)

        def sizes_of(indices: Sequence[int], chats: Sequence[list[Message]]) -> list[int]:
            return list(map(len, render(tokenizer, chats, tools=[questions[index].tools for index in indices])))

        numbers = list(map(len, solved))
        chats, kept = fit_parts(numbers, build, sizes_of, room=room)
        self.fitted.add(numbers, kept)
        prompts = render(tokenizer, chats, tools=[question.tools for question in questions])
        prompt_end = tokenizer.decode(prompts[0][-LONGEST_TAG:]) if prompts else ""
        sizes = [len(input_ids) for input_ids in prompts]
        asked = [{"prompt_token_ids": ids} for ids in prompts if len(ids) <= room]  # vLLM fails all for one
        sampling = self._sampling(limit)
        outputs = iter(engine.generate(asked, sampling, lora_request=adapter, use_tqdm=False) if asked else ())
        seconds = (time.perf_counter() - start) / max(1, len(asked))
        answers = []
        for question, size in zip(questions, sizes, strict=True):
            if size <= room:
                answer = _answer(question, next(outputs), seconds)
                answers.append(without_thinking(question, answer, prompt_end=prompt_end))
            else:
                error = f"prompt of {size:,} tokens and max_new_tokens={limit} exceed the context of "
                error += f"{context:,}"
                answers.append(Answer(question.id, "", prompt_tokens=size, stopped=False, error=error))
            if on_answer:
                on_answer(answers[-1])
        return answers

    @property
    def _context(self) -> int:
        return int(self._engine[0].llm_engine.model_config.max_model_len)

    @cached_property
    def _engine(self) -> tuple[Any, Any]:
        """The engine, and the LoRA adapter to apply, if the model is one."""
        import json

        from vllm import LLM
        from vllm.lora.request import LoRARequest

        folder = Path(self.model.path) / "model"
        folder = folder if folder.is_dir() else Path(self.model.path)
        settings = {"max_model_len": self.context_length, "gpu_memory_utilization": self.gpu_memory_share}
        config = folder / "adapter_config.json"
        if not config.is_file():
            return LLM(str(folder if folder.is_dir() else self.model.path), **settings), None
        adapter = json.loads(config.read_text(encoding="utf-8"))
        engine = LLM(
            adapter["base_model_name_or_path"],
            tokenizer=str(folder),
            enable_lora=True,
            max_lora_rank=max(8, int(adapter["r"])),
            **settings,
        )
        return engine, LoRARequest("adapter", 1, str(folder))

    def _sampling(self, limit: int) -> Any:
        from vllm import SamplingParams
        from vllm.sampling_params import StructuredOutputsParams

        guided = StructuredOutputsParams(choice=list(self.task.labels)) if self.task.labels else None
        return SamplingParams(temperature=0.0, max_tokens=limit, structured_outputs=guided)


def _answer(question: Example, output: Any, seconds: float) -> Answer:
    [said] = output.outputs
    return Answer(
        question.id,
        said.text.strip(),
        prompt_tokens=len(output.prompt_token_ids),
        completion_tokens=len(said.token_ids),
        seconds=seconds,
        stopped=said.finish_reason == "stop",
    )
