"""What the keys of LLaMA-Factory, axolotl, TRL and Unsloth are called here, and why some have no counterpart.

A table a tool: its key -> ours ("lora.r"; "prepare.max_rows" is a key of the recipe that prepares the data), what it
does where its file is silent, and why some keys cannot be carried. A key in no table is listed as unknown.
Sources: the tools' own schemas: LLaMA-Factory hparams/*_args.py, axolotl utils/schemas/*.py, trl 1.16's configs and
ModelConfig, unsloth_cli/config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """One tool's words: keys only it uses, ours for them, its own defaults, and what has no counterpart."""

    name: str
    signs: frozenset[str]
    carried: Mapping[str, str]
    defaults: Mapping[str, Any]  # ours -> what the tool does where the file says nothing
    dropped: Mapping[str, str] = field(default_factory=dict)  # nothing is lost by leaving these out
    lost: Mapping[str, str] = field(default_factory=dict)  # these change what is trained


_FOLDER = "a run's folder is named by what was asked: runs/<recipe>/<key>/"
_SAVING = "ten checkpoints a run; the same command resumes from the newest"
_EVALUATION = "the validation rows are measured up to ten times a run"
_CURVES = "curves stand in the run's report.html"
_SPEED = "changes speed, not the result"
_LENGTHS = "rows of like length share a micro-batch here, with little padding"
_PACKING = "only sft packs rows, best fit first, and no document sees another"
_PROCESSES = "how many processes is an option of the command: --num-processes N"
_HARDWARE = "chosen by what the hardware computes in"
_ADAMW = "the optimizer here is AdamW, its moments in float32"
_TEMPLATE = "the model's own chat template is used, in training as in answering"
_UPLOAD = "nothing is uploaded"
_ASSISTANT = "the loss is on the assistant's words only"

# Reasons that hold whatever the tool; those in CHANGES are differences in what is trained, the rest is bookkeeping.
DROPPED: dict[str, str] = {
    **dict.fromkeys(("output_dir", "overwrite_output_dir", "run_name", "dataset_prepared_path"), _FOLDER),
    **dict.fromkeys(
        ("save_steps", "save_strategy", "saves_per_epoch", "save_total_limit", "save_only_model"), _SAVING
    ),
    **dict.fromkeys(("save_safetensors", "resume_from_checkpoint", "auto_resume_from_checkpoints"), _SAVING),
    **dict.fromkeys(("eval_steps", "eval_strategy", "evaluation_strategy", "evals_per_epoch", "do_eval"), _EVALUATION),
    **dict.fromkeys(("per_device_eval_batch_size", "eval_batch_size", "eval_sample_packing"), _EVALUATION),
    **dict.fromkeys(("logging_steps", "logging_first_step", "logging_strategy", "plot_loss", "log_level"), _CURVES),
    **dict.fromkeys(("report_to", "wandb_project", "wandb_entity", "wandb_name", "wandb_watch"), _CURVES),
    **dict.fromkeys(("preprocessing_num_workers", "dataloader_num_workers", "dataset_num_proc"), _SPEED),
    **dict.fromkeys(("overwrite_cache", "ddp_timeout", "tf32", "flash_attention", "flash_attn"), _SPEED),
    **dict.fromkeys(("attn_implementation", "use_liger_kernel", "enable_liger_kernel", "torch_compile"), _SPEED),
    **dict.fromkeys(("use_unsloth", "gradient_checkpointing_kwargs", "do_train", "local_rank", "strict"), _SPEED),
    **dict.fromkeys(("bf16", "fp16", "pure_bf16", "float16", "bfloat16"), _HARDWARE),
    **dict.fromkeys(("group_by_length", "train_sampling_strategy", "pad_to_sequence_len", "padding_free"), _LENGTHS),
    **dict.fromkeys(("packing", "neat_packing", "sample_packing", "packing_strategy"), _PACKING),
    **dict.fromkeys(("deepspeed", "fsdp", "fsdp_config", "fsdp_version"), _PROCESSES),
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo"), _UPLOAD),
    **dict.fromkeys(("optim", "optimizer", "optim_args", "adam_beta1", "adam_beta2", "adam_epsilon"), _ADAMW),
    **dict.fromkeys(("template", "chat_template", "chat_template_path", "special_tokens", "eos_token"), _TEMPLATE),
    **dict.fromkeys(("train_on_inputs", "train_on_prompt", "completion_only_loss", "assistant_only_loss"), _ASSISTANT),
    "train_on_completions": _ASSISTANT,
    "dataset_text_field": "the shape of the rows is found, and told, when they are prepared",
    "trust_remote_code": "code from a model's repository is not run",
    "model_revision": "a hub id is loaded at its newest revision",
    "load_in_8bit": "frozen weights are kept in 4 bits or whole, not in 8",
    "loss_watchdog_threshold": "the first loss that is not finite stops the run",
    "loss_watchdog_patience": "the first loss that is not finite stops the run",
    "neftune_noise_alpha": "no noise is added to embeddings",
    "loraplus_lr_ratio": "A and B of an adapter have one learning rate",
    "early_stopping_patience": "training goes to its end here",
}
CHANGES = {_ADAMW, _TEMPLATE, _ASSISTANT} | {
    DROPPED[key]
    for key in (
        "load_in_8bit", "neftune_noise_alpha", "loraplus_lr_ratio", "trust_remote_code", "model_revision",
        "early_stopping_patience",
    )
}  # fmt: skip
# What a tool may ask for that is done here in any case.
AS_ASKED = {
    "train_on_inputs": False,
    "train_on_prompt": False,
    "train_on_completions": True,
    "assistant_only_loss": True,
    "completion_only_loss": True,
}

# Transformers' names, which LLaMA-Factory and TRL share with slmkit.
_TRANSFORMERS = {
    **{
        key: key
        for key in (
            "learning_rate", "num_train_epochs", "max_steps", "per_device_train_batch_size", "weight_decay",
            "gradient_accumulation_steps", "lr_scheduler_type", "warmup_ratio", "max_grad_norm",
            "gradient_checkpointing",
        )
    },
    "warmup_steps": "warmup_ratio",
    "seed": "--seed",
}  # fmt: skip

LLAMA_FACTORY = Tool(
    name="LLaMA-Factory",
    signs=frozenset({"stage", "finetuning_type", "cutoff_len", "template", "lora_rank", "lora_target", "pref_loss"}),
    carried={
        **_TRANSFORMERS,
        "model_name_or_path": "model",
        "dataset": "data",
        "lora_rank": "lora.r",
        "lora_alpha": "lora.lora_alpha",
        "lora_dropout": "lora.lora_dropout",
        "lora_target": "lora.target_modules",
        "additional_target": "lora.modules_to_save",
        "cutoff_len": "max_length",
        "max_samples": "prepare.max_rows",
        "val_size": "prepare.validation_size",
        "pref_beta": "beta",
        "dpo_label_smoothing": "label_smoothing",
        "kto_chosen_weight": "desirable_weight",
        "kto_rejected_weight": "undesirable_weight",
        "infer_dtype": "dtype",
    },
    defaults={
        "learning_rate": 5e-5,
        "num_train_epochs": 3.0,
        "warmup_ratio": 0.0,
        "max_length": 2048,
        "lora.r": 8,
    },
    dropped={"dataset_dir": "data names its file"},
    lost={"pref_ftx": "a preference loss has no supervised part here"},
)
AXOLOTL = Tool(
    name="axolotl",
    signs=frozenset({"base_model", "sequence_len", "micro_batch_size", "datasets", "num_epochs", "sample_packing"}),
    carried={
        "base_model": "model",
        "datasets": "data",
        "lora_r": "lora.r",
        "lora_alpha": "lora.lora_alpha",
        "lora_dropout": "lora.lora_dropout",
        "lora_target_modules": "lora.target_modules",
        "lora_modules_to_save": "lora.modules_to_save",
        "sequence_len": "max_length",
        "micro_batch_size": "per_device_train_batch_size",
        "gradient_accumulation_steps": "gradient_accumulation_steps",
        "num_epochs": "num_train_epochs",
        "max_steps": "max_steps",
        "learning_rate": "learning_rate",
        "lr_scheduler": "lr_scheduler_type",
        "warmup_ratio": "warmup_ratio",
        "warmup_steps": "warmup_ratio",
        "weight_decay": "weight_decay",
        "max_grad_norm": "max_grad_norm",
        "gradient_checkpointing": "gradient_checkpointing",
        "sample_packing": "packing",
        "val_set_size": "prepare.validation_size",
        "rl_beta": "beta",
        "dpo_beta": "beta",
        "orpo_alpha": "beta",
        "dpo_label_smoothing": "label_smoothing",
        "kto_desirable_weight": "desirable_weight",
        "kto_undesirable_weight": "undesirable_weight",
        "seed": "--seed",
    },
    defaults={
        "per_device_train_batch_size": 1,
        "num_train_epochs": 1.0,
        "lr_scheduler_type": "cosine",
        "max_length": 512,
    },
    dropped={
        "model_type": "the class follows from the model's config.json",
        "tokenizer_type": "the class follows from the model's files",
        "remove_unused_columns": "the columns of the data are matched when it is prepared",
    },
    lost={"lora_model_dir": "to train an adapter further, name its run as `model`"},
)
TRL = Tool(
    name="TRL",
    signs=frozenset(
        {"use_peft", "dataset_name", "dataset_mixer", "lora_task_type", "max_seq_length", "dataset_splits"}
    ),
    carried={
        **_TRANSFORMERS,
        "model_name_or_path": "model",
        "dataset_name": "data",
        "lora_r": "lora.r",
        "lora_alpha": "lora.lora_alpha",
        "lora_dropout": "lora.lora_dropout",
        "lora_target_modules": "lora.target_modules",
        "lora_modules_to_save": "lora.modules_to_save",
        "max_length": "max_length",
        "max_seq_length": "max_length",
        "activation_checkpointing": "gradient_checkpointing",
        "dtype": "dtype",
        "torch_dtype": "dtype",
        "beta": "beta",
        "loss_type": "loss_type",
        "label_smoothing": "label_smoothing",
        "desirable_weight": "desirable_weight",
        "undesirable_weight": "undesirable_weight",
        "num_generations": "num_generations",
        "max_completion_length": "max_new_tokens",
        "temperature": "temperature",
        "reward_weights": "reward_weights",
    },
    defaults={"num_train_epochs": 3.0, "warmup_ratio": 0.0, "max_length": 1024},
    dropped={
        "dataset_config": "data names its file",
        "dataset_train_split": "data names its file",
        "dataset_splits": "data names its file",
        "bnb_4bit_quant_type": "4-bit weights are NF4 with nested quantization",
        "use_bnb_nested_quant": "4-bit weights are NF4 with nested quantization",
        "lora_task_type": "the stage says it",
    },
    lost={
        "dataset_test_split": "a tenth of the rows validates, or the validation.jsonl beside train.jsonl",
        "dataset_mixer": "one file or folder of rows: join the sets, or name the second as `replay`",
        "max_prompt_length": "a row over max_length is refused, never cut, so there is one length",
        "reward_funcs": "name metrics as `rewards`, or your own file: ./mine.py:my_metric",
    },
)
_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
UNSLOTH = Tool(
    name="Unsloth",
    signs=frozenset({"training.max_seq_length", "training.training_type", "lora.use_loftq", "data.format_type"}),
    carried={
        "model": "model",
        "data.dataset": "data",
        "data.local_dataset": "data",
        "training.max_seq_length": "max_length",
        "training.num_epochs": "num_train_epochs",
        "training.learning_rate": "learning_rate",
        "training.batch_size": "per_device_train_batch_size",
        "training.gradient_accumulation_steps": "gradient_accumulation_steps",
        "training.warmup_steps": "warmup_ratio",
        "training.warmup_ratio": "warmup_ratio",
        "training.max_steps": "max_steps",
        "training.weight_decay": "weight_decay",
        "training.lr_scheduler_type": "lr_scheduler_type",
        "training.random_seed": "--seed",
        "training.gradient_checkpointing": "gradient_checkpointing",
        "training.packing": "packing",
        "lora.lora_r": "lora.r",
        "lora.lora_alpha": "lora.lora_alpha",
        "lora.lora_dropout": "lora.lora_dropout",
        "lora.target_modules": "lora.target_modules",
    },
    defaults={
        "max_length": 2048,
        "num_train_epochs": 3.0,
        "learning_rate": 2e-4,
        "per_device_train_batch_size": 2,
        "gradient_accumulation_steps": 4,
        "weight_decay": 0.01,
        "lora.r": 64,
        "lora.lora_alpha": 16,
        "lora.target_modules": _TARGETS,
    },
    dropped={
        "data.format_type": "the shape of the rows is found, and told, when they are prepared",
        "lora.use_loftq": "an adapter starts from random A and zero B",
        **{f"lora.finetune_{part}": "text models only: target_modules says what is trained" for part in (
            "vision_layers", "language_layers", "attention_modules", "mlp_modules"
        )},
        "lora.vision_all_linear": "text models only: target_modules says what is trained",
        **dict.fromkeys(("logging.enable_wandb", "logging.wandb_project", "logging.wandb_token"), _CURVES),
        **dict.fromkeys(("logging.enable_tensorboard", "logging.tensorboard_dir"), _CURVES),
        "logging.hf_token": "the hub's token is read from the environment",
    },
)  # fmt: skip
TOOLS = (LLAMA_FACTORY, AXOLOTL, TRL, UNSLOTH)
