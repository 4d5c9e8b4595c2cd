"""Direct preference optimization: TRL's DPOTrainer on pairs of a better and a worse answer."""

from __future__ import annotations

from typing import Any, Literal

from slmkit.rows.preference_rows import pair_files, read_pairs
from slmkit.runs.run import Run
from slmkit.training.config import Training
from slmkit.training.loop import finish, fit
from slmkit.training.prepare_preference import prepare_preferences
from slmkit.training.trainer import OnLog, OnStep, Shuffle, guarded
from slmkit.types import Fraction, Input, Keys, Model

DISTRIBUTED = ("ddp",)  # ways in which several processes can run this stage


def dpo(
    run: Run,
    *,
    data: Input,
    model: Model,
    beta: float = 0.1,
    loss_type: Literal["sigmoid", "ipo", "hinge", "robust", "exo_pair", "bco_pair", "apo_zero"] = "sigmoid",
    label_smoothing: Fraction = 0.0,
    training: Keys[Training] = Training(),
) -> None:
    """Teach a model to prefer the better of two answers, held near where it started.

    `data` is a folder with train.jsonl (and validation.jsonl) or a .jsonl file, each line {"prompt", "chosen",
    "rejected"}. beta: how strongly the start holds; label_smoothing: the share of pairs thought to be the wrong way
    round (sigmoid, robust and exo_pair use it).
    Source: Rafailov et al. 2023, https://arxiv.org/abs/2305.18290.
    """
    ready = prepare_preferences(run, training, data=data, model=model, seed=run.seed, usual_rate=2e-5)

    def trainer(on_step: OnStep, on_log: OnLog) -> Any:
        from datasets import Dataset
        from trl import DPOConfig, DPOTrainer

        return guarded(DPOTrainer)(
            model=ready.model,
            ref_model=ready.reference,
            processing_class=ready.loaded.tokenizer,
            args=DPOConfig(
                **ready.arguments, beta=beta, loss_type=[loss_type], label_smoothing=label_smoothing, max_length=None
            ),
            train_dataset=Dataset.from_list([pair.row() for pair in ready.pairs]),
            eval_dataset=Dataset.from_list([pair.row() for pair in ready.validation]) if ready.validation else None,
            shuffle=Shuffle(len(ready.pairs), seed=run.seed),
            on_step=on_step,
            on_log=on_log,
        )

    fitted = fit(run, trainer, steps=ready.steps, selection=training.selection)
    finish(run, fitted, model, say=ready.say, before=ready.before)
    run.metric(reward_margin=fitted.last("rewards_margins"), reward_accuracy=fitted.last("rewards_accuracies"))
    if ready.validation:
        run.metric(validation_reward_accuracy=fitted.validated("validation_rewards_accuracies"))


def check(*, data: Input, model: Model, training: Training, **_: Any) -> None:
    """Refuses what cannot train, before anything is loaded."""
    training.check(model, data)
    if data.exists():
        read_pairs(pair_files(data)[0], limit=100)
