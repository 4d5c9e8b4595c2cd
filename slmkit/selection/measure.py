"""Measures one base model: tokenizer, chat template, zero-shot and few-shot score, a probe fine-tune, speed, memory.

The caller chooses the models and says how they are asked: `make_system` builds the system.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.errors import SlmkitError
from slmkit.evaluation.peak_memory import peak_memory
from slmkit.evaluation.score import Metric, score_answers
from slmkit.models.embedding_norms import embedding_norms
from slmkit.models.load import Loaded, shared_model
from slmkit.models.memory import release_heap
from slmkit.rows.loss_mask import Chat, Row, label_chats
from slmkit.rows.template_check import Thinking, check_template
from slmkit.runs.code_hash import code_hash
from slmkit.selection.evidence import NOT_MEASURED, Evidence
from slmkit.statistics.intervals import mean_score
from slmkit.text.words import count_words
from slmkit.training.probe import Probe, probe
from slmkit.types import Answer, Example, ModelRef, Score, System, Task

_CHATS = 100  # on which the template is checked
_HELD_OUT = 32  # rows on which the probe is evaluated
_ENDINGS = 8  # free-text answers that show whether the model stops: a chosen label always does
_ENDING_TOKENS = 64

MakeSystem = Callable[[int], System]  # by the number of few-shot examples


def measure_candidate(
    ref: ModelRef,
    *,
    task: Task,
    rows: Sequence[CanonicalRow],
    dev: Sequence[Example],
    metric: Metric | None,
    make_system: MakeSystem,
    num_shots: int,
    probe_steps: int,
    probe_minutes: float,
    seed: int,
    on_answer: Callable[[Answer], None] | None = None,
) -> Evidence:
    """Measures one model on these rows and dev questions; `rows` must not contain questions of the gold set.

    The probe changes the model's weights, so it comes last.
    """
    loaded = shared_model(ref)
    release_heap()  # memory left by the previous model must not count for this one
    missing: list[str] = []
    solved = [row for row in rows if row.target]
    pairs = [(row.input, row.target) for row in solved] or [(example.input, example.target) for example in dev]
    chats = [
        Chat(str(i), f"row {i + 1}", user_and_assistant(text, target, system=task.instruction))
        for i, (text, target) in enumerate(pairs)
    ]
    fault, end_learnt = _template(loaded, chats[:_CHATS]) if chats else (NOT_MEASURED, False)
    on_dev = _OnDev()
    if dev and metric:
        with peak_memory() as peak:
            shots = [0]
            if 0 < num_shots < len(solved):
                shots.append(num_shots)
            elif num_shots:
                missing.append(f"{num_shots} examples: only {len(solved)} rows have an answer")
            on_dev = _ask(make_system, shots, dev, metric, on_answer, missing)
            if task.kind == "classification":
                on_dev.stop_rate = _stop_rate(loaded, chats[:_ENDINGS])
        on_dev.memory_bytes = peak.memory_bytes
    learned, probe_memory = None, None
    if probe_steps and solved:
        try:
            with peak_memory() as peak:
                learned = _probe(loaded, chats, [target for _, target in pairs], probe_steps, probe_minutes, seed)
            probe_memory = peak.memory_bytes
        except SlmkitError as error:
            missing.append(f"probe: {error.what}")
    return Evidence(
        tokens_a_word=_tokens_a_word(loaded, [text for text, _ in pairs] or [row.input for row in rows]),
        template=fault,
        end_learnt=end_learnt,
        stop_rate=on_dev.stop_rate,
        zero_shot=on_dev.scores.get(0),
        few_shot=on_dev.scores.get(num_shots) if num_shots else None,
        tokens_per_second=on_dev.tokens_per_second,
        answer_memory_bytes=on_dev.memory_bytes,
        probe=learned,
        probe_memory_bytes=probe_memory,
        missing="; ".join(missing),
    )


def evidence_key(*parts: Any) -> str:
    """A hash of what is measured and of the code that measures: equal keys mean equal measurements."""
    digest = hashlib.sha256()
    digest.update(code_hash([measure_candidate]).encode())
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


@dataclass
class _OnDev:
    """Scores by the number of few-shot examples, and what the zero-shot answers show."""

    scores: dict[int, Score] = field(default_factory=dict)
    stop_rate: float | None = None
    tokens_per_second: float | None = None
    memory_bytes: int | None = None


def _ask(
    make_system: MakeSystem,
    shots: Sequence[int],
    dev: Sequence[Example],
    metric: Metric,
    on_answer: Callable[[Answer], None] | None,
    missing: list[str],
) -> _OnDev:
    """Asks the dev questions with each number of examples; the reason for a missing score is added to `missing`."""
    found = _OnDev()
    for count in shots:
        try:
            answers = make_system(count).answer(dev, on_answer=on_answer)
        except SlmkitError as error:
            missing.append(f"{count} examples: {error.what}")
            continue
        found.scores[count] = mean_score(score_answers(metric, dev, answers))
        if count == 0:
            found.stop_rate = sum(answer.stopped for answer in answers) / len(answers)
            if seconds := sum(answer.seconds for answer in answers):
                tokens = sum(answer.prompt_tokens + answer.completion_tokens for answer in answers)
                found.tokens_per_second = tokens / seconds
    return found


def _template(loaded: Loaded, chats: Sequence[Chat]) -> tuple[str, bool]:
    """The first fault of the chat template on these rows, or "sane"; and whether its end token is learned."""
    tokenizer = loaded.tokenizer
    thinking: Thinking | None = "off" if "<think>" in str(tokenizer.chat_template) else None
    norms = embedding_norms(loaded.ref)
    try:
        faults = check_template(tokenizer, chats, thinking=thinking, embedding_norms=norms).faults
    except SlmkitError as error:  # for example a turn without an end token
        return error.what, False
    errors = [fault for fault in faults if fault.severity == "error"]
    unlearned = {"no template", "end not learned", "untrained token", "unknown marker"}
    return errors[0].text if errors else "sane", not any(fault.name in unlearned for fault in errors)


def _stop_rate(loaded: Loaded, chats: Sequence[Chat]) -> float | None:
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render

    try:
        turns, tools = [chat.messages[:-1] for chat in chats], [chat.tools for chat in chats]
        prompts = render(loaded.tokenizer, turns, tools=tools)
    except SlmkitError:  # reported as a fault of the template
        return None
    outputs = generate(loaded, prompts, max_new_tokens=_ENDING_TOKENS)
    return sum(output.stopped for output in outputs) / len(outputs)


def _tokens_a_word(loaded: Loaded, texts: Sequence[str]) -> float:
    ids = loaded.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return sum(map(len, ids)) / max(1, sum(map(count_words, texts)))


def _probe(
    loaded: Loaded, chats: Sequence[Chat], targets: Sequence[str], steps: int, minutes: float, seed: int
) -> Probe:
    """Runs the probe on the rows that fit; up to 32 of them, at most a third, are held out."""
    labelled: list[tuple[Row, str]] = [
        (row, target)
        for row, target in zip(label_chats(loaded.tokenizer, chats), targets, strict=True)
        if len(row.input_ids) <= loaded.context_length
    ]
    labelled = list({tuple(row.input_ids): (row, target) for row, target in labelled}.values())  # without duplicates
    random.Random(seed).shuffle(labelled)  # files are often sorted by label
    num_held_out = min(_HELD_OUT, len(labelled) // 3)
    if not num_held_out:
        raise SlmkitError(f"{len(labelled)} rows fit in the context; at least 3 are needed")
    held_out, rows = labelled[:num_held_out], labelled[num_held_out:]
    return probe(
        loaded,
        [row for row, _ in rows],
        [row for row, _ in held_out],
        held_out_bytes=sum(len(target.encode()) for _, target in held_out),
        steps=steps,
        minutes=minutes,
        seed=seed,
    )
