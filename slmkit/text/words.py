"""Cuts text into words by script: between spaces where a script writes them, into pairs of characters where not.

    "Where's my CARD?"    where s my card         signs separate words
    "C++ and C#, not C"   c++ and c# not c        but "++" after a word and "#" after a single letter belong to it
    "हिन्दी में"              हिन्दी में                   a vowel sign belongs to its word (Python's \\w excludes it)
    "iPhone15怎么充电"     iphone15 怎么 么充 充电   Chinese, Japanese: overlapping pairs of characters
    "ภาษาไทย"             ภา าษ ษา าไ ไท ทย         Thai, Lao, Khmer, Burmese: the same, letters with their marks

Pairs of characters are the practice of Lucene's CJKAnalyzer: they need no dictionary, and cut a question like its
answer. Spellings of one word become equal: case, full width, digits of any script, and what writers leave out (vowel
marks of Arabic and Hebrew, Greek accents, the dots of ё and İ, Hindi's nukta), as in Lucene's normalisers. Characters
that are not shown are left out (Unicode's Default_Ignorable_Code_Point).
"""

from __future__ import annotations

import functools
import re
import unicodedata
from itertools import pairwise

from slmkit.text.look_alikes import without_look_alikes

_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KANA = (
    "\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    "\uff66-\uff9f"
)
_THAI_LAO = "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf"
_KHMER = "\u1780-\u17d3\u17d7\u17dc\u17dd"
_BURMESE = "\u1000-\u103f\u1050-\u108f\u109a-\u109d\ua9e0-\ua9ef\ua9fa-\ua9fe\uaa60-\uaa7f"
CJK = _HAN + _KANA  # scripts without spaces between words, as the inside of a character class; so the next two
ALPHABETS = _THAI_LAO + _KHMER + _BURMESE
UNSPACED = CJK + ALPHABETS

_PLAIN = re.compile(r"\w+")
_SIGNED = re.compile(r"\b[^\W\d_]#|\w+(?:\+\+)?")
_UNSPACED = re.compile(f"[{UNSPACED}]")
_IS_HAN = re.compile(f"[{_HAN}]")
_KOREAN = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7af"
_HANGUL = re.compile(f"([{_KOREAN}]+)")
_SPACED = re.compile(r"\S+")
_OPENING = "(\\[{<「『（［｛〈《【〔“‘«"
_FLAG, _TAGS = "\U0001f3f4", "".join(map(chr, range(0xE0020, 0xE0080)))  # they are seen in flags only: of Wales
_PICTOGRAPH = "[\U0001f1e6-\U0001f1ff]{2}|[\u2600-\u27bf\U0001f000-\U0001faff]"


def words(text: str) -> list[str]:
    """The words of a text in folded form, see above; without a letter, a digit or a pictograph it has none."""
    folded, is_plain = _fold(text)
    if is_plain:
        return _plain_words(folded)
    return [piece for word in _pattern().finditer(folded) for piece in (_pairs(word[1]) if word[1] else [word[0]])]


def search_terms(text: str) -> list[str]:
    """The words by which a search finds a text: `words`, each Chinese character, and Korean in pairs of syllables.

    "猫吃鱼" and "猫喜欢什么" share no pair but a word, 猫; "서울은" and "서울의" are a word with two endings.
    Source: Nie, Gao, Zhang and Zhou 2000, https://doi.org/10.1145/355214.355235 (pairs and single characters together
    retrieve Chinese best); Lucene's CJKBigramFilter, which pairs Korean too.
    """
    folded, is_plain = _fold(text)
    if is_plain:
        return _plain_words(folded)
    terms = []
    for match in _pattern().finditer(folded):
        word = match[0]
        if match[1]:
            terms += _pairs(word)
            if len(word) > 1:
                terms += _IS_HAN.findall(word)
        else:
            parts = _HANGUL.split(word)  # at even places what is not Korean: "iphone은" -> "iphone", "은", ""
            terms += [term for i, part in enumerate(parts) if part for term in (_pairs(part) if i % 2 else [part])]
    return terms


def spelled_alike(text: str) -> str:
    """The text with one spelling per word, see above; its signs and spaces are kept.

    In a word that mixes scripts, letters that look like those of the other script become these.
    """
    return without_look_alikes(_fold(text)[0])


def terms_or_signs(text: str) -> list[str]:
    """The `search_terms`; of a text of signs alone, the signs as one term, so that every text has a feature."""
    return search_terms(text) or text.split() or [""]


def count_words(text: str) -> int:
    """Number of words, for lengths: parts between spaces, or for other scripts by rule of thumb: `word_spans`."""
    return len(word_spans(text)) if is_unspaced(text) else len(text.split())


def word_spans(text: str) -> list[tuple[int, int]]:
    """Start and end of each word: "an oak" -> [(0, 2), (3, 6)]; signs belong to the word beside them.

    In scripts without spaces a word is two characters of Chinese or Japanese, or four of Thai, Lao, Khmer or Burmese
    and the marks that follow: article 1 of the Universal Declaration of Human Rights has 30 words in English, and in
    Chinese 39, in Japanese 78, in Thai 129 characters without signs, which is 1.3, 2.6 and 4.3 per English word.
    """
    pattern = _spans_unspaced() if is_unspaced(text) else _SPACED
    return [match.span() for match in pattern.finditer(text)]


def is_unspaced(text: str) -> bool:
    """Whether the text contains a script that is written without spaces between words."""
    return not text.isascii() and _UNSPACED.search(text) is not None


def _plain_words(folded: str) -> list[str]:
    return (_SIGNED if "#" in folded or "++" in folded else _PLAIN).findall(folded)


def _fold(text: str) -> tuple[str, bool]:
    """The text with one spelling per word, and whether it has no marks, pictographs, or scripts cut in pairs."""
    if text.isascii():
        return text.lower(), True
    text = unicodedata.normalize("NFKC", text)
    if "\u200c" in text:  # Persian separates the parts of a word by it, or by a space; Hindi joins letters
        text = re.sub("(?<=[\u0600-\u06ff])\u200c", " ", text)
    chars, table = set(text), _folded()
    if _FLAG not in chars and not chars.isdisjoint(_TAGS):
        text = text.translate(dict.fromkeys(map(ord, _TAGS)))
    if not table.keys().isdisjoint(map(ord, chars)):
        text = text.translate(table)
    return text.casefold(), _special().search("".join(chars)) is None


def _pairs(run: str) -> list[str]:
    """Overlapping pairs of characters, each a letter with its marks: 不用谢 -> 不用 用谢; a single one is kept."""
    if run.isalpha() and len(run) > 1:  # no marks: the same, five times as fast
        return [run[i : i + 2] for i in range(len(run) - 1)]
    units = _clusters().findall(run)
    return [a + b for a, b in pairwise(units)] or units


@functools.cache
def _spans_unspaced() -> re.Pattern[str]:
    pair = f"[{CJK}]{{1,2}}"
    letters = f"[{ALPHABETS}]{{1,4}}(?:(?=[{combining_marks()}])[{ALPHABETS}])*"
    other = rf"[^\s{UNSPACED}{_OPENING}]+"
    following = rf"(?:(?![{_OPENING}])[^\w\s])*"
    return re.compile(f"[{_OPENING}]*(?:{pair}|{letters}|{other}){following}|[{_OPENING}]+")


@functools.cache
def _clusters() -> re.Pattern[str]:
    return re.compile(f".[{combining_marks()}]*", re.DOTALL)


@functools.cache
def combining_marks() -> str:
    """The combining marks, as the inside of a character class; above U+FFFF those of Chakma and Adlam."""
    marks = [chr(code) for code in range(0x300, 0x10000) if unicodedata.category(chr(code)).startswith("M")]
    return "".join(marks) + "\U00011100-\U00011134\U0001e944-\U0001e94a"


@functools.cache
def _special() -> re.Pattern[str]:
    """A character that the pattern of plain words does not cut rightly."""
    return re.compile(f"[{UNSPACED}{_KOREAN}{combining_marks()}]|{_PICTOGRAPH}")


@functools.cache
def _pattern() -> re.Pattern[str]:
    """The words of any script; group 1 is a run of an unspaced script."""
    runs = "|".join(f"[{script}]+" for script in (CJK, _THAI_LAO, _KHMER, _BURMESE))
    letters = rf"[^\W{UNSPACED}]"
    return re.compile(
        rf"({runs})|\b[^\W\d_{UNSPACED}]#|{letters}+(?:[{combining_marks()}]+{letters}*)*(?:\+\+)?|{_PICTOGRAPH}"
    )


@functools.cache
def _folded() -> dict[int, str | None]:
    """Characters that are replaced, or removed if None."""
    table: dict[int, str | None] = {ord(a): b for a, b in zip("ёЁıİآأإٱىیکँ", "еЕiiااااييكं", strict=True)}
    table |= dict.fromkeys([0x640, 0x93C, *range(0x1F3FB, 0x1F400)])  # skin colours
    table |= dict.fromkeys(
        [0x34F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2065, *range(0x180B, 0x1810), *range(0xFE00, 0xFE10)]
    )
    table |= dict.fromkeys([*range(0xFFF0, 0xFFF9), *range(0xE0000, 0xE0020), *range(0xE0100, 0xE01F0)])  # not shown
    for code in range(0x80, 0x1F000):
        char = chr(code)
        kind = unicodedata.category(char)
        if kind == "Nd":
            table[code] = str(unicodedata.decimal(char))
        elif kind == "Cf" or (kind == "Mn" and 0x590 <= code < 0x700):
            table[code] = None
        elif (0x370 <= code < 0x400 or 0x1F00 <= code < 0x2000) and kind.startswith("L"):
            table[code] = unicodedata.normalize("NFD", char)[0]
            if table[code] == char:
                del table[code]
    return table
