"""Distillation: TRL's DistillationTrainer, a student that answers by itself and is corrected by a teacher's odds."""

from __future__ import annotations

from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.load import check_model, load_model
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.loop import finish, fit
from slmkit.training.prepare_prompts import prepare_prompts, prompt_file, read_prompts
from slmkit.training.trainer import OnLog, OnStep, guarded
from slmkit.types import Input, Keys, Model, PositiveFloat, PositiveInt


def distill(
    run: Run,
    *,
    data: Input,
    model: Model,
    teacher: Model,
    beta: float = 1.0,
    max_new_tokens: PositiveInt = 64,
    temperature: PositiveFloat = 1.0,
    training: Keys[Training] = Training(),
) -> None:
    """Move a student's next-token odds towards a teacher's, on answers that the student gives itself.

    `data` is a prepare run or a .jsonl of messages, of which the prompts are used. The teacher has the student's
    vocabulary. beta 0 is the forward KL divergence, 1 the reverse one, between them a mixture.
    Source: Agarwal et al. 2023, https://arxiv.org/abs/2306.13649.
    """
    ready = prepare_prompts(
        run,
        training,
        data=data,
        model=model,
        max_new_tokens=max_new_tokens,
        seed=run.seed,
        usual_rate=2e-5,
    )
    guide = load_model(teacher, device=training.device, dtype=training.dtype, load_in_4bit=training.load_in_4bit)
    sizes = [part.model.config.get_text_config().vocab_size for part in (ready.loaded, guide)]
    if ready.loaded.tokenizer.get_vocab() != guide.tokenizer.get_vocab() or sizes[0] != sizes[1]:
        raise SlmkitError(
            f"{model.name!r} and {teacher.name!r} have different vocabularies, so their odds cannot be compared",
            where="model, teacher",
            fix="take a teacher of the same family, or fine-tune on its answers with sft",
        )

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import DistillationConfig, DistillationTrainer

        return guarded(DistillationTrainer)(
            model=ready.model,
            teacher_model=guide.model,
            processing_class=ready.loaded.tokenizer,
            args=DistillationConfig(
                **ready.arguments, beta=beta, max_completion_length=max_new_tokens, temperature=temperature
            ),
            train_dataset=Dataset.from_list([prompt.row() for prompt in ready.prompts]),
            longest_prompt=ready.longest.row(),
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps, selection=training.selection)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(divergence_before=fitted.first("loss"), divergence=fitted.last("loss"))


def check(
    *,
    data: Input,
    model: Model,
    teacher: Model,
    training: Training,
    **_: Any,
) -> None:
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    check_model(teacher, needs_chat_template=False)
    if teacher.path == model.path:
        raise SlmkitError("the teacher is the student", where="teacher", fix="name a better model")
    if data.exists():
        read_prompts(prompt_file(data), limit=100)
