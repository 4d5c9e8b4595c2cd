"""Answering speed: labels by likelihood against one forward pass per label, and generation against two libraries.

    python benchmarks/answers.py labels ../shared/data/banking77 --shape nano       # 500 x 77 labels
    python benchmarks/answers.py labels ../shared/data/banking77 --shape 135M --reference-items 10
    python benchmarks/answers.py generate --shape 135M                              # 200 x 32 new tokens
    python benchmarks/answers.py generate --model FOLDER --clock processor --threads 1      # trained weights

The arms alternate in each round; the table has medians and the share of equal answers. Weights are random (except
nano and --model) and float32. --clock processor compares the arms on a machine under other load. `generate` compares
slmkit with transformers' generate in batches of 8, in the original order, and with lm-evaluation-harness (hf, batches
of 8) where it is installed, on the same prompts. Random weights are the slowest case for labels: a trained model finds
most labels so unlikely that slmkit skips them.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from slmkit.console import quiet_libraries
from slmkit.files import PACKAGE
from slmkit.types import ModelRef

SHAPE_135M = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "intermediate_size": 1536,
    "max_position_embeddings": 2048,
    "tie_word_embeddings": True,
}
Arm = Callable[[], list[str]]
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("labels", "generate"))
    parser.add_argument("data", type=Path, nargs="?", help="banking77's folder: test.csv and categories.json")
    parser.add_argument("--shape", choices=("nano", "135M"), default="nano")
    parser.add_argument("--model", type=Path, help="a model's folder, instead of --shape")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--items", type=int, help="questions; default: 500 for labels, 200 for generate")
    parser.add_argument("--reference-items", type=int, help="texts for one pass per label; its time is scaled up")
    parser.add_argument("--shots", type=int, default=0, help="few-shot examples in every prompt of generate")
    parser.add_argument("--threads", type=int, help="threads of torch")
    options = parser.parse_args()
    quiet_libraries()
    import torch

    if options.threads:
        torch.set_num_threads(options.threads)
    if options.model:
        from slmkit.models.load import load_model

        loaded = load_model(ModelRef(options.model.name, str(options.model)), device="cpu", dtype="float32")
    else:
        loaded = load(options.shape)
    if options.what == "labels":
        labels(loaded, options)
    else:
        generate(loaded, options)


def load(shape: str) -> Any:
    """nano, or a model of 135 million random weights that only writes ordinary tokens of nano's vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from slmkit.models.load import Loaded, load_model

    nano = load_model(ModelRef("nano", str(PACKAGE / "assets" / "nano")), device="cpu")
    if shape == "nano":
        return nano
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SHAPE_135M)).eval()
    with torch.no_grad():  # so their logits are 0, and one of the 2,000 others is always higher
        rows = model.get_input_embeddings().weight
        rows[len(nano.tokenizer) :] = 0
        rows[nano.tokenizer.all_special_ids] = 0
    return Loaded(model, nano.tokenizer, ModelRef(shape, shape))


def labels(loaded: Any, options: argparse.Namespace) -> None:
    """The likeliest of 77 labels: slmkit's search of the label tree against one forward pass per label."""
    from slmkit.inference.choose_label import choose, one_by_one, option_ids
    from slmkit.models.chat_template import render

    if options.data is None:
        sys.exit("pass banking77's folder: python benchmarks/answers.py labels ../shared/data/banking77")
    with open(options.data / "test.csv", newline="", encoding="utf-8") as file:
        texts = [row["text"].lower() for row in csv.DictReader(file)]
    names = [name.replace("_", " ") for name in json.loads((options.data / "categories.json").read_text("utf-8"))]
    texts = random.Random(0).sample(texts, options.items or 500)
    opening = {"role": "system", "content": "say what the customer asks for."}
    prompts = render(loaded.tokenizer, [[opening, {"role": "user", "content": text}] for text in texts])
    endings = option_ids(loaded, names)
    few = prompts[: options.reference_items or len(prompts)]

    def reference() -> list[str]:
        return [names[best] for best in one_by_one(loaded, few, endings).argmax(-1).tolist()]

    arms: dict[str, Arm] = {
        "slmkit": lambda: [output.text for output in choose(loaded, prompts, names)],
        "one pass per label": reference,
    }
    compare(arms, options, scale={"one pass per label": len(prompts) / len(few)})


def generate(loaded: Any, options: argparse.Namespace) -> None:
    """Answers of 32 tokens to the questions of a gold set."""
    import torch

    from slmkit.gold.gold_set import read_gold
    from slmkit.inference.generate import generate as answer
    from slmkit.models.chat_template import render_text

    gold = read_gold(PACKAGE.parent / "gold" / "reading")
    opening = [
        {"role": role, "content": content}
        for shot in gold.dev[: options.shots]
        for role, content in (("user", shot.input), ("assistant", shot.target))
    ]
    examples = gold.examples[: options.items or 200]
    chats = [[*opening, {"role": "user", "content": example.input}] for example in examples]
    texts = render_text(loaded.tokenizer, chats)
    prompts = loaded.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def transformers() -> list[str]:
        loaded.tokenizer.padding_side = "left"
        answers: list[str] = []
        for i in range(0, len(texts), 8):
            batch = loaded.tokenizer(texts[i : i + 8], add_special_tokens=False, padding=True, return_tensors="pt")
            with torch.inference_mode():
                ids = loaded.model.generate(
                    input_ids=batch["input_ids"],
                    attention_mask=batch["attention_mask"],
                    max_new_tokens=32,
                    do_sample=False,
                    pad_token_id=loaded.tokenizer.pad_token_id,
                )
            new = ids[:, batch["input_ids"].shape[1] :]
            answers += loaded.tokenizer.batch_decode(new, skip_special_tokens=True)
        return [text.strip() for text in answers]

    arms: dict[str, Arm] = {
        "slmkit": lambda: [output.text for output in answer(loaded, prompts, max_new_tokens=32)],
        "transformers, batches of 8": transformers,
    }
    if importlib.util.find_spec("lm_eval"):
        arms["lm-eval hf, batches of 8"] = harness_arm(loaded, texts)
    compare(arms, options, scale={})


def harness_arm(loaded: Any, texts: list[str]) -> Arm:
    """lm-evaluation-harness on the same prompts."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    harness = HFLM(pretrained=loaded.model, tokenizer=loaded.tokenizer, batch_size=8)
    keys = {"until": [], "max_gen_toks": 32, "do_sample": False}
    requests = [Instance("generate_until", {}, (text, dict(keys)), i) for i, text in enumerate(texts)]
    return lambda: [text.strip() for text in harness.generate_until(requests, disable_tqdm=True)]


def compare(arms: dict[str, Arm], options: argparse.Namespace, *, scale: dict[str, float]) -> None:
    """Runs the arms alternately and prints median seconds, the ratio to slmkit, and the share of equal answers."""
    clock = CLOCKS[options.clock]
    seconds: dict[str, list[float]] = {name: [] for name in arms}
    answers: dict[str, list[str]] = {}
    for number in range(options.rounds):
        for name in list(arms) if number % 2 == 0 else list(arms)[::-1]:
            start = clock()
            answers[name] = arms[name]()
            seconds[name].append((clock() - start) * scale.get(name, 1.0))
            print(f"round {number + 1} {name}: {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    ours = statistics.median(seconds["slmkit"])
    print(f"{'arm':<28}{'seconds':>10}{'ratio':>8}{'equal answers':>16}")
    for name, runs in seconds.items():
        median = statistics.median(runs)
        equal = sum(a == b for a, b in zip(answers["slmkit"], answers[name], strict=False)) / len(answers[name])
        print(f"{name:<28}{median:>10.2f}{median / ours:>8.1f}{equal:>16.1%}")


if __name__ == "__main__":
    main()
