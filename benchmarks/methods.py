"""Every method with every adapter on the embedded model: python benchmarks/methods.py [--methods ...] [--json FILE]

Each pairing is one command, `slmkit run methods/<recipe> adapter=<adapter> max_steps=<steps> --profile tiny`, in an
empty folder. Its row says how the method's own figure moved, the seconds the command took without its inputs, and how
far the model, read back in a fresh process, is from the one in memory: in loss, or for a reward model in score.
A pairing that is refused has the reason in its row. Exit code 1 where a figure did not move the right way, or a model
read back is more than 1e-4 away.
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
    """The recipe of a method, how many steps show something, and the figure that it is for."""

    recipe: str
    steps: int
    figure: str  # of result.json, with its _before, or a curve of log.jsonl
    rises: bool


METHODS = {
    "sft": Method("sft_lora", 20, "validation_loss", False),
    "pretrain": Method("continued_pretraining", 20, "perplexity", False),
    "dpo": Method("dpo", 10, "validation_rewards_margins", True),
    "kto": Method("kto", 10, "validation_rewards_margins", True),
    # Not its margin: it has no reference, and nano starts out surer of the pairs than one in seven flipped ones allow.
    "orpo": Method("orpo", 10, "validation_log_odds_ratio", True),
    "reward": Method("reward", 20, "validation_accuracy", True),
    "grpo": Method("grpo", 40, "reward", True),
    "distill": Method("distill", 20, "divergence", False),
}
MOST_APART = 1e-4  # in loss, as the guard of every training has it


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--adapters", nargs="+", choices=ADAPTERS, default=list(ADAPTERS))
    parser.add_argument("--json", type=Path, help="write the rows here too")
    parser.add_argument("--reload", type=Path, help=argparse.SUPPRESS)  # the fresh process: rows in, losses out
    given = parser.parse_args()
    if given.reload:
        print(json.dumps([reload(row) for row in json.loads(given.reload.read_text(encoding="utf-8"))]))
        return
    target = given.json.resolve() if given.json else None
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        remember_what_memory_says()
        rows = [train(method, adapter) for method in given.methods for adapter in given.adapters]
        compare_with_a_fresh_process(rows)
        os.chdir("/")
    print("\n" + table(rows))
    if target:
        target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.exit(0 if all(row["ok"] for row in rows) else 1)


def remember_what_memory_says() -> None:
    """Has every training leave said.json in its run: what the trained model in memory says, beside model/."""
    from slmkit.training import loop

    plain = loop.check_saved

    def check_saved(model: Any, folder: Path, say: Any) -> None:
        from slmkit.models.load import load_tokenizer

        plain(model, folder, say)
        said = losses(model, load_tokenizer(ModelRef("saved", str(folder))))
        folder.with_name("said.json").write_text(json.dumps(said), encoding="utf-8")

    loop.check_saved = check_saved


def train(method: str, adapter: str) -> dict[str, Any]:
    """One pairing by the command line, as a row of the table."""
    asked = METHODS[method]
    words = [f"methods/{asked.recipe}", f"adapter={adapter}", f"max_steps={asked.steps}"]
    told = slmkit("run", *words, "--profile", "tiny", "--json")
    row: dict[str, Any] = {"method": method, "adapter": adapter, "figure": asked.figure, "ok": True}
    if "error" in told:
        row |= {"refused": told["error"]["what"], "ok": told["exit_code"] != 1}
    else:
        before, after = moved(Path(told["dir"]), told["metrics"], asked.figure)
        result = json.loads((Path(told["dir"]) / "result.json").read_text(encoding="utf-8"))
        row |= {"steps": asked.steps, "before": before, "after": after, "seconds": result["seconds"]}
        row |= {"dir": str(Path(told["dir"]).resolve()), "ok": after > before if asked.rises else after < before}
    print(json.dumps(row), file=sys.stderr, flush=True)
    return row


def slmkit(*words: str) -> dict[str, Any]:
    """What the command says as JSON; it runs in this process, so that the libraries are imported once."""
    from slmkit.cli.main import main as command

    sys.argv, said = ["slmkit", *words], io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        command()
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def moved(folder: Path, metrics: dict[str, float], figure: str) -> tuple[float, float]:
    """A figure before and after training."""
    if f"{figure}_before" in metrics:
        return metrics[f"{figure}_before"], metrics[figure]
    log = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    curve = [row[figure] for row in log if figure in row]
    return curve[0], curve[-1]


def compare_with_a_fresh_process(rows: list[dict[str, Any]]) -> None:
    """Adds to each trained row how far the model read back in one fresh process is from what memory said."""
    trained = [row for row in rows if "dir" in row]
    Path("trained.json").write_text(json.dumps(trained), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, __file__, "--reload", "trained.json"], stdout=subprocess.PIPE, text=True, check=True
    )
    for row, found in zip(trained, json.loads(done.stdout.splitlines()[-1]), strict=True):
        expected = json.loads((Path(row.pop("dir")) / "said.json").read_text(encoding="utf-8"))
        row["apart"] = max(abs(a - b) for a, b in zip(expected, found, strict=True))
        row["ok"] = row["ok"] and row["apart"] <= MOST_APART


def reload(row: dict[str, Any]) -> list[float]:
    """What the model of a run says, loaded as it was trained: on 4-bit weights or on whole ones."""
    from slmkit.models.load import load_model
    from slmkit.models.reward_head import load_scorer

    ref, in_4bit = ModelRef("saved", row["dir"]), row["adapter"] == "qlora"
    if row["method"] == "reward":
        return losses(*load_scorer(ref, load_in_4bit=in_4bit))
    loaded = load_model(ref, device="cpu", dtype="float32", load_in_4bit=in_4bit)
    return losses(loaded.model, loaded.tokenizer)


def losses(model: Any, tokenizer: Any) -> list[float]:
    """The loss of each of a few chats; of a reward model their scores."""
    import torch

    from slmkit.rows.loss_mask import Chat, label_chats
    from slmkit.training.guards import predictions

    turns = [(f"which cup is in box {i}?", "the red cup" if i % 2 else "blue") for i in range(12)]
    chats = [
        Chat(str(i), "", [{"role": "user", "content": asked}, {"role": "assistant", "content": said}])
        for i, (asked, said) in enumerate(turns)
    ]
    rows = label_chats(tokenizer, chats)
    if not hasattr(model.get_base_model() if hasattr(model, "peft_config") else model, "score"):
        return predictions(model, rows).losses
    model.eval()
    with torch.no_grad():
        return [float(model(input_ids=torch.tensor([row.input_ids])).logits[0, 0]) for row in rows]


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as a table of Markdown."""
    lines = [
        "| method | adapter | steps | metric | before | after | reload error | seconds | |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row["method"], row["adapter"]]
        if "refused" in row:
            cells += ["", "", "", "", "", "", f"refused: {row['refused']}"]
        else:
            cells += [str(row["steps"]), row["figure"], f"{row['before']:.3g}", f"{row['after']:.3g}"]
            cells += [f"{row['apart']:.1e}", f"{row['seconds']:.0f}", "" if row["ok"] else "**wrong**"]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
