"""Labels in the gold set only, and labels in the training rows only, are in the verdict."""

import json

from slmkit.evaluation.unseen_labels import unseen_labels
from slmkit.recipe.call import Part
from slmkit.types import Example, ModelRef, Task

TASK = Task("bank", "classification", labels=("card", "fee", "out of scope"))
EXAMPLES = [Example(str(i), f"question {i}", "out of scope" if i < 3 else "card") for i in range(10)]


def trained(folder, *labels):
    """The folder of a training run, made from prepared rows with these labels."""
    for name in ("prepare", "train"):
        (folder / name).mkdir(parents=True)
    rows = [
        {"messages": [{"role": "user", "content": "?"}, {"role": "assistant", "content": label}]} for label in labels
    ]
    (folder / "prepare/train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    record = {"inputs": [{"kind": "recipe", "dir": str(folder / "prepare")}]}
    (folder / "train/recipe.json").write_text(json.dumps(record))
    return folder


def part(**arguments):
    return Part("systems", "prompt", print, arguments)


def test_gold_labels_that_no_training_row_has_are_named_with_their_questions(tmp_path):
    folder = trained(tmp_path, "card", "card")
    parts = {
        "prompt": part(model=ModelRef("nano", "nano")),
        "SVM": part(train=folder / "prepare"),
        "tuned": part(model=ModelRef("loop/train", str(folder / "train"))),
    }
    text = unseen_labels(TASK, parts, EXAMPLES)
    assert text == (" 1 label ('out of scope') never occurs in the training rows of SVM, tuned: 3 of 10 questions.")
    assert unseen_labels(TASK, {"prompt": parts["prompt"]}, EXAMPLES) == ""
    assert unseen_labels(Task("free"), parts, EXAMPLES) == ""


def test_training_labels_without_a_gold_question_are_named(tmp_path):
    folder = trained(tmp_path, "card", "fee", "out of scope")
    text = unseen_labels(TASK, {"few-shot": part(examples=folder / "prepare")}, EXAMPLES)
    assert text == " 1 label ('fee') of the training rows is not tested."


def test_a_label_is_the_last_answer_of_a_chat_in_any_format(tmp_path):
    folder = trained(tmp_path, "card")
    asked = {"role": "user", "content": "?"}
    chats = [
        [asked, {"role": "assistant", "content": "fee"}, {"role": "user", "content": "thanks"}],
        [{"from": "human", "value": "?"}, {"from": "gpt", "value": "out of scope"}],
    ]
    (folder / "prepare/train.jsonl").write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    text = unseen_labels(TASK, {"few-shot": part(examples=folder / "prepare")}, EXAMPLES)
    assert "'card'" in text and "'thanks'" not in text and "'fee') of the training rows is not tested" in text
