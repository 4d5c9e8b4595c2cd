"""Tokenizers in practice: a model reads only the numbers of its own, and these set what text costs.

Read from top to bottom: swap the tokenizer and see what is left; then the price of one sentence in several languages.
"""

from __future__ import annotations

import math
import random
import string
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, panels
from slmkit.evaluation.measure import accuracy
from slmkit.gold.gold_set import read_gold
from slmkit.models.load import Device, Loaded, load_model
from slmkit.runs.run import Run
from slmkit.types import Example, Input, Model, PositiveInt, Score

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The first sentence of the Universal Declaration of Human Rights: the same said in five languages.
ARTICLE_1 = {
    "English": "All human beings are born free and equal in dignity and rights.",
    "German": "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
    "Finnish": "Kaikki ihmiset syntyvät vapaina ja tasavertaisina arvoltaan ja oikeuksiltaan.",
    "Greek": "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
    "Hindi": "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
}


def tokenizers_in_practice(
    run: Run, *, model: Model, gold: Input, swap: bool = True, limit: PositiveInt = 100, device: Device = "auto"
) -> None:
    """Gives a model the numbers of another tokenizer of the same size; then counts what text costs with its own.

    swap: False leaves the model its own tokenizer.
    """
    loaded = load_model(model, device=device, dtype="float32")
    frozen = read_gold(gold)
    examples = frozen.examples[:limit]

    # 1. Another tokenizer: as many tokens, learnt in the same way, from other words.
    stranger = other_tokenizer(loaded.tokenizer, examples, seed=run.seed) if swap else loaded.tokenizer
    wrong = Loaded(loaded.model, stranger, loaded.ref)
    run.metric(
        accuracy=accuracy(loaded, frozen, limit=limit, seed=run.seed),
        accuracy_swapped=accuracy(wrong, frozen, limit=limit, seed=run.seed),
    )

    # 2. Bits a byte: how surprised the model is by the text, whatever it is cut into.
    own, swapped = bits_per_byte(loaded, examples), bits_per_byte(wrong, examples)
    run.metric(bits_per_byte=own, bits_per_byte_swapped=swapped, bits_ratio=swapped / own)

    # 3. What text costs: tokens a word, and so the words that fit into the context.
    texts = {"the model's world": " ".join(example.input for example in examples), **ARTICLE_1}
    rows = [price(loaded, name, text) for name, text in texts.items()]
    run.table("price", rows)
    cheapest, dearest = (extreme(rows, key=lambda row: row["tokens a word"]) for extreme in (min, max))
    run.metric(
        tokens_per_word=rows[0]["tokens a word"],
        tokens_per_word_english=rows[1]["tokens a word"],
        dearest_over_cheapest=dearest["tokens a word"] / cheapest["tokens a word"],
    )
    run.figure("tokenizer", _draw(run.metrics["accuracy"], run.metrics["accuracy_swapped"], rows))
    run.verdict(
        f"{_percent(run.metrics['accuracy'])} right with its own tokenizer, "
        f"{_percent(run.metrics['accuracy_swapped'])} with {'another' if swap else 'the same'}. A word of "
        f"{dearest['text']} costs {run.metrics['dearest_over_cheapest']:.1f} times one of {cheapest['text']}."
    )


def other_tokenizer(tokenizer: Any, examples: Sequence[Example], *, seed: int) -> Any:
    """A tokenizer trained like this one, to the same size, on text whose letters were exchanged for one another."""
    letters = list(string.ascii_lowercase)
    random.Random(seed).shuffle(letters)
    exchanged = str.maketrans(string.ascii_lowercase, "".join(letters))
    texts = [f"{example.input} {example.target}".lower().translate(exchanged) for example in examples]
    return tokenizer.train_new_from_iterator(texts, vocab_size=len(tokenizer), show_progress=False)


def bits_per_byte(loaded: Loaded, examples: Sequence[Example]) -> float:
    """-log2 of the probability of the answers, by the bytes they have: it compares across tokenizers.

    The model reads each question as a chat and is asked how likely it finds the right answer.
    """
    import torch

    from slmkit.rows.loss_mask import IGNORED, Chat, label_chats

    def chat(example: Example) -> Chat:
        question, answer = {"role": "user", "content": example.input}, {"role": "assistant", "content": example.target}
        return Chat(example.id, "", [question, answer])

    nats = 0.0
    for row in label_chats(loaded.tokenizer, [chat(example) for example in examples]):
        input_ids, labels = (torch.tensor([ids], device=loaded.model.device) for ids in (row.input_ids, row.labels))
        with torch.inference_mode():
            logits = loaded.model(input_ids).logits[0, :-1]  # position t predicts token t+1
        nats += float(torch.nn.functional.cross_entropy(logits, labels[0, 1:], ignore_index=IGNORED, reduction="sum"))
    return nats / math.log(2) / sum(len(example.target.encode()) for example in examples)


def price(loaded: Loaded, name: str, text: str) -> dict[str, Any]:
    """Tokens a word of a text, and how many such words fit into the model's context."""
    tokens = len(loaded.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    each = tokens / len(text.split())
    fits = math.floor(loaded.context_length / each)
    return {"text": name, "tokens a word": round(each, 2), "words in the context": fits, "such as": text[:60]}


def _percent(score: float | Score) -> str:
    return f"{score.value if isinstance(score, Score) else score:.0%}"


def _draw(own: float | Score, swapped: float | Score, rows: Sequence[dict[str, Any]]) -> Figure:
    """Right answers with the right and the wrong tokenizer, and what a word costs."""
    titles = ("right answers", "tokens a word")
    figure, [left, right] = panels(columns=2, height=2.4, width=7.2, titles=titles)
    scores = {
        name: score.value for name, score in (("its own", own), ("another", swapped)) if isinstance(score, Score)
    }
    bars = left.bar(list(scores), list(scores.values()), color=PALETTE[:2], width=0.5)
    left.bar_label(bars, [f"{score:.0%}" for score in scores.values()], padding=3)
    left.set(ylim=(0, 1.15), xlabel="tokenizer", ylabel="share")
    bars = right.barh([row["text"] for row in rows], [row["tokens a word"] for row in rows], color=PALETTE[0])
    right.bar_label(bars, [f"{row['tokens a word']:g}" for row in rows], padding=3, fontsize=8)
    right.invert_yaxis()
    right.set(xticks=[], xlim=(0, 1.15 * max(row["tokens a word"] for row in rows)))
    return figure
