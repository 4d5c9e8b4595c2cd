"""Systems without a chat model, on texts without spaces, with several spellings, and of signs alone."""

import json

import languages
import pytest

from slmkit.data.cleaning.label_errors import label_suspects
from slmkit.systems.embedding_classifier import embedding_classifier
from slmkit.systems.linear_svm import linear_svm
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.types import Example, Task

LABELS = Task("bank", "classification", "", ("挂失", "退款", "密码"))
CHINESE = [
    ("银行卡丢了怎么办", "挂失"), ("我的卡被偷了", "挂失"), ("卡找不到了要冻结", "挂失"), ("丢卡后怎么冻结", "挂失"),
    ("什么时候退款", "退款"), ("钱还没退回来", "退款"), ("我要退货退钱", "退款"), ("退款几天到账", "退款"),
    ("忘记密码了", "密码"), ("密码怎么改", "密码"), ("重置登录密码", "密码"), ("密码输错被锁", "密码"),
]  # fmt: skip
ASKED = [("卡被偷，请冻结", "挂失"), ("丢了卡", "挂失"), ("退钱要几天", "退款"), ("改密码", "密码"), ("退", "退款")]


def _run(folder, rows):
    chats = (
        {"id": str(i), "messages": [{"role": "user", "content": a}, {"role": "assistant", "content": b}]}
        for i, (a, b) in enumerate(rows)
    )
    (folder / "train.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats), encoding="utf-8")
    return folder


def _answers(system, texts):
    return [answer.text for answer in system.answer([Example(str(i), text, "") for i, text in enumerate(texts)])]


@pytest.mark.parametrize("classifier", [linear_svm, embedding_classifier])
def test_a_classifier_learns_chinese_labels(tmp_path, classifier):
    system = classifier(LABELS, train=_run(tmp_path, CHINESE))
    assert _answers(system, [text for text, _ in ASKED]) == [label for _, label in ASKED]


@pytest.mark.parametrize("classifier", [linear_svm, embedding_classifier])
def test_a_classifier_knows_a_word_in_another_spelling(tmp_path, classifier):
    rows = [("IPHONE 15", "a"), ("die Straße", "a"), ("Ёлка", "a"), ("PIXEL 9", "b"), ("der Weg", "b"), ("Сосна", "b")]
    system = classifier(LABELS, train=_run(tmp_path, rows))
    assert _answers(system, ["ｉｐｈｏｎｅ", "STRASSE", "елка", "pixel", "сосна"]) == ["a", "a", "a", "b", "b"]


def test_rows_of_signs_alone_train_a_classifier(tmp_path):
    rows = [("!!!", "angry"), ("...", "bored")] * 4
    assert _answers(linear_svm(LABELS, train=_run(tmp_path, rows)), ["!!!", "..."]) == ["angry", "bored"]
    assert label_suspects([text for text, _ in rows], [label for _, label in rows]) == []


def test_rows_of_pictographs_train_a_classifier(tmp_path):
    rows = [("😀👍", "good"), ("👍🏽🎉", "good"), ("😡👎", "bad"), ("👎🏿💩", "bad")]
    system = linear_svm(LABELS, train=_run(tmp_path, rows))
    assert _answers(system, ["👍🏿", "👎", "🎉🎉", "😡"]) == ["good", "bad", "good", "bad"]


def test_questions_without_a_passage_and_the_cutting_of_words_are_reported(tmp_path):
    rows = [{"id": str(i), "text": text} for i, (text, _) in enumerate(languages.CHINESE)]
    (tmp_path / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    system = retrieval_only(Task("t"), documents=tmp_path / "documents.jsonl")
    found = system.answer([Example(str(i), text, "") for i, (_, text) in enumerate(languages.CHINESE)])
    assert [answer.passages[0] for answer in found] == [str(i) for i in range(10)]
    assert _answers(system, ["quantum"]) == [""]
    assert system.notes == [
        "1 of 11 questions found no passage: they share no word with any",
        "10 of 11 questions are in a script without spaces between words: bm25 and lsa compare pairs of characters",
    ]
