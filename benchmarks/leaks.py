"""Leaks found and false alarms, on public data sets: python benchmarks/leaks.py [--data DIR] [--seeds 11 12]

200 gold texts of each set are planted in six variants of 200 rows each; 10,000 training rows that equal no gold text
serve as clean rows. Words are replaced by words of the set, at least one per text: "10%" of a text of three words is
one word. The thresholds were chosen on seeds 0 and 2 to 4; leaks.md has seeds 11 to 13, with other gold texts and
words.

Not all rows that equal no gold text are clean: the sets contain paraphrases ("What are the currency exchange fees?",
"What are your currency exchange fees?"). An alarm for a gold text with a different label is certainly false; these
have their own column.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable
from pathlib import Path

from slmkit.data.read_canonical import read_canonical
from slmkit.text.identity import Question
from slmkit.text.leak_index import Leak
from slmkit.text.leakage import find_leaks

DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = {
    "banking77": ("banking77/train.csv", "banking77/test.csv"),
    "clinc150": ("clinc150/data_full.json", "clinc150/data_full.json"),
    "snips": ("snips", "snips"),
}
TEMPLATES = (
    "hi there, {} thanks",
    "i was wondering: {}",
    "could you please help me with this? {}",
    "{} i would like to know",
    "one more thing. {} thank you so much",
)
Rows = list[tuple[str, str]]  # text, answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--data", type=Path, default=DATA, help="folder with the sets (default: ../shared/data)")
    parser.add_argument("--markdown", type=Path, help="also write the table to this file")
    options = parser.parse_args()
    lines = [
        "Share found of 200 planted leaks per kind, and share of 10,000 rows that equal no gold text but are reported",
        "as leaks: in total, and those with a different label than the gold text, which are certainly false. Most of",
        "the others differ from a gold text by one word",
        '("Why was my card declined?", "Why was my card payment declined?"). Printed by `benchmarks/leaks.py`.',
        "",
        "| set | seed | " + " | ".join(PLANTS) + " | reported | certainly false |",
        "|---" * (len(PLANTS) + 4) + "|",
    ]
    for name, paths in SETS.items():
        for seed in options.seeds:
            found, alarms, false, num_clean = measure(*(options.data / path for path in paths), seed=seed)
            shares = " | ".join(f"{share:.1%}" for share in found.values())
            lines.append(f"| {name} | {seed} | {shares} | {alarms / num_clean:.2%} | {false / num_clean:.2%} |")
            print(lines[-1], flush=True)
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n")


def measure(train: Path, test: Path, *, seed: int) -> tuple[dict[str, float], int, int, int]:
    """Recall by variant; on the clean rows the alarms, the certainly false alarms, and the number of rows."""
    rng = random.Random(seed)
    rows = [(row.input, row.target) for row in read_canonical(train).rows]
    if train == test:  # one file for both: remove repeats, then split
        rows = list({_letters(text): (text, answer) for text, answer in rows}.values())
        rng.shuffle(rows)
        held, rows = rows[:3000], rows[3000:]
    else:
        held = [(row.input, row.target) for row in read_canonical(test).rows]
    gold = rng.sample(held, 200)
    same = {_letters(text) for text, _ in gold}
    clean = [row for row in rows if _letters(row[0]) not in same]
    clean = rng.sample(clean, min(10_000, len(clean)))
    words = sorted({word for text, _ in rows for word in text.split()})
    found = {kind: _found([(plant(text, rng, words), a) for text, a in gold], gold) for kind, plant in PLANTS.items()}
    alarms = _leaks(clean, gold)
    return found, len(alarms), sum(clean[leak.row][1] != gold[leak.gold][1] for leak in alarms), len(clean)


def _letters(text: str) -> str:
    """The words of a text: not slmkit's own form, so that a change of that leaves the sample as it is."""
    return " ".join(re.findall(r"\w+", text.lower()))


def _found(planted: Rows, gold: Rows) -> float:
    return len(_leaks(planted, gold)) / len(planted)


def _leaks(rows: Rows, gold: Rows) -> list[Leak]:
    """At most one leak per row: the gold text most similar to it."""
    (texts, answers), (asked, targets) = zip(*rows, strict=True), zip(*gold, strict=True)
    return find_leaks([Question(t) for t in texts], [Question(t) for t in asked], answers=(answers, targets))


def _change_words(share: float) -> Callable[[str, random.Random, list[str]], str]:
    def change(text: str, rng: random.Random, words: list[str]) -> str:
        changed = text.split()
        for i in rng.sample(range(len(changed)), max(1, round(share * len(changed)))):
            changed[i] = rng.choice(words)
        return " ".join(changed)

    return change


PLANTS: dict[str, Callable[[str, random.Random, list[str]], str]] = {
    "exact": lambda text, rng, words: text,
    "case and space": lambda text, rng, words: f"  {text.upper().replace(' ', '  ')}\n",
    "punctuation": lambda text, rng, words: f"«{text.rstrip('?.!')}»..!",
    "10% of words": _change_words(0.1),
    "20% of words": _change_words(0.2),
    "template": lambda text, rng, words: rng.choice(TEMPLATES).format(text),
}

if __name__ == "__main__":
    main()
