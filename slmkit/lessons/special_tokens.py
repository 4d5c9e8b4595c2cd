"""Special tokens: the numbers that mark who speaks and when a turn ends. The pipeline writes them, never a user.

Read from top to bottom: two ways to encode what a user typed, what the marks are worth, and where the loss falls.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.evaluation.measure import accuracy, default_metric
from slmkit.gold.gold_set import Gold, read_gold
from slmkit.models.load import Device, Loaded, load_model
from slmkit.runs.run import Run
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
    """What a user's text may not do, what the chat template is worth, and which tokens carry the loss.

    encoder: "naive" reads marks out of what a user typed.
    """
    loaded = load_model(model, device=device, dtype="float32")
    tokenizer = loaded.tokenizer
    frozen = read_gold(gold)
    examples = random.Random(run.seed).sample(frozen.examples, min(limit, len(frozen.examples)))

    # 1. A user types a mark. The safe encoder reads letters; the naive one reads a mark.
    texts = forgeries(tokenizer, examples)
    special = set(tokenizer.all_special_ids)
    count = {
        way: sum(id in special for text in texts for id in encode(tokenizer, text, way)) for way in ("safe", "naive")
    }
    run.metric(forged_marks=count[encoder], forged_marks_naive=count["naive"])

    # 2. An instruct model without its marks does not know that it was asked.
    with_marks = accuracy(loaded, frozen, limit=limit, seed=run.seed)
    without = accuracy_without_template(loaded, frozen, examples)
    run.metric(accuracy=with_marks, accuracy_without_template=without, template_gain=with_marks.value - without)

    # 3. In training, the loss falls on what the assistant says and on its end mark, and nowhere else.
    rows = labelled(tokenizer, examples)
    run.metric(
        loss_mask_errors=sum(not is_masked_rightly(tokenizer, row, e) for row, e in zip(rows, examples, strict=True))
    )
    shortest = min(rows, key=lambda row: len(row.input_ids))
    run.table("one_chat", describe(tokenizer, shortest))
    run.figure("one_chat", _draw(tokenizer, shortest))
    run.verdict(
        f"{count[encoder]} marks forged in {len(texts)} messages ({count['naive']} without care); "
        f"{with_marks.value:.0%} right with the template, {without:.0%} without."
    )


def encode(tokenizer: Any, text: str, way: str) -> list[int]:
    """What a user typed, as numbers: "safe" cuts a mark into letters and pieces like any other text."""
    found: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=way == "safe")["input_ids"]
    return found


def forgeries(tokenizer: Any, examples: Sequence[Example]) -> list[str]:
    """Five hundred messages of users who type a mark of the model, to speak in another's name. They are planted."""
    marks = [mark for mark in tokenizer.all_special_tokens if mark != tokenizer.unk_token]
    pairs = itertools.cycle(itertools.product(examples, marks))
    return [f"{example.input} {mark} {example.target}" for example, mark in itertools.islice(pairs, NUM_FORGERIES)]


def accuracy_without_template(loaded: Loaded, gold: Gold, examples: Sequence[Example]) -> float:
    """The share of right answers when the bare question is all the model gets."""
    from slmkit.inference.generate import generate

    prompts = [loaded.tokenizer(example.input)["input_ids"] for example in examples]
    outputs = generate(loaded, prompts, max_new_tokens=16)
    metric = default_metric(gold)
    return sum(metric(e, Answer(e.id, o.text)) for e, o in zip(examples, outputs, strict=True)) / len(examples)


def labelled(tokenizer: Any, examples: Sequence[Example]) -> list[Row]:
    """Each question and its answer as a chat, with the token to predict at each place, or -100 where none counts."""
    from slmkit.rows.loss_mask import Chat, label_chats

    chats = []
    for example in examples:
        question, answer = {"role": "user", "content": example.input}, {"role": "assistant", "content": example.target}
        chats.append(Chat(example.id, example.id, [question, answer]))
    return label_chats(tokenizer, chats)


def is_masked_rightly(tokenizer: Any, row: Row, example: Example) -> bool:
    """Whether the tokens that carry loss spell the answer, and the last of them ends the turn."""
    trained = [label for label in row.labels if label != -100]
    said = tokenizer.decode([id for id in trained if id not in tokenizer.all_special_ids]).strip()
    return bool(said == example.target.strip() and trained[-1] in tokenizer.all_special_ids)


def describe(tokenizer: Any, row: Row) -> list[dict[str, Any]]:
    """A chat token by token: its number, its text, whether it is a mark, whether it carries loss."""
    return [
        {"id": id, "token": tokenizer.decode([id]), "mark": id in tokenizer.all_special_ids, "loss": label != -100}
        for id, label in zip(row.input_ids, row.labels, strict=True)
    ]


def _draw(tokenizer: Any, row: Row) -> Figure:
    """One chat as a strip of tokens: the marks, what the user said, and what carries the loss."""
    tokens = describe(tokenizer, row)
    names = {"mark": PALETTE[3], "text": PALETTE[5], "carries loss": PALETTE[2]}
    widths = [max(2, len(token["token"].strip())) for token in tokens]
    figure, [axes] = panels(columns=1, height=1.3, width=min(12.0, 0.11 * sum(widths) + 1))
    left = 0.0
    for token, width in zip(tokens, widths, strict=True):
        kind = "carries loss" if token["loss"] else "mark" if token["mark"] else "text"
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
