"""Identifies the language of texts: 14 languages by script and common words, or 97 with the package py3langid."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

_WORDS = {
    "en": "the of and to is in that it for was with as on are this what how my you have",
    "de": "der die und das ist nicht ein eine zu mit den auf für ich im von dem sich auch wie",
    "fr": "le la les de des et est un une que dans pour pas je vous sur avec qui ce du",
    "es": "el la los de y que es en un una por con para no se las del mi como lo",
    "it": "il di che e la un una per non è sono con del della mi come le i si ho",
    "pt": "o a de que e do da em um uma para não os no na com se por as meu",
    "vi": "và của là không một có cho được trong tôi này với các người để như khi đã những",
}
_COMMON = {language: frozenset(words.split()) for language, words in _WORDS.items()}
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "ko": re.compile(r"[\uac00-\ud7af]"),
    "zh": re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]"),
    "ru": re.compile(r"[\u0400-\u04ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPT_SHARE = 0.2  # of the letters: Japanese is mostly kanji, and any text may contain Latin names
_WORD_SHARE = 0.08  # of the words that must be among a language's twenty most common ones

_MIN_PROBABILITY = 0.3  # of py3langid: "freeze my card" has 0.31, "ok" 0.01
_NO_LANGUAGE = "zxx"  # ISO 639-3: no linguistic content


def find_language(texts: Sequence[str]) -> str | None:
    """The two-letter code of the main language of the texts, or None if it is unclear.

    A script counts as the language most written in it: Cyrillic as ru, Devanagari as hi.
    """
    text = unicodedata.normalize("NFKC", " ".join(texts))  # full-width letters; accents as part of their letter
    letters = len(_LETTER.findall(text))
    if not letters:
        return None
    for language, script in _SCRIPTS.items():
        if len(script.findall(text)) >= _SCRIPT_SHARE * letters:
            return language
    words = Counter(re.findall(r"[^\W\d_]+", text.lower()))
    shares = {language: sum(words[word] for word in common) for language, common in _COMMON.items()}
    best = max(shares, key=lambda language: shares[language])
    return best if shares[best] >= _WORD_SHARE * words.total() else None


def identify_language(text: str) -> str | None:
    """The two-letter code of the language of a text by py3langid, or None if it is unclear."""
    label, probability = _identifier()(text)
    return label if probability >= _MIN_PROBABILITY and label != _NO_LANGUAGE else None


@functools.cache
def _identifier() -> Callable[[str], tuple[str, float]]:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    return identifier.classify  # type: ignore[no-any-return]
