"""Finds Chinese, Japanese and Korean encodings of a few words amid English, which need several bytes per character.

A detector judges the whole text, which is mostly ASCII. Here only the words outside ASCII count: they must be made of
the characters that these languages use most.

    b"\\x8e\\xe6\\x8f\\xc1"    cp932: "取消"        mac_roman: "éÊè¡"
    b"\\xc8\\xa1\\xcf\\xfb"    gb18030: "取消"      cp949: "혤句", which mixes two scripts in a word
"""

from __future__ import annotations

import re
from collections.abc import Callable

_WORD = re.compile(r"[^\x00-\x7f]+")
_INSIDE = re.compile(r"[A-Za-z][^\x00-\x7f](?![^\x00-\x7f])")  # one character after a letter: "don't", "café" misread
_KANA = re.compile("[\u3041-\u30ff]")
_HANGUL = re.compile("[\uac00-\ud7a3]+")
_FULL_WIDTH = re.compile("[\u3000-\u303f\uff00-\uff60\uffe0-\uffe6]")  # punctuation of all of these languages
_LEVEL_ONE = range(0xB0, 0xD8)  # first bytes of the 3,755 most frequent characters in GB 2312
_KOI8 = range(0xC0, 0xE0)  # small letters of koi8-r, in which every word has an even number of letters by chance
_JIS_LEVEL_ONE = range(0x88, 0x99)  # first bytes of the frequent kanji in Shift JIS
_BIG5_FREQUENT = range(0xA4, 0xC7)
_MOSTLY = 0.9  # of the characters


def wide_encodings(sample: bytes) -> list[str]:
    """The encodings in which all words outside ASCII are Chinese, Japanese or Korean, the likeliest first."""
    found = [name for name, strict, fits in _ENCODINGS if _fits(sample, strict, fits)]
    return list(dict.fromkeys(found))


def _fits(sample: bytes, encoding: str, fits: Callable[[str], bool]) -> bool:
    whole = sample[: sample.rfind(b"\n") + 1] or sample  # a cut line may end inside a character
    try:
        text = whole.decode(encoding)
    except UnicodeDecodeError:
        return False
    if _INSIDE.search(text):
        return False
    words = [plain for word in _WORD.findall(text) if (plain := _FULL_WIDTH.sub("", word))]
    return bool(words) and fits("".join(words)) and all(map(_is_written_alike, words))


def _is_written_alike(word: str) -> bool:
    """Whether a word is all Hangul or has none: Korean writes few Chinese characters, and none inside words."""
    return bool(_HANGUL.fullmatch(word)) or not _HANGUL.search(word)


def _is_japanese(text: str) -> bool:
    """Whether a text has kana, which Japanese texts have, and otherwise Chinese characters; no half-width kana."""
    kana = len(_KANA.findall(text))
    return kana >= 0.1 * len(text) and all(_KANA.match(one) or "\u4e00" <= one <= "\u9fff" for one in text)


def _is_korean(text: str) -> bool:
    return _HANGUL.fullmatch(text) is not None


def _is_chinese(text: str) -> bool:
    """Whether most characters are frequent ones; small letters of koi8-r would be frequent ones too."""
    pairs = [one.encode("gb18030") for one in text]
    frequent = sum(len(pair) == 2 and pair[0] in _LEVEL_ONE and pair[1] > 0xA0 for pair in pairs)
    return frequent >= _MOSTLY * len(text) and not all(byte in _KOI8 for pair in pairs for byte in pair)


def _is_kanji(text: str) -> bool:
    """Whether most characters are frequent in Japanese: a few words can be without kana."""
    return sum(one.encode("cp932")[0] in _JIS_LEVEL_ONE for one in text) >= _MOSTLY * len(text)


def _is_traditional(text: str) -> bool:
    return sum(one.encode("big5")[0] in _BIG5_FREQUENT for one in text) >= _MOSTLY * len(text)


# euc_kr has no Hangul with ASCII bytes, as cp949 does, so that it does not fit "don't" in Windows-1252.
_ENCODINGS = (
    ("cp932", "cp932", _is_japanese),
    ("euc_jp", "euc_jp", _is_japanese),
    ("cp949", "euc_kr", _is_korean),
    ("gb18030", "gb18030", _is_chinese),
    ("cp932", "cp932", _is_kanji),
    ("big5", "big5", _is_traditional),
)
