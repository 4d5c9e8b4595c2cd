"""Masks personal data that has a fixed format: "mail me at a@b.org" -> "mail me at [EMAIL_ADDRESS]".

Covers e-mail addresses, card numbers and IBANs (both verified by their check digits), US social security numbers, IP
addresses, phone numbers and web addresses. Names, places and street addresses have no fixed format and are not masked:
finding them takes a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from slmkit.text.words import UNSPACED, is_unspaced

_DIGITS = re.compile(r"\D")
_DIGIT = re.compile(r"\d")


@dataclass(frozen=True)
class Span:
    """Personal data of one type at text[start:stop]."""

    type: str
    start: int
    stop: int


def mask_pii(text: str) -> str:
    """The text with personal data replaced by its type in square brackets."""
    parts, at = [], 0
    for span in find_pii(text):
        parts += [text[at : span.start], f"[{span.type}]"]
        at = span.stop
    return "".join(parts) + text[at:]


def find_pii(text: str) -> list[Span]:
    """The spans of personal data in order, without overlaps; if several types match, the most strictly checked one."""
    found: list[Span] = []
    signs = _signs_in(text)
    for type, sign, pattern, is_right in _UNSPACED if is_unspaced(text) else _SPACED:
        for match in pattern.finditer(text) if sign in signs else ():
            start, stop = match.span()
            if is_right(match.group()) and not any(span.start < stop and start < span.stop for span in found):
                found.append(Span(type, start, stop))
    return sorted(found, key=lambda span: span.start)


def _signs_in(text: str) -> set[str]:
    """Which signs of personal data the text has; without its sign, a pattern need not be searched for."""
    signs = {sign for sign in ("@", ":") if sign in text}
    if _DIGIT.search(text):
        signs.add("1")
    if "//" in text or "www." in text.lower():
        signs.add("//")
    return signs


def _is_card(number: str) -> bool:
    """Whether it has 12 to 19 digits and its Luhn sum ends in 0 (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in _DIGITS.sub("", number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return 12 <= len(digits) <= 19 and len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(number: str) -> bool:
    """Whether it is 1 modulo 97 with its first four characters moved to the end and letters as numbers (ISO 13616)."""
    plain = number.replace(" ", "").upper()
    turned = plain[4:] + plain[:4]
    return 15 <= len(plain) <= 34 and int("".join(str(int(character, 36)) for character in turned)) % 97 == 1


def _is_phone(number: str) -> bool:
    return 7 <= len(_DIGITS.sub("", number)) <= 15


def _is_anything(_: str) -> bool:
    return True


_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_Type = tuple[str, str, re.Pattern[str], Callable[[str], bool]]  # type, sign, pattern, check


def _types(*, unspaced: str = "") -> list[_Type]:
    """The patterns; letters of `unspaced` scripts are not part of the data, nor need they be separated from it.

    In "电话555-010-0123号" the number stands between two words without a space.
    """
    letter = rf"[^\W{unspaced}]"  # or a digit
    within = f"(?![{unspaced}])" if unspaced else ""
    name, part = rf"(?:{within}[\w.+-])+", rf"(?:{within}[\w-])+"
    sign = "，。；：！？）」』、"
    phone = rf"""(?<![+.,/$€£-])(?<!{letter})(?:
        \+\d{{1,3}}[ .-]?(?:\(?\d{{1,5}}\)?[ .-]?){{1,5}}\d{{2,5}}         # +44 20 7946 0958
      | (?:00\d{{1,3}}[ .-]|0\d{{1,4}}[ ./-])(?:\d{{1,5}}[ .-]?){{0,4}}\d{{2,5}}  # 0044 20 7946 0958, 07700 900 123
      | \(\d{{2,5}}\)[ .-]?\d{{2,5}}(?:[ .-]\d{{2,5}}){{0,3}}               # (555) 010-0123
      | \d{{3}}[ .-]\d{{3}}[ .-]\d{{4}} | \d{{2}}(?:[ -]\d{{2}}){{3,4}}             # 555-010-0123, 60-56-85-91
    )(?:[ ]?x\d{{1,5}})?(?!{letter}|-\d|[ .,]\d)"""
    iban = r"[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}|[a-z]{2}\d{2}[a-z0-9]{11,30}"
    return [
        ("EMAIL_ADDRESS", "@", re.compile(rf"{name}@{part}(?:\.{part})+"), _is_anything),
        ("IBAN_CODE", "1", re.compile(rf"(?<!{letter})(?:{iban})(?!{letter})"), _is_iban),
        ("CREDIT_CARD", "1", re.compile(r"(?<![\d+-])\d(?:[ -]?\d){11,18}(?![\d-])"), _is_card),
        ("US_SSN", "1", re.compile(r"(?<![\d-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\d-])"), _is_anything),
        ("IP_ADDRESS", "1", re.compile(rf"(?<![\d.])(?:{_OCTET}\.){{3}}{_OCTET}(?![\d.])"), _is_anything),
        ("IP_ADDRESS", ":", re.compile(r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])", re.I), _is_anything),
        (
            "DOMAIN_NAME",
            "//",
            re.compile(
                rf"(?<!{letter})(?:https?://[^\s<>\"'{sign}]+[^\s<>\"'.,;:!?){sign}]"
                rf"|www\.{part}(?:\.{part})+(?:{within}[\w/])*)",
                re.I,
            ),
            _is_anything,
        ),
        ("PHONE_NUMBER", "1", re.compile(phone, re.X), _is_phone),
    ]


_SPACED = _types()
_UNSPACED = [*_types(unspaced=UNSPACED), *_SPACED[:1]]  # also 我@例子.公司
