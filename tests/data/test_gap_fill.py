"""Gap-fill questions of many scripts: every question has its gap, and the answer fits into it."""

from pathlib import Path

import pytest

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.gap_fill import GAP, gap_fill


def _asked(text):
    return [(q.input, q.target) for q in gap_fill([CanonicalRow({"text": text}, text, "", Path("a.md"), 1)])]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("该塔于1889年完工，高330米，位于巴黎。", [("该塔于____年完工，高330米，位于巴黎。", "1889")]),
        ("公司iPhone的销量今年增长了很多倍。", [("公司____的销量今年增长了很多倍。", "iPhone")]),
        ("このスマートフォンはとても高いですね。", [("この____はとても高いですね。", "スマートフォン")]),
        ("ห้องสมุดเปิด 9 โมงเช้าและปิดสองทุ่มในวันธรรมดา", [("ห้องสมุดเปิด ____ โมงเช้าและปิดสองทุ่มในวันธรรมดา", "9")]),
        (
            "यह पुस्तकालय सुबह नौ बजे सभी विद्यार्थियों के लिए खुलता है।",
            [("यह पुस्तकालय सुबह नौ बजे सभी ____ के लिए खुलता है।", "विद्यार्थियों")],
        ),
        ("图书馆周一到周五早上九点开门。", []),  # no word can be told from its neighbours
    ],
)
def test_the_gap_is_a_whole_word_in_every_script(text, expected):
    assert _asked(text) == expected


def test_a_number_with_a_letter_behind_it_becomes_a_gap():
    text = "The scan was made in a 1.5T machine of the clinic. The group SYBR-14 had 14 frozen samples of blood."
    asked = _asked(text)
    assert [target for _, target in asked] == ["1.5", "14"]
    assert all(question.count(GAP) == 1 and question.replace(GAP, target) in text for question, target in asked)
