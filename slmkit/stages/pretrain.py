"""Pretraining: all weights are trained on the micro-world, in phases that end when a measured ability is reached."""

from __future__ import annotations

import shutil
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from slmkit.errors import SlmkitError
from slmkit.files import write_json
from slmkit.micro_world.ability import ABILITIES, ability
from slmkit.micro_world.corpus import MIXES, Encoder, rows
from slmkit.micro_world.initial_model import Shape, initial_model
from slmkit.runs.run_folder import Run
from slmkit.training.checkpoints import rewind_log
from slmkit.training.pretraining import Pretraining
from slmkit.types import (
    FractionBelowOne,
    LearningRate,
    Model,
    ModelRef,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
)

if TYPE_CHECKING:
    from torch import Tensor

LOG_EVERY, MEASURE_EVERY, SAVE_EVERY = 50, 100, 500  # steps


@dataclass(frozen=True, kw_only=True)
class Phase:
    """One phase: trains on `mix` until the ability `gate` reaches `above`, or for at most max_tokens."""

    mix: str
    max_tokens: int
    max_length: int = 256
    tokens_per_step: int = 2048
    min_tokens: int = 0
    gate: str | None = None
    above: float = 1.0

    @property
    def rows_per_step(self) -> int:
        return max(1, self.tokens_per_step // self.max_length)


def pretrain(
    run: Run,
    *,
    phases: list[Phase],
    model: Model | None = None,
    shape: Shape | None = None,
    learning_rate: LearningRate = 1e-2,
    embedding_learning_rate: PositiveFloat = 8e-3,
    warmup_steps: NonNegativeInt = 60,
    hold: FractionBelowOne = 0.5,
    weight_decay: NonNegativeFloat = 0.1,
    dtype: Literal["float32", "bfloat16"] = "float32",
    compile: bool = False,
) -> None:
    """Train a model from random weights (`shape`) or from `model`, phase by phase, on the micro-world.

    Muon updates the matrices, AdamW the embeddings and norms. The learning rate warms up, then stays constant; in the
    last phase, once the fraction `hold` of it is done, it decays to 3% of its peak. dtype: what products are computed
    in; the weights stay float32, and bfloat16 is twice as fast if the hardware supports it. compile: a quarter faster
    on a CPU; needs a C++ compiler.

    Writes model/ in half precision, and its origin in lineage.json.
    """
    import torch

    started = time.time()
    torch.manual_seed(run.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network, tokenizer = initial_model(model, shape)
    network.to(device).train()
    training = Pretraining(
        network,
        learning_rate=learning_rate,
        embedding_learning_rate=embedding_learning_rate,
        weight_decay=weight_decay,
        dtype=dtype,
        compile=compile,
    )
    rewind_log(run.path("log.jsonl"), run.checkpoint)
    if run.checkpoint:
        training.restore(run.checkpoint)
        run.note(f"resumed at step {training.progress.step:,}")
    started -= training.progress.seconds
    _train(run, training, phases, Encoder(tokenizer), warmup_steps=warmup_steps, hold=hold, started=started)

    progress, seconds = training.progress, time.time() - started
    _write_model(run, network, tokenizer)
    write_json(
        run.path("model/lineage.json"),
        {
            "made_by": run.name, "seed": run.seed, "from": model.name if model else "random weights",
            "shape": asdict(shape) if shape else None, "phases": progress.history, "tokens": progress.tokens,
            "steps": progress.step, "seconds": round(seconds), "device": device, "torch": torch.__version__,
            "learning_rate": learning_rate, "embedding_learning_rate": embedding_learning_rate, "dtype": dtype,
        },
    )  # fmt: skip
    last = progress.history[-1]
    run.metric(tokens=float(progress.tokens), seconds=seconds, **{k: last[k] for k in ABILITIES if k in last})


def check(
    *,
    phases: list[Phase],
    model: ModelRef | None = None,
    shape: Shape | None = None,
    compile: bool = False,
    **_: object,
) -> None:
    """Refuses unknown mixes and gates, a start that is neither or both of model and shape, and a missing compiler."""
    if compile and not any(map(shutil.which, ("c++", "g++", "clang++"))):
        raise SlmkitError(
            "compile is true, but there is no C++ compiler",
            where="with.compile",
            fix="use compile=false, which is a quarter slower",
        )
    if (model is None) == (shape is None):
        raise SlmkitError(
            "pretrain needs either a model or a shape to start from",
            where="with.model, with.shape",
            fix="set one of them",
        )
    for number, phase in enumerate(phases):
        if phase.mix not in MIXES:
            raise SlmkitError(
                f"unknown mix {phase.mix!r}", where=f"with.phases[{number}].mix", fix=f"use one of {', '.join(MIXES)}"
            )
        if phase.gate not in (None, *ABILITIES):
            raise SlmkitError(
                f"unknown gate {phase.gate!r}",
                where=f"with.phases[{number}].gate",
                fix=f"use one of {', '.join(ABILITIES)}",
            )


def _train(
    run: Run,
    training: Pretraining,
    phases: list[Phase],
    encoder: Encoder,
    *,
    warmup_steps: int,
    hold: float,
    started: float,
) -> None:
    """Trains phase by phase, logging, measuring and saving as it goes."""
    import torch

    progress = training.progress
    losses: list[Tensor] = []
    with run.progress("pretrain", sum(phase.max_tokens for phase in phases) - progress.tokens, unit="tokens") as bar:
        while progress.phase < len(phases):
            phase = phases[progress.phase]
            rate = min(1.0, (progress.step + 1) / max(1, warmup_steps))
            if progress.phase == len(phases) - 1:
                left = 1 - progress.phase_tokens / phase.max_tokens
                rate *= max(0.03, min(1.0, left / (1 - hold)))
            batch = rows(
                encoder,
                phase.mix,
                seed=run.seed,
                step=progress.step,
                count=phase.rows_per_step,
                max_length=phase.max_length,
            )
            losses.append(training.step(batch, rate=rate))
            num_tokens = phase.rows_per_step * phase.max_length
            progress.step += 1
            progress.tokens += num_tokens
            progress.phase_tokens += num_tokens
            bar.advance(num_tokens, tokens=num_tokens)
            if progress.step % LOG_EVERY == 0:
                progress.loss = round(float(torch.stack(losses).mean()), 4)
                losses.clear()
                logged_rate = training.learning_rate * rate
                run.log(progress.step, loss=progress.loss, learning_rate=logged_rate, tokens=progress.tokens)
            _end_phase(run, training, phase, encoder)
            if progress.step % SAVE_EVERY == 0:
                progress.seconds = time.time() - started
                training.save(run.dir / "checkpoints")


def _end_phase(run: Run, training: Pretraining, phase: Phase, encoder: Encoder) -> None:
    """Measures the abilities when it is time to, and ends the phase if its gate is passed or its tokens are used."""
    progress = training.progress
    is_last_step = progress.phase_tokens >= phase.max_tokens
    if not is_last_step and not (phase.gate and progress.step % MEASURE_EVERY == 0):
        return
    abilities = {
        kind: ability(training.network, encoder, kind, chat=phase.mix == "chat")
        for kind in ABILITIES
        if kind in MIXES[phase.mix]
    }
    run.log(progress.step, tokens=progress.tokens, **abilities)
    passed = phase.gate and progress.phase_tokens >= phase.min_tokens and abilities[phase.gate] >= phase.above
    if is_last_step or passed:
        shares = ", ".join(f"{kind} {value:.2f}" for kind, value in abilities.items())
        run.note(f"phase {phase.mix}: {progress.phase_tokens:,} tokens, {shares}")
        progress.history.append(
            {"mix": phase.mix, "tokens": progress.phase_tokens, "loss": progress.loss, **abilities}
        )
        progress.phase += 1
        progress.phase_tokens = 0


def _write_model(run: Run, network: Any, tokenizer: Any) -> None:
    """Saves model/ in half precision, with its tokenizer and chat template, readable by everyone."""
    folder = run.path("model")
    network.to("cpu").half().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
