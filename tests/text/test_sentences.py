"""Sentences end where each script says so, and no character is lost."""

import time

import pytest

from slmkit.text.sentences import split_sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["The tower was finished in 1889.", "It stands in Paris, by the river.", "Nobody liked it then."],
        ["Version 2.5 is out, e.g. now."],
        ['He said "no."', "Then he left (for good!).", "Why?"],
        ["Она сказала: да.", "Потом ушла, т. е. домой."],
        ["هل تفتح المكتبة؟", "نعم.", "تفتح غدا"],
        ["यह किताब है।", "वह कलम है॥", "ठीक?"],
        ["Γεια σου.", "Ήρθε."],
    ],
)
def test_sentences_of_spaced_scripts_end_before_a_capital_or_where_there_are_none(sentences):
    assert split_sentences(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    "sentences",
    [
        ["他说：“好。”", "我走了！", "你呢？！", "价格是３.５元。"],
        ["「はい。」と言った。", "（終わり。）", "次は？"],
        ["你好吗?", "我很好!", "真的"],
        ["បណ្ណាល័យបើក។", "ម៉ោងប្រាំបួន៕"],
    ],
)
def test_sentences_of_unspaced_scripts_need_no_space(sentences):
    assert split_sentences("".join(sentences)) == sentences


def test_thai_clauses_end_at_a_space():
    assert split_sentences("แมวชอบปลา หมาชอบเนื้อ 2 ชิ้น") == ["แมวชอบปลา", "หมาชอบเนื้อ 2 ชิ้น"]


@pytest.mark.parametrize("text", ["." * 100_000, "!" * 100_000, "猫!" + '"' * 100_000, "." + " " * 100_000 + "-"])
def test_long_runs_of_signs_take_a_moment(text):
    start = time.perf_counter()
    assert split_sentences(text) == [text]
    assert time.perf_counter() - start < 2  # minutes, if each sign of the run were tried as its start


def test_runs_of_signs_end_one_sentence():
    assert split_sentences("Why?!... Yes!!! 猫!?犬") == ["Why?!...", "Yes!!!", "猫!?", "犬"]
