"""Distillation: TRL's DistillationTrainer, a student that answers by itself and is corrected by a teacher's odds."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.errors import SlmkitError
from slmkit.models.fit import finish, fit
from slmkit.models.load import Device, Dtype, check_model, load_model
from slmkit.models.lora import Adapter, Lora
from slmkit.models.prompts import prepare_prompts, prompt_file, read_prompts
from slmkit.models.trainer import OnLog, OnStep, guarded
from slmkit.models.training import Scheduler, Training, check_training
from slmkit.run import Run
from slmkit.types import Input, Model


def distill(
    run: Run,
    *,
    data: Input,
    model: Model,
    teacher: Model,
    beta: float = 1.0,
    max_new_tokens: int = 64,
    temperature: float = 1.0,
    adapter: Adapter = "lora",
    lora: Lora = Lora(),  # noqa: B008 - frozen
    learning_rate: float | Literal["auto"] = "auto",
    num_train_epochs: float = 1.0,
    max_steps: int = -1,
    per_device_train_batch_size: int = 8,
    gradient_accumulation_steps: int = 1,
    max_length: int | Literal["auto"] = "auto",
    lr_scheduler_type: Scheduler = "linear",
    warmup_ratio: float = 0.03,
    weight_decay: float = 0.0,
    max_grad_norm: float = 1.0,
    gradient_checkpointing: bool | Literal["auto"] = "auto",
    load_in_4bit: bool = False,
    device: Device = "auto",
    dtype: Dtype = "auto",
) -> None:
    """Move a student's next-token odds towards a teacher's, on answers that the student gives itself.

    `data` is a prepare run or a .jsonl of messages, of which the prompts are used. The teacher has the student's
    vocabulary. beta 0 is the forward KL divergence, 1 the reverse one, between them a mixture.
    Source: Agarwal et al. 2023, https://arxiv.org/abs/2306.13649.
    """
    training = Training(
        adapter=adapter,
        lora=lora,
        learning_rate=learning_rate,
        num_train_epochs=num_train_epochs,
        max_steps=max_steps,
        per_device_train_batch_size=per_device_train_batch_size,
        gradient_accumulation_steps=gradient_accumulation_steps,
        lr_scheduler_type=lr_scheduler_type,
        warmup_ratio=warmup_ratio,
        weight_decay=weight_decay,
        max_grad_norm=max_grad_norm,
        gradient_checkpointing=gradient_checkpointing,
        load_in_4bit=load_in_4bit,
        device=device,
        dtype=dtype,
    )
    ready = prepare_prompts(
        run,
        training,
        data=data,
        model=model,
        max_length=max_length,
        max_new_tokens=max_new_tokens,
        seed=run.seed,
        usual_rate=2e-5,
    )
    guide = load_model(teacher, device=device, dtype=dtype, load_in_4bit=load_in_4bit)
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
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(divergence_before=fitted.first("loss"), divergence=fitted.last("loss"))


def check(
    *,
    data: Input,
    model: Model,
    teacher: Model,
    adapter: Adapter = "lora",
    lora: Lora = Lora(),  # noqa: B008 - frozen
    learning_rate: float | Literal["auto"] = "auto",
    num_train_epochs: float = 1.0,
    max_steps: int = -1,
    load_in_4bit: bool = False,
    **_: Any,
) -> None:
    """Refuses what cannot train, before anything is loaded."""
    check_training(
        model,
        adapter=adapter,
        lora=lora,
        learning_rate=learning_rate,
        num_train_epochs=num_train_epochs,
        max_steps=max_steps,
        load_in_4bit=load_in_4bit,
    )
    check_model(teacher, needs_chat_template=False)
    if teacher.path == model.path:
        raise SlmkitError("the teacher is the student", where="teacher", fix="name a better model")
    if data.exists():
        read_prompts(prompt_file(data), limit=100)
