"""Training speed of slmkit and plain TRL: python benchmarks/train.py [--shapes tiny 135M] [--json FILE]

All arms train the same random-weight model on the same labelled rows, in the same order, with the same rows per step.
The arms alternate in each round; the table has medians. Padding is not counted as tokens. Only the steps after the
first are timed: during the first, every arm warms up and slmkit tests the longest rows, so its seconds have their own
column. Tokens per CPU second, with OMP_NUM_THREADS=1, compare the arms on a machine under other load.

    slmkit              the trainer of stages/sft.py with its defaults
    slmkit_packed_512   the same with packing: true and max_length: 512, equally many steps over the same tokens
    slmkit_packed_1024  the same with max_length: 1024
    trl_same            a TRL script with slmkit's settings: its dtype, no checkpointing, padded batches
    trl_defaults        a TRL script that sets only the rows per step
    trl_lengths         trl_same with train_sampling_strategy="group_by_length"
    trl_packed          trl_same with packing and padding-free attention, equally many tokens per step

Below each table are the three claimed speedups: over trl_same at least 1.0, over trl_defaults at least 3.0 (2.0 on a
GPU), over the best other TRL arm at least 1.2. LLaMA-Factory and axolotl pin other versions of transformers and TRL,
cannot be installed together with slmkit, and are not measured.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil

from slmkit.console import quiet_libraries
from slmkit.models.precision import in_bfloat16

# vocabulary, width, layers, heads, key-value heads, head width, inner width
_SIZES = {
    "tiny": (4096, 256, 6, 8, 4, 32, 688),
    "135M": (49152, 576, 30, 9, 3, 64, 1536),  # SmolLM2-135M
    "360M": (49152, 960, 32, 15, 5, 64, 2560),  # SmolLM2-360M
    "1.7B": (49152, 2048, 24, 32, 32, 64, 8192),  # SmolLM2-1.7B
    "qwen3-0.6B": (151936, 1024, 28, 16, 8, 128, 3072),
    "qwen3-4B": (151936, 2560, 36, 32, 8, 128, 9728),
}
_NAMES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size",
)  # fmt: skip
SHAPES = {shape: dict(zip(_NAMES, sizes, strict=True)) for shape, sizes in _SIZES.items()}
# Defaults per shape: adapter, optimizer steps, rows per step. A round of the larger ones takes minutes on a CPU.
DEFAULTS = {"tiny": ("full", 6, 16), **dict.fromkeys(list(SHAPES)[1:], ("lora", 3, 8))}
PACKED = {"slmkit_packed_512": 512, "slmkit_packed_1024": 1024}  # max_length
ARMS = ("slmkit", *PACKED, "trl_same", "trl_defaults", "trl_lengths", "trl_packed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=["tiny", "135M"])
    parser.add_argument("--adapter", choices=("lora", "qlora", "full"), help="default: full for tiny, otherwise lora")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, help="optimizer steps; default: 6 for tiny, otherwise 3")
    parser.add_argument("--rows", type=int, help="rows per step; default: 16 for tiny, otherwise 8")
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=[arm for arm in ARMS if arm not in PACKED])
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    arguments = parser.parse_args()
    if arguments.steps == 1:
        parser.error("--steps is 1: at least 2 are needed, because the first is not timed")
    quiet_libraries()
    import datasets

    datasets.disable_progress_bars()
    reports = [measure(shape, arguments) for shape in arguments.shapes]
    if arguments.json:
        arguments.json.write_text(json.dumps(reports, indent=1) + "\n", encoding="utf-8")


def measure(shape: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs all rounds of one shape, prints its table and returns the figures as JSON."""
    adapter, steps, rows_per_step = DEFAULTS[shape]
    options = argparse.Namespace(
        shape=shape,
        adapter=arguments.adapter or adapter,
        steps=arguments.steps or steps,
        rows=arguments.rows or rows_per_step,
        rounds=arguments.rounds,
    )
    rows = make_rows(options.steps * options.rows, vocab_size=SHAPES[shape]["vocab_size"])
    measured: dict[str, list[dict[str, float]]] = {arm: [] for arm in arguments.arms}
    for number in range(options.rounds):
        for arm in arguments.arms if number % 2 == 0 else reversed(arguments.arms):
            figures = run_arm(arm, rows, options)
            measured[arm].append(figures)
            print(f"{shape} round {number + 1} {arm}: {figures['tokens_per_second']:,.0f} tokens/s", file=sys.stderr)
    table = {
        arm: {name: statistics.median(figures[name] for figures in runs) for name in runs[0]}
        for arm, runs in measured.items()
    }
    return report(table, options)


def make_rows(number: int, *, vocab_size: int) -> list[Any]:
    """Labelled rows of 20 to 300 random token ids, of which the last third is the answer."""
    from slmkit.rows.loss_mask import IGNORED, Row

    source = random.Random(0)
    rows = []
    for i in range(number):
        length = source.randint(20, 300)
        ids = [source.randrange(3, vocab_size) for _ in range(length)]
        prompt_length = round(length * 2 / 3)
        rows.append(Row(id=str(i), input_ids=ids, labels=[IGNORED] * prompt_length + ids[prompt_length:]))
    return rows


def run_arm(arm: str, rows: list[Any], options: argparse.Namespace) -> dict[str, float]:
    """Trains a fresh model and times the steps after the first."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    set_seed(0)
    config = LlamaConfig(**SHAPES[options.shape], max_position_embeddings=2048, tie_word_embeddings=True)
    model = LlamaForCausalLM(config)
    if torch.cuda.is_available():
        # slmkit's gpu profile trains adapters on bfloat16 weights; TRL loads float32 by default.
        model = model.cuda().to(
            torch.float32 if options.adapter == "full" or arm == "trl_defaults" else torch.bfloat16
        )
    with tempfile.TemporaryDirectory() as folder:
        if options.adapter == "qlora":
            model.save_pretrained(f"{folder}/base")
            model = _in_4bit(f"{folder}/base")
        if torch.cuda.is_available():
            torch.cuda.reset_peak_memory_stats()
        maker: Callable[..., Any] = _slmkit if arm.startswith("slmkit") else _trl
        trainer = maker(arm, model, rows, options, Path(folder))
        start, warm = time.perf_counter(), after_first_step()
        trainer.add_callback(warm)
        with peak_memory() as peak:
            trainer.train()
            seconds, cpu_seconds = time.perf_counter() - warm.at, time.process_time() - warm.cpu
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    counts = [log["num_tokens"] for log in trainer.state.log_history if "num_tokens" in log]  # TRL's count
    num_tokens = counts[-1] - counts[0] if counts else trainer.state.num_input_tokens_seen - warm.num_tokens
    figures = {
        "tokens_per_second": num_tokens / seconds,
        "tokens_per_cpu_second": num_tokens / cpu_seconds,
        "seconds": seconds,
        "first_step_seconds": warm.at - start,
        "last_loss": losses[-1],
        "peak_gib": (torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak[0]) / 2**30,
    }
    # Six operations per weight and token: two forward, two for the input's gradient, two for the weight's gradient,
    # which the frozen weights below an adapter do not need.
    operations = (6 if options.adapter == "full" else 4) * sum(p.numel() for p in trainer.model.parameters())
    figures["tflops"] = operations * figures["tokens_per_second"] / 1e12
    return figures


def after_first_step() -> Any:
    """A callback that records the time and the number of tokens at the end of the first step."""
    from transformers import TrainerCallback

    class AfterFirstStep(TrainerCallback):
        at, cpu, num_tokens = 0.0, 0.0, 0

        def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
            if state.global_step == 1:
                self.at, self.cpu = time.perf_counter(), time.process_time()
                self.num_tokens = state.num_input_tokens_seen

    return AfterFirstStep()


def _in_4bit(folder: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    quantized = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )
    return AutoModelForCausalLM.from_pretrained(folder, quantization_config=quantized, dtype=torch.bfloat16)


@contextlib.contextmanager
def peak_memory() -> Iterator[list[int]]:
    """Peak resident memory of this process during the block, in bytes, sampled 20 times per second."""
    process, peak, stopped = psutil.Process(), [0], threading.Event()

    def watch() -> None:
        while not stopped.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peak
    finally:
        stopped.set()
        watcher.join()


def matrix_tflops() -> float:
    """Peak matrix throughput in TFLOPS, from one large product: bfloat16 on a GPU, float32 on a CPU."""
    import torch

    device, size, dtype = ("cuda", 8192, torch.bfloat16) if torch.cuda.is_available() else ("cpu", 1024, torch.float32)
    a = torch.randn(size, size, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(10):
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        a @ a
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * size**3 / best / 1e12


def _slmkit(arm: str, model: Any, rows: list[Any], options: argparse.Namespace, folder: Path) -> Any:
    from slmkit.models.lora import Lora, attach
    from slmkit.models.memory import plan_micro_batch
    from slmkit.rows.packing import pack
    from slmkit.training.config import Training
    from slmkit.training.sft_trainer import sft_trainer
    from slmkit.training.trainer import Shuffle

    rows_per_step, longest = options.rows, 300
    if arm in PACKED:
        longest = PACKED[arm]
        rows = pack(rows, max_length=longest)
        rows_per_step = math.ceil(len(rows) / options.steps)  # the last step takes the rest
    steps = math.ceil(len(rows) / rows_per_step)
    training = Training(
        adapter=options.adapter,
        lora=Lora(),
        learning_rate=1e-3,
        num_train_epochs=1,
        max_steps=steps,
        per_device_train_batch_size=rows_per_step,
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
    share = sum(row.num_trained for row in rows) / sum(len(row.input_ids) for row in rows)
    micro_batch = plan_micro_batch(tuned, longest=longest, labelled_share=share)
    arguments = training.trainer_arguments(
        folder,
        model=tuned,
        steps=steps,
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
        in_bfloat16=in_bfloat16(tuned),
        on_step=lambda step, loss, tokens: None,
        on_log=lambda step, values: None,
    )


def _trl(arm: str, model: Any, rows: list[Any], options: argparse.Namespace, folder: Path) -> Any:
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from trl import SFTConfig, SFTTrainer

    from slmkit.training.trainer import Shuffle

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
        settings |= {"bf16": in_bfloat16(model), "gradient_checkpointing": False}
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
        peft_config=lora if options.adapter != "full" else None,
    )
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    return trainer


def _tokenizer() -> Any:
    from transformers import AutoTokenizer

    import slmkit

    return AutoTokenizer.from_pretrained(Path(slmkit.__file__).parent / "assets" / "nano")


def report(table: dict[str, dict[str, float]], options: argparse.Namespace) -> dict[str, Any]:
    """Prints a table with the claimed speedups below it; returns both with a description of the machine."""
    import torch

    on_gpu = torch.cuda.is_available()
    device = torch.cuda.get_device_name() if on_gpu else f"{os.cpu_count()} CPU cores"
    ceiling = matrix_tflops()
    print(f"\n{options.shape}, {options.adapter}, {options.rows} rows per step, {options.rounds} rounds, {device}")
    speeds = ("tokens/s", "slmkit speedup", "tokens/CPU s", "slmkit speedup")
    heads = (*speeds, "last loss", "first step s", "peak GiB", "of peak rate")
    print(f"{'arm':<20}" + "".join(f"{head:>15}" for head in heads))
    for arm, figures in table.items():
        cells = f"{arm:<20}"
        for name in ("tokens_per_second", "tokens_per_cpu_second"):
            ratio = table["slmkit"][name] / figures[name] if "slmkit" in table else float("nan")
            cells += f"{figures[name]:>15,.0f}{f'{ratio:.2f} x':>15}"
        cells += f"{figures['last_loss']:>15.3f}{figures['first_step_seconds']:>15.1f}"
        print(f"{cells}{figures['peak_gib']:>15.2f}{figures['tflops'] / ceiling:>15.1%}")
    claims = claimed(table, least=(1.0, 2.0 if on_gpu else 3.0, 1.2))
    for claim in claims:
        print(
            f"{'holds ' if claim['ok'] else 'BROKEN'}  {claim['ratio']:.2f} x {claim['to']}, claimed {claim['least']}"
        )
    machine = {"device": device, "python": platform.python_version(), "torch": torch.__version__}
    machine |= {"date": time.strftime("%Y-%m-%d"), "matrix_tflops": ceiling}
    about = {name: getattr(options, name) for name in ("shape", "adapter", "rows", "steps", "rounds")}
    return {**about, **machine, "arms": table, "claims": claims}


def claimed(table: dict[str, dict[str, float]], *, least: tuple[float, float, float]) -> list[dict[str, Any]]:
    """slmkit's speedup over each TRL arm that was run, and the claimed minimum."""
    speed = {arm: figures["tokens_per_second"] for arm, figures in table.items()}
    others = [arm for arm in speed if arm.startswith("trl_") and arm != "trl_defaults"]
    best = max(others, key=speed.__getitem__, default="")
    rivals = zip(("trl_same", "trl_defaults", best), least, strict=True)
    if "slmkit" not in speed:
        return []
    ratios = [(to, speed["slmkit"] / speed[to], bound) for to, bound in rivals if to in speed]
    return [{"to": to, "ratio": ratio, "least": bound, "ok": ratio >= bound} for to, ratio, bound in ratios]


if __name__ == "__main__":
    main()
