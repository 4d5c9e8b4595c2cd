"""Every method with every adapter on the bundled model: python benchmarks/methods.py [--methods ...] [--json FILE]

Each combination is one command, `slmkit run methods/<recipe> adapter=<adapter> max_steps=<steps> --profile tiny`, in
an empty folder. Its row has the method's metric before and after, the seconds of the command without its inputs, and
the reload error: the largest difference in loss (for a reward model in score) between the model in memory and the
saved model loaded in a fresh process. A refused combination has the reason in its row.
Exit code 1 if a metric did not improve or a reload error exceeds 1e-4.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slmkit.types import ModelRef

ADAPTERS = ("lora", "qlora", "dora", "rslora", "full")


@dataclass(frozen=True)
class Method:
    """The recipe of a method, the steps after which its metric improves, and that metric."""

    recipe: str
    steps: int
    metric: str  # in result.json, with its _before, or a curve in log.jsonl
    rises: bool


METHODS = {
    "sft": Method("sft_lora", 20, "validation_loss", False),
    "pretrain": Method("continued_pretraining", 20, "perplexity", False),
    "dpo": Method("dpo", 10, "validation_rewards_margins", True),
    "kto": Method("kto", 10, "validation_rewards_margins", True),
    # Not the margin: ORPO has no reference model, and one in seven pairs is flipped, so that the margin of nano falls.
    "orpo": Method("orpo", 10, "validation_log_odds_ratio", True),
    "reward": Method("reward", 20, "validation_accuracy", True),
    "grpo": Method("grpo", 40, "reward", True),
    "distill": Method("distill", 20, "divergence", False),
}
MAX_RELOAD_ERROR = 1e-4  # in loss, as in the check after every training


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--adapters", nargs="+", choices=ADAPTERS, default=list(ADAPTERS))
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--reload", type=Path, help=argparse.SUPPRESS)  # the fresh process: rows in, losses out
    options = parser.parse_args()
    if options.reload:
        print(json.dumps([reload(row) for row in json.loads(options.reload.read_text(encoding="utf-8"))]))
        return
    target = options.json.resolve() if options.json else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        record_losses_in_memory()
        rows = [train(method, adapter) for method in options.methods for adapter in options.adapters]
        add_reload_errors(rows)
        os.chdir("/")
    print("\n" + table(rows))
    if target:
        target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


def record_losses_in_memory() -> None:
    """Makes every training write losses.json next to model/: the losses of the trained model in memory."""
    from slmkit.training import save_and_check

    original = save_and_check.check_saved

    def check_saved(model: Any, folder: Path) -> None:
        from slmkit.models.load import load_tokenizer

        original(model, folder)
        values = losses(model, load_tokenizer(ModelRef("saved", str(folder))))
        folder.with_name("losses.json").write_text(json.dumps(values), encoding="utf-8")

    save_and_check.check_saved = check_saved


def train(method: str, adapter: str) -> dict[str, Any]:
    """Runs one combination by the command line; returns its row of the table."""
    spec = METHODS[method]
    words = [f"methods/{spec.recipe}", f"adapter={adapter}", f"max_steps={spec.steps}"]
    result = slmkit("run", *words, "--profile", "tiny", "--json")
    row: dict[str, Any] = {"method": method, "adapter": adapter, "metric": spec.metric, "ok": True}
    if "error" in result:
        row |= {"refused": result["error"]["what"], "ok": result["exit_code"] != 1}
    else:
        before, after = before_and_after(Path(result["dir"]), result["metrics"], spec.metric)
        seconds = json.loads((Path(result["dir"]) / "result.json").read_text(encoding="utf-8"))["seconds"]
        row |= {"steps": spec.steps, "before": before, "after": after, "seconds": seconds}
        row |= {"dir": str(Path(result["dir"]).resolve()), "ok": after > before if spec.rises else after < before}
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def slmkit(*words: str) -> dict[str, Any]:
    """The JSON output of a command; it runs in this process, so that the libraries are imported once."""
    from slmkit.cli.main import main as command

    sys.argv, output = ["slmkit", *words], io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.suppress(SystemExit):
        command()
    found: dict[str, Any] = json.loads(output.getvalue())
    return found


def before_and_after(folder: Path, metrics: dict[str, float], metric: str) -> tuple[float, float]:
    """A metric before and after training."""
    if f"{metric}_before" in metrics:
        return metrics[f"{metric}_before"], metrics[metric]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [row[metric] for row in log if metric in row]
    return curve[0], curve[-1]


def add_reload_errors(rows: list[dict[str, Any]]) -> None:
    """Adds the reload error to each trained row; one fresh process loads all models."""
    trained = [row for row in rows if "dir" in row]
    Path("trained.json").write_text(json.dumps(trained), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, __file__, "--reload", "trained.json"], stdout=subprocess.PIPE, text=True, check=True
    )
    for row, found in zip(trained, json.loads(done.stdout.splitlines()[-1]), strict=True):
        expected = json.loads((Path(row.pop("dir")) / "losses.json").read_text(encoding="utf-8"))
        row["reload_error"] = max(abs(a - b) for a, b in zip(expected, found, strict=True))
        row["ok"] = row["ok"] and row["reload_error"] <= MAX_RELOAD_ERROR


def reload(row: dict[str, Any]) -> list[float]:
    """The losses of a run's model, loaded as it was trained: on 4-bit or on full weights."""
    from slmkit.models.load import load_model
    from slmkit.models.reward_head import load_scorer

    ref, in_4bit = ModelRef("saved", row["dir"]), row["adapter"] == "qlora"
    if row["method"] == "reward":
        return losses(*load_scorer(ref, load_in_4bit=in_4bit))
    loaded = load_model(ref, device="cpu", dtype="float32", load_in_4bit=in_4bit)
    return losses(loaded.model, loaded.tokenizer)


def losses(model: Any, tokenizer: Any) -> list[float]:
    """The loss on each of a few chats; for a reward model, the score of each."""
    import torch

    from slmkit.rows.loss_mask import Chat, label_chats
    from slmkit.training.predictions import predict

    pairs = [(f"which cup is in box {i}?", "the red cup" if i % 2 else "blue") for i in range(12)]
    chats = [
        Chat(str(i), "", [{"role": "user", "content": question}, {"role": "assistant", "content": answer}])
        for i, (question, answer) in enumerate(pairs)
    ]
    rows = label_chats(tokenizer, chats)
    if not hasattr(model.get_base_model() if hasattr(model, "peft_config") else model, "score"):
        return predict(model, rows).losses
    model.eval()
    with torch.no_grad():
        return [float(model(input_ids=torch.tensor([row.input_ids])).logits[0, 0]) for row in rows]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| method | adapter | steps | metric | before | after | reload error | seconds | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["method"], row["adapter"]]
        if "refused" in row:
            cells += ["", "", "", "", "", "", f"refused: {row['refused']}"]
        else:
            cells += [str(row["steps"]), row["metric"], f"{row['before']:.3g}", f"{row['after']:.3g}"]
            cells += [f"{row['reload_error']:.1e}", f"{row['seconds']:.0f}", "" if row["ok"] else "**wrong**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
