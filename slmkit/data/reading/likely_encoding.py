"""Ranks the one-byte encodings of a text by how usual its letters are in languages that are written in each.

    b"\\xfeehir"    cp1254: "şehir", a usual Turkish letter      cp1252: "þehir", a rare one, of Icelandic only

For a few words this decides better than a general detector, which needs more text. Encodings with several bytes per
letter are not ranked: a few bytes rarely form valid letters by chance, and a detector recognises them.
"""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import dataclass

_WORD = re.compile(r"\w[\w'’]*")
_UNUSUAL = -9.0  # log probability of a character that the language does not have
_SIGN, _RARE_SIGN = -3.5, -6.0  # of the signs that any language uses
_SIGNS = frozenset("€£§°–—‘’“”„…«»•\N{NO-BREAK SPACE}")
_RARE_SIGNS = frozenset("·©®™№½¼²±×´¿¡ºª‚‹›")
_PENALTY = -6.0  # for a word that is not written like one: "прИвет", "приvet", "éèêà", "±Ύ©"
_CAPITALS = -2.0  # for a word in capitals: koi8-r and cp1251 exchange capitals and small letters
_SIGN_IN_WORD = re.compile(r"(?<=[^\W\d_])[^\w\s\x00-\x7f’·–—…](?=[^\W\d_])")  # "a±b"
_MOST_ACCENTED = 0.6  # share of accented letters in a word of the Latin script


@dataclass(frozen=True)
class _Language:
    encoding: str
    letters: str  # outside ASCII, the most frequent first
    prior: float  # how much rarer its files are: a log probability, 0 for the languages of cp1252

    @property
    def is_latin(self) -> bool:
        return "LATIN" in _script(self.letters[0])


_CYRILLIC = "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё"
_LANGUAGES = [
    _Language("cp1252", "éèàêçùâîôûëïœæ", 0),  # French
    _Language("cp1252", "üäöß", 0),  # German
    _Language("cp1252", "óíáñéúü", 0),  # Spanish
    _Language("cp1252", "ãçéáíóêõúâàôü", 0),  # Portuguese
    _Language("cp1252", "äåöøæé", 0),  # Nordic languages
    _Language("cp1252", "èàòùìé", 0),  # Italian
    _Language("cp1252", "éëïèöüêâ", 0),  # Dutch, and foreign words in English
    _Language("cp1252", "íáðéóæúöþý", -4),  # Icelandic
    _Language("cp1250", "ąęłóśżćńź", -1),  # Polish
    _Language("cp1250", "íáéěýřčžšůúťňďó", -1),  # Czech, Slovak
    _Language("cp1250", "áéöóőüíúű", -1),  # Hungarian
    _Language("cp1250", "ăîţâşșț", -2),  # Romanian
    _Language("cp1250", "čšžćđ", -2),  # Croatian, Slovenian
    _Language("cp1254", "ıüşğçöâîû", -1),  # Turkish
    _Language("cp1257", "āīēšļņūčžģķėąųįęõäöü", -3),  # Baltic languages
    _Language("cp1251", _CYRILLIC, -1),
    _Language("cp1251", "оаинвтеріслкдмуязпьбгчйхжїцюєшщфґ", -2),  # Ukrainian
    _Language("koi8-r", _CYRILLIC, -2),
    _Language("cp866", _CYRILLIC, -3),
    _Language("cp1253", "αοιετσνηυρπκμλςάίόγέωήδθύχφβώξζψ", -2),
    _Language("cp1255", "יוהלאתרבמשנדקםפעחגצטסכזןךףץ", -2),
    _Language("cp1256", "اليمنتروبعدسفهكقحةجصىشأطخضذغثزظئءإآؤ،؟", -2),
    _Language("mac_roman", "éèàêçùâîô", -4),
    _Language("mac_roman", "üäöß", -4),
    _Language("mac_roman", "óíáñéúü", -4),
]


def ranked_encodings(sample: bytes) -> list[str]:
    """The encodings in which the text reads like a language, the likeliest first; [] if it does in none.

    sample: whole lines with characters outside ASCII.
    """
    best: dict[str, float] = {}
    num_bytes = sum(byte > 0x7F for byte in sample)
    for language in _LANGUAGES:
        try:
            text = sample.decode(language.encoding)
        except UnicodeDecodeError:
            continue
        score = _log_probability(text, language) + language.prior
        if score > num_bytes * _UNUSUAL / 2:
            best[language.encoding] = max(score, best.get(language.encoding, -math.inf))
    return sorted(best, key=lambda encoding: -best[encoding])


def _log_probability(text: str, language: _Language) -> float:
    """That of the characters outside ASCII, by Zipf's law over the language's letters; unlike words cost extra."""
    total: float = sum(1 / (rank + 2) for rank in range(len(language.letters)))
    known: dict[str, float] = {letter: -math.log((rank + 2) * total) for rank, letter in enumerate(language.letters)}
    score = 0.0
    for character in text:
        if not character.isascii():
            score += known[lower] if (lower := _lower(character)) in known else _log_probability_of_sign(character)
    words = [word for word in _WORD.findall(text) if not word.isascii()]
    odd: int = sum(_is_odd(word, language) for word in words) + len(_SIGN_IN_WORD.findall(text))
    capitals: int = sum(len(word) > 1 and word.isupper() for word in words)
    return score + _PENALTY * odd + _CAPITALS * capitals


def _log_probability_of_sign(character: str) -> float:
    return _SIGN if character in _SIGNS else _RARE_SIGN if character in _RARE_SIGNS else _UNUSUAL


def _is_odd(word: str, language: _Language) -> bool:
    """Whether a word mixes cases or scripts, or has more accents than words of the Latin script have."""
    if re.search(r"[^\W\d_\x00-\x7f]\d", word):  # "Ł5" is rather "£5"
        return True
    letters = [character for character in word if character.isalpha()]
    outside = [character for character in letters if not character.isascii()]
    if any(not character.isalpha() and not character.isascii() and character != "’" for character in word):
        return True
    if any(before.islower() and after.isupper() for before, after in itertools.pairwise(letters)):
        return True
    if not language.is_latin:
        return len(outside) != len(letters)
    return len(letters) > 2 and len(outside) > _MOST_ACCENTED * len(letters)


def _lower(character: str) -> str:
    return "ı" if character == "İ" else character.lower()


def _script(character: str) -> str:
    import unicodedata

    return unicodedata.name(character, "")
