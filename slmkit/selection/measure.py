"""What can be measured of one base model before it is chosen: how it reads, is asked, answers and learns.

Which models to measure, and where the answers come from, is the caller's: systems are made by `make_system`.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit import __version__
from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.errors import SlmkitError
from slmkit.evaluation.peak_memory import peak_memory
from slmkit.evaluation.score import Metric, score_answers
from slmkit.models.embedding_norms import embedding_norms
from slmkit.models.load import Loaded, shared_model
from slmkit.models.memory import release_heap
from slmkit.rows.loss_mask import Chat, Row, label_chats
from slmkit.rows.template_check import Thinking, check_template
from slmkit.statistics.intervals import mean_score
from slmkit.training import probe as probe_module
from slmkit.training.probe import Probe, probe
from slmkit.types import Answer, Example, ModelRef, Score, System, Task

_CHATS = 100  # that the template is checked on
_HELD_OUT = 32  # rows that tell how the probe gets on
_ENDINGS = 8  # answers written freely, to see whether a model ends them: a chosen label always ends
_ENDING_TOKENS = 64

MakeSystem = Callable[[int], System]  # from the number of solved examples shown


@dataclass(frozen=True)
class Evidence:
    """What was measured of one model; None where there was nothing to measure it on, or `missing` says why."""

    tokens_a_word: float  # how finely its tokenizer cuts this text
    template: str  # "sane", or the first fault of its chat template on these rows
    end_learnt: bool  # its end-of-turn token is one token that it was trained on and that would carry loss
    stop_rate: float | None  # of answers written freely, those it ended itself
    zero_shot: Score | None
    few_shot: Score | None
    tokens_per_second: float | None  # read and written together, on this machine
    answer_memory_bytes: int | None  # the most while it answered: on a CPU of the whole process
    probe: Probe | None
    probe_memory_bytes: int | None
    missing: str = ""

    @property
    def best(self) -> Score | None:
        """The better of its two scores."""
        return max((s for s in (self.zero_shot, self.few_shot) if s), key=lambda s: s.value, default=None)

    @property
    def facts(self) -> dict[str, str]:
        """Each figure under its name, in words; what was not measured says so."""
        no = "not measured"
        learnt = f"end token {'learnt' if self.end_learnt else 'not learnt'}"
        ends = "" if self.stop_rate is None else f"; it ended {self.stop_rate:.0%} of its answers"
        return {
            "fertility": f"{self.tokens_a_word:.2f} tokens a word",
            "template": no if self.template == no else f"{self.template}, {learnt}{ends}",
            "zero-shot": str(self.zero_shot or no),
            "few-shot": str(self.few_shot or no),
            "probe": str(self.probe or no),
            "speed": f"{self.tokens_per_second:,.0f} tokens/s here" if self.tokens_per_second else no,
            "peak memory": ", ".join(
                f"{size / 1e9:.2f} GB {doing}"
                for size, doing in ((self.answer_memory_bytes, "answering"), (self.probe_memory_bytes, "training"))
                if size
            )
            or no,
            **({"why not": self.missing} if self.missing else {}),
        }


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
    """All that can be measured of one model on these rows and dev questions; `rows` hold no question of the gold set.

    The probe trains the model, so it comes last.
    """
    loaded = shared_model(ref)
    release_heap()  # what the model before left behind is not this one's
    missing: list[str] = []
    solved = [row for row in rows if row.target]
    asked = [(row.input, row.target) for row in solved] or [(example.input, example.target) for example in dev]
    chats = [
        Chat(str(i), f"row {i + 1}", user_and_assistant(text, target, system=task.instruction))
        for i, (text, target) in enumerate(asked)
    ]
    fault, end_learnt = _template(loaded, chats[:_CHATS]) if chats else ("not measured", False)
    answers: dict[int, list[Answer]] = {}
    zero: list[Answer] = []
    scores: dict[int, Score] = {}
    stop_rate = None
    answer_memory = None
    if dev and metric:
        with peak_memory() as peak:
            counts = (0, num_shots) if 0 < num_shots < len(solved) else (0,)
            if num_shots and len(counts) == 1:
                missing.append(f"{num_shots} examples: there are {len(solved)} solved rows")
            for shots in counts:
                try:
                    answers[shots] = make_system(shots).answer(dev, on_answer=on_answer)
                except SlmkitError as error:
                    missing.append(f"{shots} examples: {error.what}")
                    continue
                scores[shots] = mean_score(score_answers(metric, dev, answers[shots]))
            zero = answers.get(0, [])
            if task.kind == "classification":
                stop_rate = _stop_rate(loaded, chats[:_ENDINGS])
            elif zero:
                stop_rate = sum(answer.stopped for answer in zero) / len(zero)
        answer_memory = peak.memory_bytes
    seconds = sum(answer.seconds for answer in zero)
    found, probe_memory = None, None
    if probe_steps and solved:
        try:
            with peak_memory() as peak:
                found = _probe(loaded, chats, [target for _, target in asked], probe_steps, probe_minutes, seed)
            probe_memory = peak.memory_bytes
        except SlmkitError as error:
            missing.append(f"probe: {error.what}")
    texts = [text for text, _ in asked] or [row.input for row in rows]
    return Evidence(
        tokens_a_word=_tokens_a_word(loaded, texts),
        template=fault,
        end_learnt=end_learnt,
        stop_rate=stop_rate,
        zero_shot=scores.get(0),
        few_shot=scores.get(num_shots) if num_shots else None,
        tokens_per_second=sum(a.prompt_tokens + a.completion_tokens for a in zero) / seconds if seconds else None,
        answer_memory_bytes=answer_memory,
        probe=found,
        probe_memory_bytes=probe_memory,
        missing="; ".join(missing),
    )


def evidence_key(*parts: Any) -> str:
    """The hash that cached evidence is found by: of what was measured, slmkit's version, the probe and this file."""
    digest = hashlib.sha256()
    for file in (Path(__file__), Path(str(probe_module.__file__))):
        digest.update(file.read_bytes())
    digest.update(__version__.encode())
    digest.update(json.dumps(parts, sort_keys=True, default=str).encode())
    return digest.hexdigest()[:12]


def read_evidence(row: Mapping[str, Any]) -> Evidence:
    """Evidence from a line of evidence.jsonl."""
    values = {key: row[key] for key in Evidence.__dataclass_fields__}
    for name in ("zero_shot", "few_shot"):
        values[name] = Score(**values[name]) if values[name] else None
    return Evidence(**{**values, "probe": Probe(**values["probe"]) if values["probe"] else None})


def _template(loaded: Loaded, chats: Sequence[Chat]) -> tuple[str, bool]:
    """ "sane" or the first fault of the chat template on these rows, and whether its end token is learnt."""
    tokenizer = loaded.tokenizer
    thinking: Thinking | None = "off" if "<think>" in str(tokenizer.chat_template) else None
    norms = embedding_norms(loaded.ref)
    try:
        faults = check_template(tokenizer, chats, thinking=thinking, embedding_norms=norms).faults
    except SlmkitError as error:  # such as a turn that no special token ends
        return error.what, False
    errors = [fault for fault in faults if fault.severity == "error"]
    unlearnt = {"no template", "end not learnt", "untrained token", "unknown marker"}
    return errors[0].text if errors else "sane", not any(fault.name in unlearnt for fault in errors)


def _stop_rate(loaded: Loaded, chats: Sequence[Chat]) -> float | None:
    from slmkit.inference.generate import generate
    from slmkit.models.chat_template import render

    try:
        prompts = render(loaded.tokenizer, [chat.messages[:-1] for chat in chats])
    except SlmkitError:  # the fault of the template says it
        return None
    outputs = generate(loaded, prompts, max_new_tokens=_ENDING_TOKENS)
    return sum(output.stopped for output in outputs) / len(outputs)


def _tokens_a_word(loaded: Loaded, texts: Sequence[str]) -> float:
    ids = loaded.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
    return sum(map(len, ids)) / max(1, sum(len(text.split()) for text in texts))


def _probe(
    loaded: Loaded, chats: Sequence[Chat], targets: Sequence[str], steps: int, minutes: float, seed: int
) -> Probe:
    """The probe on all rows that fit but some that are held out, at most a third of them."""
    labelled: list[tuple[Row, str]] = [
        (row, target)
        for row, target in zip(label_chats(loaded.tokenizer, chats), targets, strict=True)
        if len(row.input_ids) <= loaded.context_length
    ]
    labelled = list({tuple(row.input_ids): (row, target) for row, target in labelled}.values())  # each row once
    random.Random(seed).shuffle(labelled)  # files are often sorted by their labels
    num_held_out = min(_HELD_OUT, len(labelled) // 3)
    if not num_held_out:
        raise SlmkitError(f"{len(labelled)} rows fit the context, too few to train on and to hold out")
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
