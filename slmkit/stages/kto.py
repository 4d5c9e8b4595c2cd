"""Kahneman-Tversky optimization: TRL's KTOTrainer on answers that were liked or not."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.models.fit import finish, fit
from slmkit.models.load import Device, Dtype
from slmkit.models.lora import Adapter, Lora
from slmkit.models.pairs import pair_files, read_pairs
from slmkit.models.preference import prepare_preferences
from slmkit.models.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.models.training import Scheduler, Training, check_training
from slmkit.run import Run
from slmkit.types import Input, Model


def kto(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    desirable_weight: float = 1.0,
    undesirable_weight: float = 1.0,
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
    """Teach a model from thumbs up and thumbs down: each answer of a pair counts by itself.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}; a pair gives two rows. The weights balance liked against disliked answers.
    Source: Ethayarajh et al. 2024, https://arxiv.org/abs/2402.01306.
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
    ready = prepare_preferences(
        run, training, data=data, model=model, max_length=max_length, seed=run.seed, usual_rate=2e-5, rows_per_pair=2
    )

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import KTOConfig, KTOTrainer

        rows = [row for pair in ready.pairs for row in pair.judged()]
        order = Shuffle(len(rows), seed=run.seed)  # once: TRL pairs each row with a neighbour
        validation = [row for pair in ready.validation for row in pair.judged()]
        return guarded(KTOTrainer)(
            model=ready.model,
            ref_model=ready.reference,
            processing_class=ready.loaded.tokenizer,
            args=KTOConfig(
                **ready.arguments,
                beta=beta,
                desirable_weight=desirable_weight,
                undesirable_weight=undesirable_weight,
                max_length=None,
            ),
            train_dataset=Dataset.from_list([rows[i] for i in order]),
            eval_dataset=Dataset.from_list(validation) if validation else None,
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(reward_margin=fitted.last("rewards_margins"))


def check(
    *,
    data: Input,
    model: Model,
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
    if data.exists():
        read_pairs(pair_files(data)[0], limit=100)
