"""Numbers in, numbers out: three ways to split text into numbered tokens, and what each costs.

Read from top to bottom: characters, words, and the subwords in between that real models use.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.charts import PALETTE, clear_to, panels
from slmkit.gold.gold_set import read_gold
from slmkit.micro_world.gold_sets import draw
from slmkit.runs.run_folder import Run
from slmkit.types import Input, Model, PositiveInt

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Ids = list[int]
NUM_STRINGS = 1_000
UNKNOWN = 0  # the id of every token that is not in the vocabulary


def numbers_in_numbers_out(
    run: Run, *, model: Model, gold: Input, bytes_for_the_rest: bool = True, limit: PositiveInt = 200
) -> None:
    """Splits new text into characters, words and subwords, and counts the tokens and the unknown ones.

    bytes_for_the_rest: False removes the byte tokens, which spell out characters that have no token.
    """
    from slmkit.models.load import load_tokenizer

    tokenizer = load_tokenizer(model)
    known = [
        f"{example.input} {example.target}" for example in draw("reading", "train", 2_000, seed=run.seed).examples
    ]
    new = [example.input for example in read_gold(gold).examples[:limit]]

    # 1. Three vocabularies of at most the same size, from the same text.
    size = len(tokenizer)
    characters = vocabulary([list(text) for text in known], size)
    words = vocabulary([split_words(text) for text in known], size)
    ways: dict[str, Callable[[str], Ids]] = {
        "characters": lambda text: [characters.get(piece, UNKNOWN) for piece in text],
        "words": lambda text: [words.get(piece, UNKNOWN) for piece in split_words(text)],
        "subwords": lambda text: tokenizer(text, add_special_tokens=False)["input_ids"],
    }

    # 2. New text as token ids: how many, and how many of them are the unknown token.
    ids = {way: [id for text in new for id in cut(text)] for way, cut in ways.items()}
    unknown = {way: ids[way].count(UNKNOWN) / len(ids[way]) for way in ("characters", "words")}
    unk = tokenizer.unk_token_id
    unknown["subwords"] = 0.0 if unk is None else ids["subwords"].count(unk) / len(ids["subwords"])
    run.metric(
        subwords_per_character=len(ids["subwords"]) / len(ids["characters"]),
        unknown_words=unknown["words"],
        unknown_subwords=unknown["subwords"],
    )
    rows = [
        {"way": way, "vocabulary": count, "tokens": len(ids[way]), "unknown": round(unknown[way], 4)}
        for way, count in (("characters", len(characters)), ("words", len(words)), ("subwords", size))
    ]
    run.table("ways", rows)

    # 3. And back again: any text a user types must survive the round trip.
    parts = set() if bytes_for_the_rest else parts_of_characters(tokenizer)
    strings = any_strings(new, seed=run.seed)
    lost = [text for text in strings if round_trip(tokenizer, text, without=parts) != text]
    run.metric(round_trips_lost=len(lost))
    run.table("lost", [{"text": text, "back": round_trip(tokenizer, text, without=parts)} for text in lost[:20]])

    run.figure("ways", _draw_bars(rows))
    run.figure("sentence", _draw_sentence(tokenizer, new[0].split("\n")[-1], words))
    run.verdict(
        f"100 characters of new text are {100 * len(ids['subwords']) / len(ids['characters']):.0f} subwords; "
        f"{unknown['words']:.0%} of its words are not in the vocabulary; {len(lost)} of {len(strings):,} strings "
        "changed in the round trip."
    )


def vocabulary(texts: Sequence[Sequence[str]], size: int) -> dict[str, int]:
    """An id for each of the most frequent tokens, from 1; id 0 is for all others."""
    counts = Counter(piece for text in texts for piece in text)
    return {piece: number for number, (piece, _) in enumerate(counts.most_common(size - 1), start=1)}


def split_words(text: str) -> list[str]:
    """Words, numbers and punctuation: "the age of sezan is 78." -> the, age, of, sezan, is, 78, and a full stop."""
    return re.findall(r"\w+|[^\w\s]", text)


def any_strings(texts: Sequence[str], *, seed: int) -> list[str]:
    """1,000 strings that a user might type: sentences, emoji, other scripts, and random characters."""
    r = random.Random(seed)
    special = ["naïve café", "Ελληνικά", "数字", "हिन्दी", "👩‍🚀 🎉", "a\tb\n\n  c", "\u200b", "€ 1,50", "ﬁ ½ ²"]

    def drawn() -> str:
        if r.random() < 0.5:
            return f"{r.choice(texts)} {r.choice(special)}"
        ranges = ((0x20, 0x7F), (0xA0, 0xD800), (0x1F300, 0x1F700))  # ASCII, most scripts, emoji
        return "".join(chr(r.randrange(*r.choice(ranges))) for _ in range(12))

    return [unicodedata.normalize("NFC", drawn()) for _ in range(NUM_STRINGS)]  # as some tokenizers do


def round_trip(tokenizer: Any, text: str, *, without: set[int]) -> str:
    """The text encoded and decoded again, without the ids in `without`."""
    ids = [id for id in tokenizer(text, add_special_tokens=False)["input_ids"] if id not in without]
    return str(tokenizer.decode(ids, clean_up_tokenization_spaces=False))


def parts_of_characters(tokenizer: Any) -> set[int]:
    """The ids of single bytes, several of which make up one rare character."""
    return {id for id in range(len(tokenizer)) if "\ufffd" in tokenizer.decode([id])}


def _draw_bars(rows: Sequence[dict[str, Any]]) -> Figure:
    """The length of the same text in each vocabulary, and the share of unknown tokens."""
    figure, [left, right] = panels(columns=2, height=2.2, width=7.2, titles=("tokens needed", "unknown tokens"))
    names = [row["way"] for row in rows]
    bars = left.barh(names, [row["tokens"] for row in rows], color=PALETTE[0])
    left.bar_label(bars, [f"{row['tokens']:,}" for row in rows], padding=3, fontsize=8)
    bars = right.barh(names, [row["unknown"] for row in rows], color=PALETTE[1])
    right.bar_label(bars, [f"{row['unknown']:.1%}" for row in rows], padding=3, fontsize=8)
    for axes, key in ((left, "tokens"), (right, "unknown")):
        axes.invert_yaxis()
        axes.set(xticks=[], xlim=(0, 1.25 * max(row[key] for row in rows) or 1))
    return figure


def _draw_sentence(tokenizer: Any, text: str, words: dict[str, int]) -> Figure:
    """One sentence split in three ways: each box is one token."""
    cut = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    boxes = {
        "characters": [(i, i + 1, "") for i in range(len(text))],
        "words": [(*m.span(), str(words.get(m.group(), "?"))) for m in re.finditer(r"\w+|[^\w\s]", text)],
        "subwords": [(a, b, str(id)) for (a, b), id in zip(cut["offset_mapping"], cut["input_ids"], strict=True)],
    }
    figure, [axes] = panels(columns=1, height=1.9, width=max(5.0, 0.16 * len(text)))
    for row, spans in enumerate(boxes.values()):
        for number, (start, stop, id) in enumerate(spans):
            shade = clear_to(PALETTE[number % 3])(0.75)
            axes.barh(row, stop - start - 0.12, left=start, height=0.8, color=[shade])
            axes.text((start + stop) / 2, row - 0.12, text[start:stop], ha="center", va="center", family="monospace")
            axes.text((start + stop) / 2, row + 0.26, id, ha="center", va="center", fontsize=6)
    axes.set_yticks(range(len(boxes)), list(boxes))
    axes.set(xticks=[], xlim=(-0.3, len(text)), ylim=(2.6, -0.6))
    axes.grid(visible=False)
    axes.spines[["left", "bottom"]].set_visible(False)
    return figure
