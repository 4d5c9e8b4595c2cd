"""slmkit import: a config of another tool becomes a recipe that binds; each key is carried over or listed."""

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
    """The arguments that the stage of an imported recipe gets; the recipes it reads must bind too."""
    found: dict[str, Any] = plain(make_plan(name, profile="tiny").target.call.arguments)
    return found


def keys_of(text: str) -> set[str]:
    """Every key of a file; keys of a section as section.key."""
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
def test_every_key_is_carried_over_or_listed_with_a_reason(slmkit: Slmkit, name: str) -> None:
    done = slmkit("import", f"{name}.yml", "--json").json
    origins = {word for row in done["carried"].values() for word in row["from"].split(", ")}
    listed = {row["key"] for row in done["lost"] + done["dropped"]}
    asked = keys_of(FILES[name]) - {"seed", "training.random_seed"}
    assert asked <= origins | listed | set(done["stage_from"])
    assert done["seed"] == {"axolotl": 7, "trl_dpo": 42, "unsloth": 3407}.get(name)
    assert all(row["reason"] for row in done["lost"] + done["dropped"])


def test_llama_factory_sft_with_a_registered_data_set(slmkit: Slmkit) -> None:
    done = slmkit("import", "lf.yml", "--json").json
    arguments = bound("lf")
    assert (arguments["data"], arguments["adapter"], arguments["max_length"]) == ("lf-data", "qlora", 1024)
    assert arguments["lora"]["target_modules"] == ["q_proj", "v_proj"]
    assert arguments["lora"]["lora_alpha"] == 32  # twice the rank: LLaMA-Factory's default, not slmkit's
    assert arguments["per_device_train_batch_size"] * arguments["gradient_accumulation_steps"] == 8
    prepare = plain(bind_one("lf-data", profile="tiny")[0].arguments)
    assert (prepare["data"], prepare["max_rows"], prepare["validation_size"]) == ("sets/tickets.json", 500, 0.2)
    assert {row["key"] for row in done["lost"]} == {"trust_remote_code", "template", "loraplus_lr_ratio"}


def test_llama_factory_dpo(slmkit: Slmkit) -> None:
    done = slmkit("import", "lf_dpo.yml", "--json").json
    arguments = bound("lf_dpo")
    assert (done["stage"], arguments["beta"], arguments["loss_type"]) == ("dpo", 0.2, "ipo")
    assert (arguments["data"], arguments["num_train_epochs"], arguments["lora"]["r"]) == ("pairs.jsonl", 3.0, 8)
    assert {row["key"] for row in done["lost"]} == {"pref_ftx", "val_size"}


def test_axolotl_qlora(slmkit: Slmkit) -> None:
    done = slmkit("import", "axolotl.yml", "--out", "mine/ax", "--json").json
    arguments = bound("mine/ax")
    assert (arguments["model"], arguments["adapter"]) == ("HuggingFaceTB/SmolLM2-135M", "qlora")
    assert arguments["lora"]["target_modules"] == "all-linear"
    assert arguments["gradient_checkpointing"] is arguments["packing"] is True
    lost = {row["key"]: row["reason"] for row in done["lost"]}
    assert set(lost) == {"optimizer", "lr_scheduler", "warmup_steps", "special_tokens", "plugins"}
    assert "linear" in lost["lr_scheduler"]  # the reason names what is used instead
    assert arguments["lr_scheduler_type"] == "linear"  # not axolotl's default: the file asked for another


def test_the_method_of_a_trl_file_is_inferred_and_can_be_given(slmkit: Slmkit) -> None:
    done = slmkit("import", "trl_dpo.yml", "--json").json
    assert done["stage"] == "dpo"
    [reason] = [row["reason"] for row in done["dropped"] if row["key"] == "(method)"]
    assert "dpo" in reason and "loss_type" in reason
    values = {key: row["value"] for key, row in done["carried"].items()}
    assert (values["learning_rate"], values["warmup_ratio"], values["lora.lora_dropout"]) == (1e-6, 0.1, 0.05)
    assert values["dtype"] == "bfloat16"
    assert {row["key"] for row in done["lost"]} == {"dataset_name", "max_prompt_length"}
    other = slmkit("import", "trl_dpo.yml", "--out", "other", "--stage", "orpo", "--json").json
    assert other["stage"] == "orpo"
    assert {"loss_type"} <= {row["key"] for row in other["lost"]}


def test_unsloth_sections(slmkit: Slmkit) -> None:
    done = slmkit("import", "unsloth.yml", "--json").json
    values = {key: row["value"] for key, row in done["carried"].items()}
    assert (values["adapter"], values["lora.r"], values["lora.target_modules"]) == ("rslora", 32, ["q_proj", "v_proj"])
    assert (values["gradient_accumulation_steps"], values["weight_decay"], values["max_steps"]) == (4, 0.01, -1)
    assert values["gradient_checkpointing"] == "auto"
    lost = {row["key"] for row in done["lost"]}
    assert lost == {
        "data.dataset", "training.warmup_steps", "training.train_on_completions", "lora.finetune_mlp_modules"
    }  # fmt: skip


def test_comments_name_the_origin_of_each_value_and_data_can_be_given_later(slmkit: Slmkit, project: Path) -> None:
    slmkit("import", "unsloth.yml")
    text = (project / "recipes/unsloth.yaml").read_text()
    assert "# lora.lora_r" in text
    assert "# Unsloth's default" in text
    assert "#   training.warmup_steps: 5: " in text
    write(project / "rows.csv", "text,label\n" + "".join(f"what is {i},answer {i % 3}\n" for i in range(40)))
    done = slmkit("run", "unsloth", "data=rows.csv", "model=nano", "--profile", "tiny", "--dry-run")
    assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\n", "a"),
        (LLAMA_FACTORY.replace("stage: sft", "stage: ppo"), "'ppo'"),
        (LLAMA_FACTORY.replace("stage: sft", "stage: [sft]"), "['sft']"),
        (LLAMA_FACTORY.replace("finetuning_type: lora", "finetuning_type: oft"), "'oft'"),
        (LLAMA_FACTORY_DPO.replace("pref_loss: ipo", "pref_loss: simpo"), "'simpo'"),
    ],
)
def test_an_unknown_tool_method_adapter_or_loss_is_refused(
    slmkit: Slmkit, project: Path, text: str, value: str
) -> None:
    write(project / "wrong.yml", text)
    done = slmkit("import", "wrong.yml")
    assert done.code == 3
    assert value in "\n".join(done.error_lines)
    assert not (project / "recipes").exists()


def test_an_existing_recipe_is_not_overwritten(slmkit: Slmkit, project: Path) -> None:
    slmkit("import", "axolotl.yml")
    again = slmkit("import", "axolotl.yml")
    assert (again.code, "recipes/axolotl.yaml" in again.err) == (3, True)


@pytest.mark.parametrize("words", [["axolotl.yml", "--out", "../up"], ["axolotl.yml", "--out", "."], ["none.yml"]])
def test_a_wrong_file_or_name_is_refused(slmkit: Slmkit, project: Path, words: list[str]) -> None:
    done = slmkit("import", *words)
    assert done.code == 3 and repr(words[-1]) in done.error_lines[0]
    assert not (project / "recipes").exists()


def test_an_invalid_value_is_reported_at_import(slmkit: Slmkit, project: Path) -> None:
    write(project / "wrong.yml", LLAMA_FACTORY.replace("learning_rate: 1.0e-4", "learning_rate: -1"))
    done = slmkit("import", "wrong.yml", "--json")
    [fault] = done.json["to_fix"]
    assert fault.startswith("recipes/wrong.yaml:")
    assert "learning_rate: -1" in fault
    assert slmkit("import", "lf.yml", "--json").json["to_fix"] == []


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_an_invalid_dataset_info_is_refused(slmkit: Slmkit, project: Path, content: str) -> None:
    write(project / "qwen.yaml", LLAMA_FACTORY)
    write(project / "sets/dataset_info.json", content)
    done = slmkit("import", "qwen.yaml")
    assert done.code == 3 and "sets/dataset_info.json" in done.error_lines[1]


def test_a_dry_run_prints_the_files_and_writes_nothing(slmkit: Slmkit, project: Path) -> None:
    write(project / "qwen.yaml", LLAMA_FACTORY)
    done = slmkit("import", "qwen.yaml", "--dry-run")
    assert done.code == 0 and "recipes/qwen.yaml" in done.out
    assert slmkit("import", "qwen.yaml", "--dry-run", "--json").json["files"][0] == "recipes/qwen.yaml"
    assert not (project / "recipes").exists()


@pytest.mark.parametrize(
    ("key", "value", "lost_value"),
    [("seed", "abc", "abc"), ("val_size", '"0.1"', "0.1"), ("warmup_steps", '"10"', "10")],
)
def test_a_value_of_the_wrong_type_is_listed_with_a_reason(
    slmkit: Slmkit, project: Path, key: str, value: str, lost_value: str
) -> None:
    write(project / "tool.yml", f"model_name_or_path: org/model\nstage: sft\nfinetuning_type: lora\n{key}: {value}\n")
    done = slmkit("import", "tool.yml", "--json")
    assert done.code == 0, done.err
    [lost] = [row for row in done.json["lost"] if row["key"] == key]
    assert lost["value"] == lost_value and lost["reason"]


@pytest.mark.parametrize(
    "text",
    [
        *["true", "null", "-1", ".5", "1e3", "a-b/c_d.jsonl", "no", "12:30", "~", "é", "-", "---", "#a"],
        "a b",
        "",
        "a: b",
    ],
)
def test_a_string_written_into_a_recipe_is_read_back_unchanged(tmp_path: Path, text: str) -> None:
    assert read_yaml(write(tmp_path / "a.yaml", f"a: {_yaml(text)}\n")).value == {"a": text}
