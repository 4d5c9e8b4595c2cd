"""Maps config keys of LLaMA-Factory, axolotl, TRL and Unsloth to slmkit keys, or to the reason for having none.

One table per tool: the slmkit key of each of its keys ("lora.r"; "prepare.max_rows" is a key of the recipe that
prepares the data), the tool's own defaults, and the reasons. A key in no table is reported as unknown.
Sources: the tools' schemas: LLaMA-Factory hparams/*_args.py, axolotl utils/schemas/*.py, trl 1.16's configs and
ModelConfig, unsloth_cli/config.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Tool:
    """The keys of one tool: those only it has, their slmkit names, its defaults, and those without an equivalent."""

    name: str
    distinctive: frozenset[str]  # keys by which its files are recognized
    carried: Mapping[str, str]  # its key -> slmkit key
    defaults: Mapping[str, Any]  # slmkit key -> the tool's default
    dropped: Mapping[str, str] = field(default_factory=dict)  # key -> reason; no effect on the trained model
    lost: Mapping[str, str] = field(default_factory=dict)  # key -> reason; changes the trained model


_FOLDER = "slmkit names the run folder: runs/<recipe>/<key>/"
_SAVING = "slmkit saves ten checkpoints per run and resumes from the newest"
_EVALUATION = "slmkit evaluates on the validation rows up to ten times per run"
_CURVES = "loss curves are in the run's report.html"
_SPEED = "affects speed, not the result"
_LENGTHS = "slmkit always batches rows of similar length, so padding is small"
_PACKING = "only sft packs rows (best fit first, no attention across rows)"
_PROCESSES = "use the command-line options --num-processes N and --fsdp"
_HARDWARE = "slmkit picks the precision the hardware supports"
_ADAMW = "slmkit trains with AdamW, with float32 moments"
_TEMPLATE = "slmkit always uses the model's own chat template"
_UPLOAD = "slmkit does not upload models"
_ASSISTANT = "slmkit computes the loss on assistant tokens only"

# Reasons for the same key in any tool. Those in CHANGES affect the trained model; the rest is bookkeeping.
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
    "dataset_text_field": "slmkit detects the format of the rows and reports it in `prepare`",
    "trust_remote_code": "slmkit does not run code from a model repository",
    "model_revision": "slmkit loads the newest revision of a hub model",
    "load_in_8bit": "slmkit loads frozen weights in 4 bits or unquantized, not in 8 bits",
    "loss_watchdog_threshold": "slmkit stops at the first loss that is not finite",
    "loss_watchdog_patience": "slmkit stops at the first loss that is not finite",
    "neftune_noise_alpha": "slmkit does not add noise to embeddings (NEFTune)",
    "loraplus_lr_ratio": "slmkit trains A and B of an adapter at one learning rate (no LoRA+)",
    "early_stopping_patience": "set early_stopping_patience in the recipe of a stage that has it",
}
CHANGES = {_ADAMW, _TEMPLATE, _ASSISTANT} | {
    DROPPED[key]
    for key in (
        "load_in_8bit", "neftune_noise_alpha", "loraplus_lr_ratio", "trust_remote_code", "model_revision",
        "early_stopping_patience",
    )
}  # fmt: skip
# Settings that ask for what slmkit always does.
AS_ASKED = {
    "train_on_inputs": False,
    "train_on_prompt": False,
    "train_on_completions": True,
    "assistant_only_loss": True,
    "completion_only_loss": True,
}

# Names from transformers, which LLaMA-Factory, TRL and slmkit share.
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
    distinctive=frozenset(
        {"stage", "finetuning_type", "cutoff_len", "template", "lora_rank", "lora_target", "pref_loss"}
    ),
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
    dropped={"dataset_dir": "set `data` to the file instead"},
    lost={"pref_ftx": "slmkit adds no supervised loss to a preference loss"},
)
AXOLOTL = Tool(
    name="axolotl",
    distinctive=frozenset(
        {"base_model", "sequence_len", "micro_batch_size", "datasets", "num_epochs", "sample_packing"}
    ),
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
        "model_type": "slmkit reads the model class from config.json",
        "tokenizer_type": "slmkit reads the tokenizer class from the model's files",
        "remove_unused_columns": "slmkit selects columns in `prepare`",
    },
    lost={"lora_model_dir": "to continue training an adapter, set `model` to its run"},
)
TRL = Tool(
    name="TRL",
    distinctive=frozenset(
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
        "dataset_config": "set `data` to the file instead",
        "dataset_train_split": "set `data` to the file instead",
        "dataset_splits": "set `data` to the file instead",
        "bnb_4bit_quant_type": "slmkit always uses NF4 with nested quantization",
        "use_bnb_nested_quant": "slmkit always uses NF4 with nested quantization",
        "lora_task_type": "follows from the stage",
    },
    lost={
        "dataset_test_split": "slmkit validates on a tenth of the rows, or on validation.jsonl beside train.jsonl",
        "dataset_mixer": "slmkit reads one file or folder: join the data sets, or set `replay` to the second",
        "max_prompt_length": "slmkit has one limit, max_length, and never truncates a row to fit",
        "reward_funcs": "set `rewards` to metrics of slmkit or of your own file: ./mine.py:my_metric",
    },
)
_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
UNSLOTH = Tool(
    name="Unsloth",
    distinctive=frozenset({"training.max_seq_length", "training.training_type", "lora.use_loftq", "data.format_type"}),
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
        "data.format_type": "slmkit detects the format of the rows and reports it in `prepare`",
        "lora.use_loftq": "slmkit initializes adapters with random A and zero B (no LoftQ)",
        **{f"lora.finetune_{part}": "slmkit trains text models only; use target_modules to select layers" for part in (
            "vision_layers", "language_layers", "attention_modules", "mlp_modules"
        )},
        "lora.vision_all_linear": "slmkit trains text models only; use target_modules to select layers",
        **dict.fromkeys(("logging.enable_wandb", "logging.wandb_project", "logging.wandb_token"), _CURVES),
        **dict.fromkeys(("logging.enable_tensorboard", "logging.tensorboard_dir"), _CURVES),
        "logging.hf_token": "slmkit reads the hub token from the environment",
    },
)  # fmt: skip
TOOLS = (LLAMA_FACTORY, AXOLOTL, TRL, UNSLOTH)
