"""Words of many scripts: spaced ones keep their marks, the others are cut into pairs of characters."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slmkit.text.words import count_words, search_terms, word_spans, words

UDHR = {  # article 1 of the Universal Declaration of Human Rights
    "English": "All human beings are born free and equal in dignity and rights. They are endowed with reason and "
    "conscience and should act towards one another in a spirit of brotherhood.",
    "Chinese": "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
    "Japanese": "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。"
    "人間は、理性と良心とを授けられており、互いに同胞の精神をもって行動しなければならない。",
    "Thai": "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ ต่างมีเหตุผลและมโนธรรม "
    "และควรปฏิบัติต่อกันด้วยเจตนารมณ์แห่งภราดรภาพ",
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Where's my CARD?", "where s my card"),
        ("C++ and C#, not C; CD4+ #1", "c++ and c# not c cd4 1"),
        ("C++ и C#, а не C", "c++ и c# а не c"),
        ("हिन्दी में किताबें", "हिन्दी में किताबें"),
        ("中国。日本 山", "中国 日本 山"),
        ("东京塔高333米", "东京 京塔 塔高 333 米"),
        ("スマートフォン", "スマ マー ート トフ フォ ォン"),
        ("ภาษาไทย", "ภา าษ ษา าไ ไท ทย"),
        ("བོད་ཡིག", "བོད ཡིག"),
        ("서울은 수도", "서울은 수도"),
    ],
)
def test_words_are_cut_by_script(text, expected):
    assert words(text) == expected.split()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("ＡＢＣ１２３ ｶﾞｷﾞ", "abc123 ガギ"),
        ("العَرَبِيَّة أحمد", "العـــربية احمد"),
        ("می‌خواهم", "مي خواهم"),
        ("क्‍ष ज़रूर पाँच १५", "क्ष जरूर पांच 15"),
        ("İstanbul ISPARTA", "istanbul ısparta"),
        ("Straße", "STRASSE"),
        ("ΑΘΗΝΑ ΟΔΟΣ", "Αθήνα οδός"),
        ("Ёлка", "елка"),
        ("שָׁלוֹם", "שלום"),
        ("ภาษา\u200bไทย", "ภาษาไทย"),
        ("soft\u00adware", "software"),
        (unicodedata.normalize("NFD", "Tiếng Việt 서울 ガ"), "tiếng việt 서울 ガ"),
        ("👍🏽 ☂️", "👍 ☂"),
    ],
)
def test_spellings_of_the_same_words_are_equal(a, b):
    assert words(a) == words(b) != []


def test_a_text_of_signs_has_no_word_and_a_pictograph_is_one():
    assert words("?!…—。") == words("") == []
    assert words("👨‍👩‍👧🇩🇪✓") == ["👨", "👩", "👧", "🇩🇪", "✓"]


def test_a_search_finds_one_chinese_character_and_a_korean_word_with_another_ending():
    assert "猫" in set(search_terms("猫吃鱼")) & set(search_terms("我的猫喜欢什么"))
    assert "서울" in set(search_terms("서울은 수도")) & set(search_terms("서울의 인구"))
    assert search_terms("iPhone15怎么") == ["iphone15", "怎么", "怎", "么"]
    assert search_terms("iPhone은") == ["iphone", "은"]
    assert search_terms("An oak") == ["an", "oak"]


@pytest.mark.parametrize(("language", "count"), [("English", 30), ("Chinese", 21), ("Japanese", 41), ("Thai", 32)])
def test_the_same_text_has_about_as_many_words_in_each_language(language, count):
    assert count_words(UDHR[language]) == count


@given(st.text())
def test_spans_cover_everything_but_space_in_order(text):
    assert "".join(text[a:b] for a, b in word_spans(text)) == "".join(text.split())
    assert count_words(text) == len(word_spans(text))


@given(st.text())
def test_words_do_not_depend_on_case_or_unicode_form(text):
    assert words(unicodedata.normalize("NFD", text)) == words(unicodedata.normalize("NFC", text))
    assert not any(" " in word for word in search_terms(text))
