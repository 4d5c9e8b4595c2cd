"""The limits of the bundled models: three classifiers on the same rows of a real, labelled data set.

    python benchmarks/real_text.py train.csv test.csv --model nano

The bundled model with a classification head, all weights trained; the same architecture with random initial weights;
TF-IDF of words and word pairs with a linear SVM. Files in any format that `prepare` reads; texts are lower-cased, as
in the bundled models' training data.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

from slmkit.data.read_canonical import read_canonical
from slmkit.files import PACKAGE
from slmkit.statistics.intervals import wilson
from slmkit.statistics.paired_tests import paired_difference


def main() -> None:
    """Prints one line per classifier: accuracy, its interval, and the paired difference to the SVM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("test")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--rows", type=int, default=2000, help="number of training rows, sampled with seed 0")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--learning-rate", type=float, default=1e-3)
    options = parser.parse_args()
    train, test = read(options.train), read(options.test)
    train = random.Random(0).sample(train, min(options.rows, len(train)))
    right = {"TF-IDF + linear SVM": linear_svm(train, test)}
    for name, pretrained in ((f"{options.model} as shipped", True), (f"{options.model}, random weights", False)):
        right[name] = tuned(train, test, options, pretrained=pretrained)
    print(f"{len(train):,} training rows, {len(test):,} test rows, {len({label for _, label in train})} labels")
    for name, hits in right.items():
        low, high = wilson(sum(hits), len(hits))
        gap = paired_difference(hits, right["TF-IDF + linear SVM"])
        print(f"{name:24} {sum(hits) / len(hits):.3f} [{low:.3f}, {high:.3f}]  difference to the SVM {gap.value:+.3f}")


def read(path: str) -> list[tuple[str, str]]:
    """Rows (text, label) with lower-cased text."""
    return [(row.input.lower(), row.target) for row in read_canonical(Path(path)).rows]


def linear_svm(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> list[float]:
    """1 or 0 for each test row."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC())
    model.fit([text for text, _ in train], [label for _, label in train])
    predictions = model.predict([text for text, _ in test])
    return [float(one == label) for one, (_, label) in zip(predictions, test, strict=True)]


def tuned(
    train: list[tuple[str, str]], test: list[tuple[str, str]], options: argparse.Namespace, *, pretrained: bool
) -> list[float]:
    """1 or 0 for each test row, by a sequence classifier trained (all weights) with transformers' Trainer."""
    import torch
    import transformers

    folder = PACKAGE / "assets" / options.model
    labels = sorted({label for _, label in train})
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    config = transformers.AutoConfig.from_pretrained(folder, num_labels=len(labels), dtype="float32")
    torch.manual_seed(0)
    classifier: Any = transformers.AutoModelForSequenceClassification
    model = (
        classifier.from_pretrained(folder, config=config, dtype=torch.float32)
        if pretrained
        else classifier.from_config(config)
    )

    def encoded(rows: list[tuple[str, str]]) -> list[dict[str, Any]]:
        return [
            {"input_ids": tokenizer(" " + text, truncation=True, max_length=128)["input_ids"],
             "labels": labels.index(label)}
            for text, label in rows
        ]  # fmt: skip

    arguments = transformers.TrainingArguments(
        output_dir="runs/real_text",
        num_train_epochs=options.epochs,
        learning_rate=options.learning_rate,
        per_device_train_batch_size=32,
        per_device_eval_batch_size=128,
        train_sampling_strategy="group_by_length",
        lr_scheduler_type="linear",
        warmup_steps=50,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        use_cpu=not torch.cuda.is_available(),
    )
    trainer = transformers.Trainer(
        model=model, args=arguments, train_dataset=encoded(train), processing_class=tokenizer,
        data_collator=transformers.DataCollatorWithPadding(tokenizer),
    )  # fmt: skip
    trainer.train()
    model.eval()
    predictions: list[int] = []  # not by trainer.predict, which with group_by_length changes the order
    with torch.inference_mode():
        for start in range(0, len(test), 128):
            texts = [" " + text for text, _ in test[start : start + 128]]
            batch = tokenizer(texts, truncation=True, max_length=128, padding=True, return_tensors="pt")
            predictions += model(**batch.to(model.device)).logits.argmax(-1).tolist()
    return [float(labels[one] == label) for one, (_, label) in zip(predictions, test, strict=True)]


if __name__ == "__main__":
    main()
