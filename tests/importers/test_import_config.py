"""Another tool's YAML becomes a recipe that binds; every one of its keys is carried or listed with its reason."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project_files import Finished, write

from slmkit.importers.import_config import _yaml
from slmkit.recipe.call import plain
from slmkit.recipe.yaml_lines import read_yaml
from slmkit.runs.plan import bind_one, make_plan

Slmkit = Callable[..., Finished]

LLAMA_FACTORY = """
model_name_or_path: Qwen/Qwen3-0.6B
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: lora
quantization_bit: 4
lora_rank: 16
lora_target: q_proj, v_proj
dataset: tickets
dataset_dir: sets
template: qwen3_nothink
cutoff_len: 1024
max_samples: 500
val_size: 0.2
preprocessing_num_workers: 8
output_dir: out/qwen
logging_steps: 5
save_steps: 200
plot_loss: true
report_to: none
per_device_train_batch_size: 2
gradient_accumulation_steps: 4
learning_rate: 1.0e-4
num_train_epochs: 2
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
loraplus_lr_ratio: 16.0
"""
LLAMA_FACTORY_DPO = """
model_name_or_path: Qwen/Qwen3-0.6B
stage: dpo
finetuning_type: lora
pref_beta: 0.2
pref_loss: ipo
pref_ftx: 0.1
dataset: pairs.jsonl
cutoff_len: 2048
learning_rate: 5.0e-6
val_size: 0.1
"""
AXOLOTL = """
base_model: HuggingFaceTB/SmolLM2-135M
model_type: LlamaForCausalLM
load_in_4bit: true
datasets:
  - path: chats.jsonl
    type: chat_template
val_set_size: 0.05
output_dir: ./outputs
adapter: qlora
lora_model_dir:
sequence_len: 2048
sample_packing: true
lora_r: 32
lora_alpha: 64
lora_dropout: 0.05
lora_target_linear: true
wandb_project:
gradient_accumulation_steps: 4
micro_batch_size: 2
num_epochs: 1
optimizer: adamw_bnb_8bit
lr_scheduler: rex
learning_rate: 0.0002
train_on_inputs: false
bf16: auto
gradient_checkpointing: true
warmup_steps: 10
evals_per_epoch: 4
special_tokens:
  pad_token: "<|end|>"
plugins: [axolotl.integrations.liger.LigerPlugin]
seed: 7
"""
TRL_DPO = """
model_name_or_path: HuggingFaceTB/SmolLM2-135M-Instruct
torch_dtype: bfloat16
dataset_name: trl-lib/ultrafeedback_binarized
use_peft: true
load_in_4bit: false
lora_r: 8
lora_target_modules: [q_proj, k_proj]
beta: 0.05
loss_type: [sigmoid]
max_steps: 200
warmup_steps: 20
max_prompt_length: 512
optim: adamw_torch
seed: 42
"""
UNSLOTH = """
model: unsloth/Qwen2.5-0.5B
data:
  dataset: tatsu-lab/alpaca
  format_type: auto
training:
  training_type: lora
  max_seq_length: 1024
  load_in_4bit: false
  num_epochs: 1
  learning_rate: 0.0002
  batch_size: 4
  warmup_steps: 5
  max_steps: 0
  random_seed: 3407
  train_on_completions: false
  gradient_checkpointing: "unsloth"
lora:
  lora_r: 32
  lora_alpha: 32
  target_modules: "q_proj,v_proj"
  use_rslora: true
  finetune_mlp_modules: false
logging:
  enable_wandb: false
"""
FILES = {"lf": LLAMA_FACTORY, "lf_dpo": LLAMA_FACTORY_DPO, "axolotl": AXOLOTL, "trl_dpo": TRL_DPO, "unsloth": UNSLOTH}


@pytest.fixture(autouse=True)
def _files(project: Path) -> None:
    for name, text in FILES.items():
        write(project / f"{name}.yml", text)
    write(project / "sets/dataset_info.json", '{"tickets": {"file_name": "tickets.json"}}')
    write(project / "sets/tickets.json", '[{"instruction": "a", "output": "b"}]')
    write(project / "chats.jsonl", '{"messages": []}\n')
    write(project / "pairs.jsonl", '{"prompt": "a", "chosen": "b", "rejected": "c"}\n')


def bound(name: str) -> dict[str, Any]:
    """The arguments of an imported recipe, as its stage will get them; what it reads must be there too."""
    found: dict[str, Any] = plain(make_plan(name, profile="tiny").target.call.arguments)
    return found


def keys_of(text: str) -> set[str]:
    """Every key of a file, those of a section as section.key."""
    keys, section = set(), ""
    for line in text.strip().splitlines():
        if line.startswith("  ") and section in ("data", "training", "lora", "logging"):
            keys.add(f"{section}.{line.strip().partition(':')[0]}")
        elif not line.startswith(" "):
            section = line.partition(":")[0]
            if line.partition(":")[2] or section not in ("data", "training", "lora", "logging"):
                keys.add(section)
    return keys


@pytest.mark.parametrize("name", FILES)
def test_every_key_is_carried_or_listed(slmkit: Slmkit, name: str) -> None:
    told = slmkit("import", f"{name}.yml", "--json").json
    origins = {word for row in told["carried"].values() for word in row["from"].split(", ")}
    listed = {row["key"] for row in told["lost"] + told["dropped"]}
    asked = keys_of(FILES[name]) - {"seed", "training.random_seed"}
    assert asked <= origins | listed | set(told["stage_from"])
    assert told["seed"] == {"axolotl": 7, "trl_dpo": 42, "unsloth": 3407}.get(name)
    assert all(row["reason"] for row in told["lost"] + told["dropped"])


def test_llama_factory_sft_with_its_registered_set(slmkit: Slmkit) -> None:
    told = slmkit("import", "lf.yml", "--json").json
    arguments = bound("lf")
    assert (arguments["data"], arguments["adapter"], arguments["max_length"]) == ("lf-data", "qlora", 1024)
    assert arguments["lora"]["target_modules"] == ["q_proj", "v_proj"]
    assert arguments["lora"]["lora_alpha"] == 32  # twice the rank: LLaMA-Factory's default, not slmkit's
    assert arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"] == 8
    prepare = plain(bind_one("lf-data", profile="tiny")[0].arguments)
    assert (prepare["data"], prepare["max_rows"], prepare["validation_size"]) == ("sets/tickets.json", 500, 0.2)
    assert {row["key"] for row in told["lost"]} == {"trust_remote_code", "template", "loraplus_lr_ratio"}


def test_llama_factory_dpo(slmkit: Slmkit) -> None:
    told = slmkit("import", "lf_dpo.yml", "--json").json
    arguments = bound("lf_dpo")
    assert (told["stage"], arguments["beta"], arguments["loss_type"]) == ("dpo", 0.2, "ipo")
    assert (arguments["data"], arguments["num_train_epochs"], arguments["lora"]["r"]) == ("pairs.jsonl", 3.0, 8)
    assert {row["key"] for row in told["lost"]} == {"pref_ftx", "val_size"}


def test_axolotl_qlora(slmkit: Slmkit) -> None:
    told = slmkit("import", "axolotl.yml", "--out", "mine/ax", "--json").json
    arguments = bound("mine/ax")
    assert (arguments["model"], arguments["adapter"]) == ("HuggingFaceTB/SmolLM2-135M", "qlora")
    assert arguments["lora"]["target_modules"] == "all-linear"
    assert arguments["gradient_checkpointing"] is arguments["packing"] is True
    lost = {row["key"]: row["reason"] for row in told["lost"]}
    assert set(lost) == {"optimizer", "lr_scheduler", "warmup_steps", "special_tokens", "plugins"}
    assert lost["plugins"] == "not known here"
    assert lost["lr_scheduler"].endswith("linear, slmkit's default, stands instead")
    assert arguments["lr_scheduler_type"] == "linear"  # not axolotl's default either: the file asked for another


def test_trl_leaves_its_method_to_the_command_and_import_says_what_it_took(slmkit: Slmkit) -> None:
    told = slmkit("import", "trl_dpo.yml", "--json").json
    assert told["stage"] == "dpo"
    assert "taken as dpo for its key loss_type" in next(
        row["reason"] for row in told["dropped"] if row["key"] == "(method)"
    )
    values = {key: row["value"] for key, row in told["carried"].items()}
    assert (values["learning_rate"], values["warmup_ratio"], values["lora.lora_dropout"]) == (1e-6, 0.1, 0.05)
    assert values["dtype"] == "bfloat16"
    assert {row["key"] for row in told["lost"]} == {"dataset_name", "max_prompt_length"}
    other = slmkit("import", "trl_dpo.yml", "--out", "other", "--stage", "orpo", "--json").json
    assert other["stage"] == "orpo"
    assert {"loss_type"} <= {row["key"] for row in other["lost"]}


def test_unsloth_sections(slmkit: Slmkit) -> None:
    told = slmkit("import", "unsloth.yml", "--json").json
    values = {key: row["value"] for key, row in told["carried"].items()}
    assert (values["adapter"], values["lora.r"], values["lora.target_modules"]) == ("rslora", 32, ["q_proj", "v_proj"])
    assert (values["gradient_accumulation_steps"], values["weight_decay"], values["max_steps"]) == (4, 0.01, -1)
    assert values["gradient_checkpointing"] == "auto"
    lost = {row["key"] for row in told["lost"]}
    assert lost == {
        "data.dataset", "training.warmup_steps", "training.train_on_completions", "lora.finetune_mlp_modules"
    }  # fmt: skip


def test_the_recipe_says_where_each_value_is_from_and_takes_the_data_on_the_command_line(
    slmkit: Slmkit, project: Path
) -> None:
    slmkit("import", "unsloth.yml")
    text = (project / "recipes/unsloth.yaml").read_text()
    assert "# lora.lora_r" in text
    assert "# Unsloth's default" in text
    assert "# Not carried over, and it matters:" in text
    write(project / "rows.csv", "text,label\n" + "".join(f"what is {i},answer {i % 3}\n" for i in range(40)))
    done = slmkit("run", "unsloth", "data=rows.csv", "model=nano", "--profile", "tiny", "--dry-run")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\n", "no key by which its tool is known"),
        (LLAMA_FACTORY.replace("stage: sft", "stage: ppo"), "method 'ppo' has no counterpart"),
        (LLAMA_FACTORY.replace("finetuning_type: lora", "finetuning_type: oft"), "adapter 'oft' has no counterpart"),
        (LLAMA_FACTORY_DPO.replace("pref_loss: ipo", "pref_loss: simpo"), "loss 'simpo' has no counterpart"),
    ],
)
def test_what_has_no_counterpart_is_refused(slmkit: Slmkit, project: Path, text: str, said: str) -> None:
    write(project / "wrong.yml", text)
    done = slmkit("import", "wrong.yml")
    assert done.code == 3
    assert said in done.err
    assert not (project / "recipes").exists()


def test_a_recipe_that_is_there_is_not_overwritten(slmkit: Slmkit, project: Path) -> None:
    slmkit("import", "axolotl.yml")
    again = slmkit("import", "axolotl.yml")
    assert (again.code, "is there already" in again.err) == (3, True)
    assert slmkit("import", "axolotl.yml", "--out", "../up").code == 3
    assert slmkit("import", "none.yml").code == 3


def test_a_value_that_would_be_refused_is_named_at_once(slmkit: Slmkit, project: Path) -> None:
    write(project / "wrong.yml", LLAMA_FACTORY.replace("learning_rate: 1.0e-4", "learning_rate: -1"))
    done = slmkit("import", "wrong.yml", "--json")
    [fault] = done.json["mend"]
    assert fault.startswith("recipes/wrong.yaml:")
    assert "learning_rate is -1" in fault
    assert slmkit("import", "lf.yml", "--json").json["mend"] == []


@pytest.mark.parametrize(("register", "what"), [("{", "not valid JSON"), ("[1]", "found list")])
def test_a_register_that_cannot_be_read_is_told(slmkit: Slmkit, project: Path, register: str, what: str) -> None:
    write(project / "qwen.yaml", LLAMA_FACTORY)
    write(project / "sets/dataset_info.json", register)
    told = slmkit("import", "qwen.yaml")
    assert told.code == 3
    assert what in told.err and "sets/dataset_info.json" in told.err


def test_a_name_that_names_nothing_is_refused(slmkit: Slmkit, project: Path) -> None:
    write(project / "qwen.yaml", LLAMA_FACTORY)
    told = slmkit("import", "qwen.yaml", "--out", ".")
    assert told.code == 3 and "a recipe cannot be '.'" in told.err


def test_a_dry_run_tells_and_writes_nothing(slmkit: Slmkit, project: Path) -> None:
    write(project / "qwen.yaml", LLAMA_FACTORY)
    told = slmkit("import", "qwen.yaml", "--dry-run")
    assert told.code == 0 and "would write recipes/qwen.yaml" in told.out
    assert slmkit("import", "qwen.yaml", "--dry-run", "--json").json["files"][0] == "recipes/qwen.yaml"
    assert not (project / "recipes").exists()


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("seed", "abc", "a seed is a whole number"),
        ("val_size", '"0.1"', "a share of the rows here, below 1"),
        ("warmup_steps", '"10"', "steps are whole numbers"),
    ],
)
def test_a_value_of_another_kind_is_lost_with_its_reason(
    slmkit: Slmkit, project: Path, key: str, value: str, told: str
) -> None:
    write(project / "tool.yml", f"model_name_or_path: org/model\nstage: sft\nfinetuning_type: lora\n{key}: {value}\n")
    done = slmkit("import", "tool.yml", "--json")
    assert done.code == 0, done.err
    [lost] = [row for row in done.json["lost"] if row["key"] == key]
    assert lost["reason"] == told


def test_a_method_that_is_no_word_is_a_mistake(slmkit: Slmkit, project: Path) -> None:
    write(project / "tool.yml", "model_name_or_path: org/model\nstage: [sft]\nfinetuning_type: lora\n")
    done = slmkit("import", "tool.yml")
    assert (done.code, "has no counterpart" in done.error_lines[0]) == (3, True)


@pytest.mark.parametrize(
    "text",
    [
        *["true", "null", "-1", ".5", "1e3", "a-b/c_d.jsonl", "no", "12:30", "~", "é", "-", "---", "#a"],
        "a b",
        "",
        "a: b",
    ],
)
def test_a_text_written_into_a_recipe_is_read_back_as_that_text(tmp_path: Path, text: str) -> None:
    assert read_yaml(write(tmp_path / "a.yaml", f"a: {_yaml(text)}\n")).value == {"a": text}
