"""Training speed of slmkit beside plain TRL: python benchmarks/train.py [--shape tiny] [--rounds 5] [--json FILE]

The same random-weight model, the same labelled rows in the same order, the same rows a step; the arms take turns in
each round and the table gives medians. Tokens are those of the rows, padding not counted. Tokens by CPU second, with
OMP_NUM_THREADS=1, compare the arms on a machine that has other work too.

    slmkit        stages/sft.py's trainer as it is by default
    trl_same      a TRL script with slmkit's settings: float32, no checkpointing, padded batches
    trl_defaults  a TRL script that sets nothing but the rows a step
    trl_lengths   trl_same with train_sampling_strategy="group_by_length"
    trl_packed    trl_same with packing and padding-free attention, as many tokens a step
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slmkit.console import quiet_libraries

SHAPES: dict[str, dict[str, int]] = {
    "tiny": {
        "vocab_size": 4096,
        "hidden_size": 256,
        "num_hidden_layers": 6,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "intermediate_size": 688,
    },
    "135M": {
        "vocab_size": 49152,
        "hidden_size": 576,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "intermediate_size": 1536,
    },
}
ARMS = ("slmkit", "trl_same", "trl_defaults", "trl_lengths", "trl_packed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="tiny")
    parser.add_argument("--adapter", choices=("lora", "full"), default="full")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rows", type=int, default=16, help="rows a step")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--json", type=Path, help="write the figures here too")
    options = parser.parse_args()
    quiet_libraries()

    rows = make_rows(options.steps * options.rows, vocab_size=SHAPES[options.shape]["vocab_size"])
    measured: dict[str, list[dict[str, float]]] = {arm: [] for arm in options.arms}
    for number in range(options.rounds):
        for arm in options.arms if number % 2 == 0 else reversed(options.arms):
            figures = run_arm(arm, rows, options)
            measured[arm].append(figures)
            print(f"round {number + 1} {arm}: {figures['tokens_per_second']:,.0f} tokens/s", file=sys.stderr)
    table = {
        arm: {name: statistics.median(figures[name] for figures in runs) for name in runs[0]}
        for arm, runs in measured.items()
    }
    report(table, options)


def make_rows(number: int, *, vocab_size: int) -> list[Any]:
    """Chats of 20 to 300 tokens, a third of each the answer, as labelled rows of random ids."""
    from slmkit.models.labels import IGNORED, Row

    source = random.Random(0)
    rows = []
    for i in range(number):
        length = source.randint(20, 300)
        ids = [source.randrange(3, vocab_size) for _ in range(length)]
        asked = round(length * 2 / 3)
        rows.append(Row(id=str(i), input_ids=ids, labels=[IGNORED] * asked + ids[asked:]))
    return rows


def run_arm(arm: str, rows: list[Any], options: argparse.Namespace) -> dict[str, float]:
    """Trains a fresh model for all steps; seconds are those of train() alone."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(**SHAPES[options.shape], max_position_embeddings=2048, tie_word_embeddings=True)
    )
    if torch.cuda.is_available():
        model = model.cuda()
        torch.cuda.reset_peak_memory_stats()
    with tempfile.TemporaryDirectory() as folder:
        maker: Callable[..., Any] = _slmkit if arm == "slmkit" else _trl
        trainer = maker(arm, model, rows, options, Path(folder))
        start, start_cpu = time.perf_counter(), time.process_time()
        trainer.train()
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    num_tokens = sum(len(row.input_ids) for row in rows)
    figures = {
        "tokens_per_second": num_tokens / seconds,
        "tokens_per_cpu_second": num_tokens / cpu_seconds,
        "seconds": seconds,
        "last_loss": losses[-1],
    }
    if torch.cuda.is_available():
        figures["peak_gib"] = torch.cuda.max_memory_allocated() / 2**30
    return figures


def _slmkit(arm: str, model: Any, rows: list[Any], options: argparse.Namespace, folder: Path) -> Any:
    from slmkit.models.lean import sft_trainer
    from slmkit.models.lora import Lora, attach
    from slmkit.models.memory import plan
    from slmkit.models.trainer import Shuffle
    from slmkit.models.training import Training

    training = Training(
        adapter=options.adapter,
        lora=Lora(),
        learning_rate=1e-3,
        num_train_epochs=1,
        max_steps=options.steps,
        per_device_train_batch_size=options.rows,
        gradient_accumulation_steps=1,
        lr_scheduler_type="constant",
        warmup_ratio=0.0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        gradient_checkpointing="auto",
        load_in_4bit=False,
        device="auto",
        dtype="auto",
    )
    tuned = attach(model, Lora(), adapter=options.adapter, seed=0)
    micro_batch = plan(tuned, longest=300)
    arguments = training.arguments(
        folder,
        model=tuned,
        steps=options.steps,
        learning_rate=1e-3,
        gradient_checkpointing=micro_batch.gradient_checkpointing,
        seed=0,
    )
    return sft_trainer(
        model=tuned,
        tokenizer=_tokenizer(),
        arguments={**arguments, "save_strategy": "no"},
        rows=rows,
        validation=[],
        shuffle=Shuffle(len(rows), seed=0),
        micro_batch=micro_batch,
        on_step=lambda step, loss, tokens: None,
        on_log=lambda step, values: None,
    )


def _trl(arm: str, model: Any, rows: list[Any], options: argparse.Namespace, folder: Path) -> Any:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from slmkit.models.trainer import Shuffle

    ordered = [rows[i] for i in Shuffle(len(rows), seed=0)]
    settings: dict[str, Any] = {
        "use_cpu": not torch.cuda.is_available(),
        "per_device_train_batch_size": options.rows,
        "max_steps": options.steps,
        "learning_rate": 1e-3,
        "lr_scheduler_type": "constant",
        "train_sampling_strategy": "sequential",
        "save_strategy": "no",
        "logging_steps": 1,
        "disable_tqdm": True,
    }
    if arm != "trl_defaults":
        settings |= {"bf16": torch.cuda.is_available(), "gradient_checkpointing": False}
    if arm == "trl_lengths":
        settings["train_sampling_strategy"] = "group_by_length"
    if arm == "trl_packed":
        tokens = sum(len(row.input_ids) for row in rows) // options.steps
        settings |= {"packing": True, "max_length": 512, "per_device_train_batch_size": max(1, round(tokens / 512))}
    lora = LoraConfig(target_modules="all-linear", r=16, lora_alpha=32)
    trainer = SFTTrainer(
        model=model,
        processing_class=_tokenizer(),
        args=SFTConfig(str(folder), **settings),
        train_dataset=Dataset.from_list([{"input_ids": row.input_ids, "labels": row.labels} for row in ordered]),
        peft_config=lora if options.adapter == "lora" else None,
    )
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    import slmkit

    return AutoTokenizer.from_pretrained(Path(slmkit.__file__).parent / "assets" / "nano")


def report(table: dict[str, dict[str, float]], options: argparse.Namespace) -> None:
    """A table on standard output; with --json, the same with the machine it was measured on."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{os.cpu_count()} CPU cores"
    print(f"{options.shape}, {options.adapter}, {options.rows} rows a step, {options.rounds} rounds, {device}")
    print(f"{'arm':<14}{'tokens/s':>10}{'slmkit is':>11}{'tokens/CPU s':>14}{'slmkit is':>11}{'last loss':>11}")
    for arm, figures in table.items():
        cells = f"{arm:<14}"
        for name, width in (("tokens_per_second", 10), ("tokens_per_cpu_second", 14)):
            ratio = table["slmkit"][name] / figures[name] if "slmkit" in table else float("nan")
            cells += f"{figures[name]:>{width},.0f}{f'{ratio:.2f} x':>11}"
        print(f"{cells}{figures['last_loss']:>11.3f}")
    if options.json:
        about = {"shape": options.shape, "adapter": options.adapter, "rows": options.rows, "rounds": options.rounds}
        machine = {"device": device, "python": platform.python_version(), "torch": torch.__version__}
        options.json.write_text(json.dumps({**about, **machine, "arms": table}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
