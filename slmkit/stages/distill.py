"""Distillation: TRL's DistillationTrainer, where a teacher's token probabilities correct the student's own answers."""

from __future__ import annotations

from typing import Any

from slmkit.errors import SlmkitError
from slmkit.models.check_model import check_model
from slmkit.models.load import load_model
from slmkit.rows.read_rows import train_file
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.training.prepare_prompts import prepare_prompts, read_prompts
from slmkit.training.save_and_check import save_and_check
from slmkit.training.train_model import train_model
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
    """Move a student's next-token probabilities towards a teacher's, on answers that the student generates.

    `data` is a prepare run or a .jsonl file of messages, of which only the prompts are used. The teacher must have the
    student's vocabulary. beta 0 is the forward KL divergence, 1 the reverse one, values between them a mixture.
    Source: Agarwal et al. 2023, https://arxiv.org/abs/2306.13649.
    """
    prompts = prepare_prompts(run, training, data=data, model=model, max_new_tokens=max_new_tokens, rate_at_2048=2e-5)
    prepared = prompts.prepared
    teacher_model = load_model(
        teacher, device=training.device, dtype=training.dtype, load_in_4bit=training.load_in_4bit
    )
    sizes = [loaded.model.config.get_text_config().vocab_size for loaded in (prompts.loaded, teacher_model)]
    if prompts.loaded.tokenizer.get_vocab() != teacher_model.tokenizer.get_vocab() or sizes[0] != sizes[1]:
        raise SlmkitError(
            f"{model.name!r} and {teacher.name!r} have different vocabularies, so their probabilities do not match up",
            where="model, teacher",
            fix="use a teacher of the same family, or fine-tune on its answers with sft",
        )

    def make_trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from trl import DistillationConfig, DistillationTrainer

        return guarded(DistillationTrainer)(
            model=prepared.model,
            teacher_model=teacher_model.model,
            processing_class=prompts.loaded.tokenizer,
            args=DistillationConfig(
                **prepared.arguments, beta=beta, max_completion_length=max_new_tokens, temperature=temperature
            ),
            train_dataset=prompts.train_dataset,
            longest_prompt=prompts.longest_row,
            on_step=on_step,
            on_log=on_log,
        )

    trained = train_model(run, make_trainer, steps=prepared.steps, best_checkpoint=training.best_checkpoint)
    save_and_check(run, trained, model, predict=prepared.predict, before=prepared.before)
    run.metric(divergence_before=trained.first("loss"), divergence=trained.last("loss"))


def check(
    *,
    data: Input,
    model: Model,
    teacher: Model,
    training: Training,
    **_: Any,
) -> None:
    """Refuses what cannot be trained, before anything is loaded."""
    training.check(model, data)
    check_model(teacher, needs_chat_template=False)
    if teacher.path == model.path:
        raise SlmkitError(
            f"teacher and student are the same model, {teacher.name!r}",
            where="teacher",
            fix="use a better model as the teacher",
        )
    if data.exists():
        read_prompts(train_file(data), limit=100)
