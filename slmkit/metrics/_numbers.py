"""Finds the last number of a text and reads it as people write numbers. `match.numeric` states the rules."""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from fractions import Fraction

from slmkit.metrics import _units
from slmkit.metrics._text import compatible

_MAX_SIZE = 1000  # digits, or exponent: beyond, a number equals only what is written like it

_CODE = re.compile(
    r"(?<![A-Za-z])(USD|EUR|GBP|CHF|INR|RUB|JPY|CNY|RMB|KRW|SEK|NOK|DKK|ISK|PLN|CZK|HUF|CAD|AUD|NZD|HKD|SGD|BRL|MXN|ZAR"
    r"|ILS|THB|VND|UAH|Rs|kr)\.? ?\Z",
    re.IGNORECASE,
)
_MINUS = re.compile(r"(?<![\d)%] )(?<!\b[^\W\d_] )(?<!\bor )\b(?:minus|negative) \Z", re.IGNORECASE)  # not 9 minus 5
_SPACED = r"(?<!\d[ ])(?<![\d.,])[1-9]\d{0,2}(?:[ ]\d{3})+(?![ ]?\d)(?:[.,]\d+(?![.,]?\d))?"
_NUMBER = re.compile(
    rf"""
    (?=[-+.\d$€£₹₽¥₩₺₴₫₪฿])                                                       # not needed, but three times as fast
    (?P<sign>(?<![\w%)])[-+])?(?P<currency>[$€£₹₽¥₩₺₴₫₪฿]\ ?)?(?P<sign_inside>(?<![\w%)])[-+])?
    (?: (?P<hyphens>\d+(?:-\d+){{2,}})
      | (?P<coded>0(?:x[0-9a-f]+|b[01]+)(?!\w))
      | (?P<ones>\d{{1,9}})\ (?P<above>\d{{1,9}})/(?P<below>\d{{1,9}})(?![\d/])
      | (?P<core>{_SPACED}|\d+(?:[.,'_]\d+)*|(?<![\w.])\.\d+)
        (?: (?:e|\ ?[×x*·⋅]\ ?10(?:\^|\*\*))(?P<exponent>[-+]?\d+)(?!\w)
          | (?:\^|\*\*)(?P<power>[-+]?\d+)
          | /(?P<divisor>\d+(?:[.,]\d+)*)(?!/?\d)
          | (?P<rest>(?:[:/]\d+)+|h[0-5]\d(?!\w))
        )?
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GROUPED = re.compile(r"[1-9]\d{0,2}([.,'_ ])\d{3}(?:\1\d{3})*|[1-9]\d?(?:,\d\d)+,\d{3}")  # 1.234.567, 12,34,567
_OTHER_DIGIT = re.compile(r"(?![0-9])\d")
_LATEX = {
    r"(?<=\d)\s*(?=\\[dt]?frac)": " ",
    r"\\[dt]?frac\s*\{\s*(\d+)\s*\}\s*\{\s*(\d+)\s*\}": r"\1/\2",
    r"\^\s*\{\s*([-+]?\d+)\s*\}": r"^\1",
    r"\{,\}": ",",
    r"\\(?:times|cdot)\b": "×",
    r"\\(?=[%$])": "",
}


@dataclass(frozen=True)
class Number:
    """A number with its unit, or several numbers written as one: a time, date, ratio or version."""

    value: Fraction | tuple[str, ...]
    unit: str  # "" if none is written, or none that is known


def last_number(text: str, *, decimal: str = "", fallback: str = "") -> Number | None:
    """The last number of the text, or None.

    decimal: the decimal mark if it is known. Otherwise it is the one that the text's numbers show, or else `fallback`,
    or else the point.
    """
    plain, matches = _found(text)
    if not matches:
        return None
    free = (match for match in reversed(matches) if not _is_in_a_word(plain, match.start()))
    last = next(free, matches[-1])
    return _number(plain, last, decimal or _shown(matches) or fallback or ".")


def decimal_mark(text: str) -> str:
    """The decimal mark that the text's numbers show, those at its end before others; "" if they show none.

    "4,50 €" and "1.234.567" show a comma; "1,234" and "1.234" show none.
    """
    return _shown(_found(text)[1])


def same_number(one: Number, other: Number, *, tolerance: float = 0.0) -> bool:
    """Whether the values differ by at most the tolerance, and the units do not differ if both are known."""
    if not _units.may_be_same(one.unit, other.unit):
        return False
    if isinstance(one.value, Fraction) and isinstance(other.value, Fraction):
        return one.value == other.value or abs(one.value - other.value) <= Fraction(str(tolerance))
    return one.value == other.value


@functools.lru_cache(maxsize=16)  # a target is searched for its decimal mark and then for its last number
def _found(text: str) -> tuple[str, list[re.Match[str]]]:
    plain = _readable(text)
    return plain, list(_NUMBER.finditer(plain))


def _readable(text: str) -> str:
    if not text.isascii():
        text = compatible(text).replace("٫", ".").replace("٬", ",")
        text = _OTHER_DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    if "\\" in text or "{" in text:
        for pattern, plain in _LATEX.items():
            text = re.sub(pattern, plain, text)
    return text


def _is_in_a_word(text: str, start: int) -> bool:
    """Whether letters precede: km2, CO2, x^2, GPT-4. Such a number counts if the text has no other."""
    before = text[max(0, start - 5) : start]
    return re.search(r"[\^_]\Z|[A-Za-z]-?\Z", before) is not None and not _CODE.search(before)


def _number(text: str, match: re.Match[str], decimal: str) -> Number:
    code = _CODE.search(text, max(0, match.start() - 5), match.start())
    currency = match["currency"] or (code[1] if code else "")
    scale, unit = _units.after(text, match.end(), is_money=bool(currency))
    unit = _units.unit_of(currency) or unit
    value = _value(match, decimal)
    if value is None:
        parts = re.findall(r"\d+|(?:^|(?<=[e^*]))-", match[0])
        if unit in ("am", "pm"):
            parts[0] = str(int(parts[0]) % 12 + 12 * (unit == "pm")) if len(parts[0]) < 3 else parts[0]
            unit = ""
        return Number(tuple(part.lstrip("0") or "0" for part in parts), unit)
    if unit in ("am", "pm") and value.denominator == 1 and 0 < value <= 12:  # 9 pm is 21:00
        return Number((str(int(value) % 12 + 12 * (unit == "pm")), "0"), "")
    start = code.start() if code else match.start()
    is_negative = "-" in (match["sign"], match["sign_inside"]) or _MINUS.search(text, max(0, start - 20), start)
    return Number((-value if is_negative else value) * scale, unit)


def _value(match: re.Match[str], decimal: str) -> Fraction | None:
    """The value without its sign; None if several numbers are written as one, or it is too large to compute."""
    if match["hyphens"] or match["rest"] or len(match[0]) > _MAX_SIZE:
        return None
    if match["coded"]:
        return Fraction(int(match["coded"], 0))
    if match["ones"]:
        above, below = int(match["above"]), int(match["below"])
        if below == 0:
            return None
        return Fraction(above, below) + (int(match["ones"]) if above < below else 0)  # else two numbers: 100 200/3
    value = _read(match["core"], decimal)
    if value is None:
        return None
    power = int(match["exponent"] or match["power"] or 0)
    if abs(power) > _MAX_SIZE or (match["power"] and len(match["core"]) > 20):
        return None
    if match["exponent"]:
        return value * Fraction(10) ** power
    if match["power"]:
        return value**power if value or power > 0 else None
    if match["divisor"]:
        divisor = _read(match["divisor"], decimal)
        return value / divisor if divisor else None
    return value


def _read(core: str, decimal: str) -> Fraction | None:
    """The value of digits with marks between them; None if they are not one number: 1,2,3, or 10.0.0.1."""
    decimal = _own_mark(core) or decimal
    whole, mark, part = core.partition(decimal)
    if (mark and not part.isdecimal()) or not (not whole or whole.isdecimal() or _GROUPED.fullmatch(whole)):
        return None
    digits = re.sub(r"\D", "", whole)
    return Fraction(int(digits + part), 10 ** len(part))


def _own_mark(core: str) -> str:
    """The decimal mark that a number shows on its own; "" if it has no mark, or three digits follow its only mark."""
    marks = re.sub(r"[^.,]", "", core)
    if len(marks) != 1:
        return "" if not marks else marks[-1] if len(set(marks)) == 2 else {".": ",", ",": "."}[marks[0]]
    whole, _, part = core.partition(marks)
    return "" if len(part) == 3 and re.fullmatch(r"[1-9]\d{0,2}", whole) else marks


def _shown(matches: list[re.Match[str]]) -> str:
    for match in reversed(matches):
        core = match["core"]
        if core and not core.isdecimal() and len(core) <= _MAX_SIZE:
            mark = _own_mark(core)
            if mark and _read(core, mark) is not None:
                return mark
    return ""
