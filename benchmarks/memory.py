"""Memory predicted from a model card and measured: python benchmarks/memory.py [--write]

Random weights in real model shapes, in float32 on the CPU, and the bundled models; each case in a fresh process.

    weights    bytes of all weights
    cache      bytes of keys and values after a forward pass over one row
    live       bytes of tensors at the peak of a LoRA step, from torch's profiler: what the model needs
    resident   growth of the process's resident memory at that peak (VmHWM): what the machine needs

A step is one of slmkit's trainer, on rows of equal length, half of each labelled. Resident exceeds live by the freed
blocks that glibc keeps: `heap holes` are the free bytes in malloc's arena at the peak, reported by mallinfo2.
--write writes the table to benchmarks/memory.md. One case: --case SHAPE TOKENS checkpointed|kept.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from train import SHAPES, _tokenizer

from slmkit.selection.footprint import kv_cache_bytes, training, weights_bytes
from slmkit.selection.model_card import Card, read_card

_REPOSITORY = Path(__file__).parent.parent
_BOUNDS = {"weights": 0.15, "cache": 0.15, "live": 0.15, "resident": 0.20}
CASES = [
    ("nano", 256, False),
    ("tiny", 256, False),
    ("135M", 256, False),
    ("135M", 256, True),
    ("360M", 128, False),
    ("360M", 128, True),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write benchmarks/memory.md")
    parser.add_argument("--case", nargs=3, metavar=("SHAPE", "TOKENS", "HOW"), help="measure one case, print JSON")
    options = parser.parse_args()
    if options.case:
        shape, tokens, how = options.case
        print(json.dumps(measure(shape, int(tokens), how == "checkpointed")))
        return
    table = []
    for shape, tokens, checkpointed in CASES:
        case = [shape, str(tokens), "checkpointed" if checkpointed else "kept"]
        done = subprocess.run([sys.executable, __file__, "--case", *case], capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr)
        table += rows(case, predict(shape, tokens, checkpointed), json.loads(done.stdout.splitlines()[-1]))
        print("\n".join(table[-4:]), flush=True)
        if options.write:
            Path(__file__).with_suffix(".md").write_text(page(table), encoding="utf-8")


def card_of(shape: str) -> Card:
    """The card of a bundled model, or one with only the sizes of a shape."""
    if shape in ("nano", "tiny"):
        return read_card(_REPOSITORY / f"configs/models/{shape}.yaml")
    return Card(name=shape, model_type="llama", tie_word_embeddings=True, **SHAPES[shape])


def predict(shape: str, tokens: int, checkpointed: bool) -> dict[str, int]:
    card = card_of(shape)
    step = training(
        card,
        max_length=tokens,
        gradient_checkpointing=checkpointed,
        precision="float32",
        on_cpu=True,
    )
    return {
        "weights": weights_bytes(card, "float32"),
        "cache": kv_cache_bytes(card, context_length=tokens, bytes_per_value=4),
        "live": step.total - step.heap,
        "resident": step.total,
    }


def rows(case: list[str], predicted: dict[str, int], measured: dict[str, int]) -> list[str]:
    """The lines of the table for one case; ✗ marks a ratio outside its tolerance."""
    lines = []
    for what, bound in _BOUNDS.items():
        ratio = predicted[what] / measured[what]
        mark = "" if abs(ratio - 1) <= bound else " ✗"
        holes = f" | {measured['holes'] / 1e6:,.0f}" if what == "resident" else " | "
        lines.append(
            f"| {case[0]} | {case[1]} | {case[2]} | {what} | {predicted[what] / 1e6:,.1f} "
            f"| {measured[what] / 1e6:,.1f} | {ratio:.2f}{mark}{holes} |"
        )
    return lines


def measure(shape: str, tokens: int, checkpointed: bool) -> dict[str, int]:
    """The measured bytes of one case, in this process."""
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, set_seed

    from slmkit.console import quiet_libraries
    from slmkit.models.memory import release_heap

    quiet_libraries()
    set_seed(0)

    def make(name: str) -> Any:
        if folder := card_of(name).folder:
            return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        config = LlamaConfig(**SHAPES[name], max_position_embeddings=2048, tie_word_embeddings=True)
        return LlamaForCausalLM(config)

    step(make("nano"), 16, False).train()  # warm-up: imports, and memory that every training needs
    release_heap()
    before = _status("VmRSS")
    model = make(shape)
    weights = sum(p.numel() * p.element_size() for p in set(model.parameters()))
    input_ids = torch.randint(3, model.config.vocab_size, (1, tokens))
    with torch.no_grad():
        layers = model(input_ids, logits_to_keep=1).past_key_values.layers
    cache = sum(t.numel() * t.element_size() for layer in layers for t in (layer.keys, layer.values))
    del layers
    trainer = step(model, tokens, checkpointed)
    release_heap()
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM
    with _heap_peak() as holes:
        trainer.train()
    resident = _status("VmHWM") - before
    live = _live_peak(trainer, model)
    return {"weights": weights, "cache": cache, "live": live, "resident": resident, "holes": holes[0]}


def step(model: Any, tokens: int, checkpointed: bool) -> Any:
    """slmkit's trainer for one step on one row, after its usual trial step."""
    import random

    from slmkit.models.lora import Lora, attach
    from slmkit.models.memory import MicroBatch
    from slmkit.rows.loss_mask import IGNORED, Row
    from slmkit.training.config import Training
    from slmkit.training.sft_trainer import sft_trainer
    from slmkit.training.trainer import Shuffle

    source = random.Random(0)
    ids = [[source.randrange(3, model.config.vocab_size) for _ in range(tokens)]]
    data = [Row(str(i), row, [IGNORED] * (tokens // 2) + row[tokens // 2 :]) for i, row in enumerate(ids)]
    tuned = attach(model, Lora(), adapter="lora", seed=0)
    training_ = Training(max_steps=1, per_device_train_batch_size=1, learning_rate=1e-4)
    with tempfile.TemporaryDirectory() as folder:
        arguments = training_.trainer_arguments(
            Path(folder), model=tuned, steps=1, learning_rate=1e-4, gradient_checkpointing=checkpointed, seed=0
        )
    return sft_trainer(
        model=tuned,
        tokenizer=_tokenizer(),
        arguments={**arguments, "save_strategy": "no"},
        rows=data,
        validation=[],
        shuffle=Shuffle(1, seed=0),
        micro_batch=MicroBatch(tokens, 1, checkpointed, ""),
        on_step=lambda step, loss, tokens: None,
        on_log=lambda step, values: None,
    )


def _live_peak(trainer: Any, model: Any) -> int:
    """Peak bytes of live tensors during training: the weights, plus all allocations less all frees since."""
    import gc

    from torch.profiler import ProfilerActivity, profile

    weights = sum(p.numel() * p.element_size() for p in set(model.parameters()))
    trainer.accelerator.free_memory()  # else the last run's optimizer state is freed while we count
    trainer.optimizer = trainer.lr_scheduler = None
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        trainer.train()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.json"
        profiled.export_chrome_trace(str(path))
        events = json.loads(path.read_text())["traceEvents"]
    changes = sorted((e["ts"], e["args"]["Bytes"]) for e in events if e.get("name") == "[memory]")
    alive, peak = 0, 0
    for _, change in changes:
        alive += change
        peak = max(peak, alive)
    return weights + peak


class _heap_peak:
    """Free bytes inside malloc's arena when the arena is largest, sampled 100 times per second."""

    def __enter__(self) -> list[int]:
        class Info(ctypes.Structure):
            _fields_ = [(name, ctypes.c_size_t) for name in (
                "arena", "ordblks", "smblks", "hblks", "hblkhd", "usmblks", "fsmblks", "uordblks", "fordblks",
                "keepcost",
            )]  # fmt: skip

        mallinfo2 = ctypes.CDLL("libc.so.6").mallinfo2
        mallinfo2.restype = Info
        self.stopped, found, largest = threading.Event(), [0], [0]

        def watch() -> None:
            while not self.stopped.wait(0.01):
                info = mallinfo2()
                if info.arena > largest[0]:
                    largest[0], found[0] = info.arena, info.fordblks

        self.watcher = threading.Thread(target=watch)
        self.watcher.start()
        return found

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.watcher.join()


def _status(key: str) -> int:
    found = re.search(rf"{key}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def page(table: list[str]) -> str:
    """The text of benchmarks/memory.md."""
    import platform

    import torch

    head = "| shape | tokens | activations | what | predicted MB | measured MB | ratio | heap holes MB |"
    about = f"torch {torch.__version__}, {' '.join(platform.libc_ver())}, {time.strftime('%Y-%m-%d')}"
    return "\n".join(
        [
            "# Memory: predicted and measured",
            "",
            "Written by `python benchmarks/memory.py --write` on a CPU, float32, LoRA of rank 16, one row per step;",
            f"{about}.",
            "Tolerance: 15%, resident peaks 20%; ✗ marks values outside it. Measured in the first step, whose peak",
            "comes before the AdamW moments that the prediction counts. Heap holes: the free bytes in malloc arenas.",
            "With checkpointing little is kept, and the holes are larger than predicted.",
            "",
            head,
            "|---|--:|---|---|--:|--:|--:|--:|",
            *table,
            "",
        ]
    )


if __name__ == "__main__":
    main()
