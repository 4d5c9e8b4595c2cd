"""Byte pair encoding in thirty lines: count the pairs, merge the most frequent one, repeat; then encode new words.

Read `learn`, `join` and `encode`: they are the whole algorithm. The rest compares them with the tokenizers library.
After Sennrich et al. 2016, https://arxiv.org/abs/1508.07909, and karpathy/minbpe.
"""

from __future__ import annotations

import inspect
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from slmkit.charts import PALETTE, panels
from slmkit.micro_world.gold_sets import draw
from slmkit.runs.run_folder import Run
from slmkit.types import Model

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Pair = tuple[str, str]
Choice = Literal["most frequent", "least frequent"]

NUM_UNSEEN = 1_000
SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)


def learn(words: Mapping[str, int], num_merges: int, merge: Choice = "most frequent") -> list[Pair]:
    """The pairs to merge, in order, learned from words and their counts.

    {"hug": 10, "pug": 5, "hugs": 5}: u+g (20 times), then h+ug (15), then p+ug or hug+s (5 each).
    """
    pieces = {word: list(word) for word in words}  # every word starts as single letters
    ids = {piece: id for id, piece in enumerate(sorted({letter for word in words for letter in word}))}
    merges: list[Pair] = []
    while len(merges) < num_merges:
        counts: Counter[Pair] = Counter()
        for word, count in words.items():
            for pair in itertools.pairwise(pieces[word]):
                counts[pair] += count
        if not counts:
            break
        sign = 1 if merge == "most frequent" else -1
        best = min(counts, key=lambda pair: (-sign * counts[pair], ids[pair[0]], ids[pair[1]]))  # ties: oldest first
        merges.append(best)
        ids.setdefault("".join(best), len(ids))
        pieces = {word: join(cut, best) for word, cut in pieces.items()}
    return merges


def join(cut: list[str], pair: Pair) -> list[str]:
    """The pieces of a word with every occurrence of the pair merged: h u g s, (u, g) -> h ug s."""
    joined: list[str] = []
    for piece in cut:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def encode(word: str, merges: Sequence[Pair]) -> list[str]:
    """A word split into pieces by applying the merges in the order in which they were learned."""
    cut = list(word)
    for pair in merges:
        cut = join(cut, pair)
    return cut


def bpe_thirty_lines(
    run: Run, *, model: Model, merge: Choice = "most frequent", num_merges: int = 200, num_texts: int = 500
) -> None:
    """Compares byte pair encoding by hand with the tokenizers library, and measures the gain from larger vocabularies.

    merge: which pair is merged at each step. num_merges: the number of steps.
    """
    from slmkit.models.load import load_tokenizer

    texts = draw("reading", "train", num_texts, seed=run.seed).examples
    words = Counter(word for example in texts for word in example.input.split())
    unseen = unseen_words(words, seed=run.seed)

    # 1. By hand and with the library: the same merges, the same pieces.
    ours = learn(words, num_merges, merge)
    library = library_tokenizer(words, num_merges)
    theirs = library_merges(library)
    same_merges = sum(a == b for a, b in zip(ours, theirs, strict=False))
    pieces = {word: encode(word, ours) for word in unseen}
    same_pieces = sum(pieces[word] == library.encode(word).tokens for word in unseen)
    run.metric(
        lines_of_code=lines_of_code(learn, join, encode),
        merges_that_differ=num_merges - same_merges,
        words_cut_differently=len(unseen) - same_pieces,
    )
    run.table("merges", _replay(words, ours, theirs))

    # 2. A larger vocabulary needs fewer tokens per word, until every word is one token.
    per_word = {size: tokens_per_word(library_tokenizer(words, size - len(alphabet(words))), words) for size in SIZES}
    run.table("vocabulary", [{"vocabulary": size, "tokens_per_word": value} for size, value in per_word.items()])
    run.metric(
        gained_512_to_1024=1 - per_word[1024] / per_word[512], gained_4096_to_8192=1 - per_word[8192] / per_word[4096]
    )
    tokenizer = load_tokenizer(model)
    count = sum(len(tokenizer(f" {word}", add_special_tokens=False)["input_ids"]) * n for word, n in words.items())
    run.metric(model_tokens_per_word=count / words.total())

    run.figure("vocabulary", _draw(per_word, (model.name, len(tokenizer), count / words.total())))
    run.verdict(
        f"{same_merges} of {num_merges} merges and the pieces of {same_pieces:,} of {len(unseen):,} new words equal "
        f"the library's, in {run.metrics['lines_of_code']} lines of code."
    )


def alphabet(words: Iterable[str]) -> list[str]:
    """Every character that occurs: the first pieces."""
    return sorted({letter for word in words for letter in word})


def library_tokenizer(words: Mapping[str, int], num_merges: int) -> Any:
    """The same tokenizer trained by the tokenizers library."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    trainer = trainers.BpeTrainer(vocab_size=len(alphabet(words)) + num_merges, show_progress=False)
    tokenizer.train_from_iterator((" ".join([word] * count) for word, count in words.items()), trainer=trainer)
    return tokenizer


def library_merges(tokenizer: Any) -> list[Pair]:
    """The merges that the library learned, in order."""
    import json

    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]]


def unseen_words(words: Mapping[str, int], *, seed: int) -> list[str]:
    """1,000 words of known letters that are not in the text: other names and random strings."""
    import random

    r = random.Random(seed)
    letters = [letter for word, count in words.items() for letter in word * min(count, 5)]
    drawn = ("".join(r.choices(letters, k=r.randint(2, 10))) for _ in itertools.count())
    names = {word for example in draw("reading", "gold", 300).examples for word in example.input.split()}
    names = {word for word in names - set(words) if set(word) <= set(letters)}
    return list(itertools.islice(dict.fromkeys([*sorted(names), *itertools.islice(drawn, 2_000)]), NUM_UNSEEN))


def tokens_per_word(tokenizer: Any, words: Mapping[str, int]) -> float:
    """The mean number of tokens per word of running text."""
    pieces = [encoding.tokens for encoding in tokenizer.encode_batch(list(words))]
    return sum(len(cut) * count for cut, count in zip(pieces, words.values(), strict=True)) / sum(words.values())


def lines_of_code(*functions: Any) -> int:
    """The number of code lines, without docstrings and blank lines."""
    total = 0
    for function in functions:
        code = inspect.getsource(function).replace(f'"""{function.__doc__}"""', "")
        total += sum(bool(line.strip()) for line in code.splitlines())
    return total


def _replay(words: Mapping[str, int], ours: Sequence[Pair], theirs: Sequence[Pair]) -> list[dict[str, Any]]:
    """The first 40 merges, each with a word that it shortens."""
    rows = []
    for step, pair in enumerate(ours[:40], start=1):
        example = max((word for word in words if "".join(pair) in word), key=lambda word: words[word], default="")
        cut = " ".join(encode(example, ours[:step]))
        library = "+".join(theirs[step - 1]) if step <= len(theirs) else ""
        rows.append({"step": step, "merge": "+".join(pair), "library": library, "example": cut})
    return rows


def _draw(per_word: Mapping[int, float], own: tuple[str, int, float]) -> Figure:
    """Tokens per word against vocabulary size, with the model's own tokenizer for comparison."""
    figure, [axes] = panels(columns=1, height=2.8, width=5.4)
    axes.plot(list(per_word), list(per_word.values()), "o-", color=PALETTE[0], markersize=4, label="BPE on this text")
    axes.plot([own[1]], [own[2]], "D", color=PALETTE[1], label=f"tokenizer of {own[0]}")
    axes.set(xscale="log", xlabel="vocabulary size", ylabel="tokens per word")
    axes.set_xticks(list(per_word), [str(size) for size in per_word])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    return figure
