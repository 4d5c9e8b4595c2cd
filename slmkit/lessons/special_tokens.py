"""Special tokens: they mark who speaks and when a turn ends. Only the chat template may write them, never a user.

Read from top to bottom: two ways to encode user text, what the chat template is worth, and which tokens are trained.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.evaluation.score import accuracy, default_metric
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import Device, Loaded, load_model
from slmkit.runs.run_folder import Run
from slmkit.types import Answer, Example, Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from slmkit.rows.loss_mask import Row

NUM_FORGERIES = 500


def special_tokens(
    run: Run,
    *,
    model: Model,
    gold: Input,
    encoder: Literal["safe", "naive"] = "safe",
    limit: PositiveInt = 100,
    device: Device = "auto",
) -> None:
    """Tests whether users can forge special tokens, what the chat template is worth, and which tokens are trained.

    encoder: "naive" turns special tokens typed by a user into real ones.
    """
    loaded = load_model(model, device=device, dtype="float32")
    tokenizer = loaded.tokenizer
    frozen = read_gold(gold)
    examples = random.Random(run.seed).sample(frozen.examples, min(limit, len(frozen.examples)))

    # 1. A user types a special token. The safe encoder sees letters; the naive one sees the special token.
    texts = forgeries(tokenizer, examples)
    special = set(tokenizer.all_special_ids)
    count = {
        way: sum(id in special for text in texts for id in encode(tokenizer, text, way)) for way in ("safe", "naive")
    }
    run.metric(forged_marks=count[encoder], forged_marks_naive=count["naive"])

    # 2. Without the chat template, an instruct model does not know that it was asked a question.
    with_template = accuracy(loaded, frozen, limit=limit, seed=run.seed)
    without = accuracy_without_template(loaded, frozen, examples)
    run.metric(accuracy=with_template, accuracy_without_template=without, template_gain=with_template.value - without)

    # 3. In training, only the assistant's answer and its end-of-turn token are included in the loss.
    rows = labelled(tokenizer, examples)
    run.metric(
        loss_mask_errors=sum(
            not loss_mask_is_correct(tokenizer, row, e) for row, e in zip(rows, examples, strict=True)
        )
    )
    shortest = min(rows, key=lambda row: len(row.input_ids))
    run.table("one_chat", describe(tokenizer, shortest))
    run.figure("one_chat", _draw(tokenizer, shortest))
    run.verdict(
        f"{count[encoder]} special tokens forged in {len(texts)} messages ({count['naive']} with the naive encoder); "
        f"{with_template.value:.0%} correct answers with the chat template, {without:.0%} without."
    )


def encode(tokenizer: Any, text: str, way: str) -> list[int]:
    """The token ids of user text; "safe" splits a typed special token into pieces like any other text."""
    input_ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=way == "safe")["input_ids"]
    return input_ids


def forgeries(tokenizer: Any, examples: Sequence[Example]) -> list[str]:
    """500 planted user messages, each with a special token typed in it."""
    special = [token for token in tokenizer.all_special_tokens if token != tokenizer.unk_token]
    pairs = itertools.cycle(itertools.product(examples, special))
    return [f"{example.input} {token} {example.target}" for example, token in itertools.islice(pairs, NUM_FORGERIES)]


def accuracy_without_template(loaded: Loaded, gold: Gold, examples: Sequence[Example]) -> float:
    """The accuracy when the prompt is the bare question, without the chat template."""
    from slmkit.inference.generate import generate

    prompts = [loaded.tokenizer(example.input)["input_ids"] for example in examples]
    outputs = generate(loaded, prompts, max_new_tokens=16)
    metric = default_metric(gold)
    return sum(metric(e, Answer(e.id, o.text)) for e, o in zip(examples, outputs, strict=True)) / len(examples)


def labelled(tokenizer: Any, examples: Sequence[Example]) -> list[Row]:
    """Each question and answer as a chat, with a label for each token; -100 is excluded from the loss."""
    from slmkit.rows.loss_mask import Chat, label_chats

    chats = []
    for example in examples:
        question, answer = {"role": "user", "content": example.input}, {"role": "assistant", "content": example.target}
        chats.append(Chat(example.id, example.id, [question, answer]))
    return label_chats(tokenizer, chats)


def loss_mask_is_correct(tokenizer: Any, row: Row, example: Example) -> bool:
    """Whether the trained tokens spell the answer, and the last of them ends the turn."""
    trained = [label for label in row.labels if label != -100]
    text = tokenizer.decode([id for id in trained if id not in tokenizer.all_special_ids]).strip()
    return bool(text == example.target.strip() and trained[-1] in tokenizer.all_special_ids)


def describe(tokenizer: Any, row: Row) -> list[dict[str, Any]]:
    """A chat token by token: its id, its text, whether it is special, whether it is trained."""
    return [
        {"id": id, "token": tokenizer.decode([id]), "special": id in tokenizer.all_special_ids, "loss": label != -100}
        for id, label in zip(row.input_ids, row.labels, strict=True)
    ]


def _draw(tokenizer: Any, row: Row) -> Figure:
    """One chat as a row of tokens: special tokens, text, and trained tokens."""
    tokens = describe(tokenizer, row)
    names = {"special token": PALETTE[3], "text": PALETTE[5], "trained": PALETTE[2]}
    widths = [max(2, len(token["token"].strip())) for token in tokens]
    figure, [axes] = panels(columns=1, height=1.3, width=min(12.0, 0.11 * sum(widths) + 1))
    left = 0.0
    for token, width in zip(tokens, widths, strict=True):
        kind = "trained" if token["loss"] else "special token" if token["special"] else "text"
        axes.barh(0, width - 0.25, left=left, height=0.9, color=[clear_to(names[kind])(0.8)])
        text = token["token"].strip().replace("$", r"\$")
        axes.text(left + width / 2, -0.1, text, ha="center", va="center", fontsize=7, family="monospace")
        axes.text(left + width / 2, 0.3, str(token["id"]), ha="center", va="center", fontsize=6)
        left += width
    for kind, colour in names.items():
        axes.barh(0, 0, color=[clear_to(colour)(0.8)], label=kind)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=8)
    axes.set(xticks=[], yticks=[], xlim=(-0.3, left), ylim=(0.55, -0.55))
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure
