"""What follows a number: a scale such as "million" or "k", and a unit such as % or km, if it is one of these."""

from __future__ import annotations

import re

_THOUSAND = "thousand tsd tausend mille mil тыс тысяч tusen हज़ार 千"
_MILLION = "million millions mio mn millionen millones milhões milioni миллион миллиона миллионов млн miljon miljoner"
_BILLION = "billion billions bn mrd milliarde milliarden milliard milliards miliardi миллиард миллиардов млрд"
_SCALES = {
    name: 10**power
    for power, names in {3: _THOUSAND, 6: _MILLION, 9: _BILLION, 12: "trillion trillions", 5: "lakh lakhs लाख",
                         7: "crore crores करोड़", 4: "万 萬", 8: "亿 億"}.items()
    for name in names.split()
}  # fmt: skip
_ATTACHED = {"k": 10**3, "K": 10**3, "M": 10**6, "bn": 10**9, "B": 10**9}  # 5k, 5M
_OF_MONEY = _ATTACHED | {"m": 10**6, "b": 10**9, "t": 10**12, "T": 10**12}  # $5m; elsewhere 5m is metres

_UNITS = {
    name: unit
    for unit, names in {
        "%": "% percent pct prozent pourcent procent процент процента процентов",
        "‰": "‰",
        "$": "$ us$ usd dollar dollars",
        "€": "€ eur euro euros",
        "£": "£ gbp",
        "₹": "₹ inr rs rupee rupees",
        "₽": "₽ rub руб рублей",
        "chf": "chf",
        "cent": "¢ cent cents ct",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "mile": "mi mile miles",
        "foot": "ft foot feet",
        "inch": "inch inches",
        "mg": "mg milligram milligrams",
        "g": "g gram grams",
        "kg": "kg kilogram kilograms kilo kilos",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "l": "l liter liters litre litres",
        "ms": "ms millisecond milliseconds",
        "s": "s sec second seconds",
        "min": "min minute minutes",
        "h": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "°c": "°c",
        "°f": "°f",
        "am": "am a.m",
        "pm": "pm p.m",
    }.items()
    for name in names.split()
}
_WORD = re.compile(
    r"[ -]?(?P<word>[%‰¢€£₹₽]|(?:us)?\$|° ?[cf](?![^\W\d_])|[ap]\.m\b|per ?cent|[万萬亿億千]|[^\W\d_]+\.?)",
    re.IGNORECASE,
)
_ONE_OF_TWO = re.compile(r" ?(?:per\b|[/^\d])", re.IGNORECASE)  # m/s, km per hour, m2 are units of their own


def unit_of(name: str) -> str:
    """The unit that a sign or word means: "EUR" -> "€"; "" if it is none of the table."""
    name = "".join(name.casefold().split()).rstrip(".")
    return _UNITS.get("%" if name == "percent" else name, "")


def after(text: str, at: int, *, is_money: bool = False) -> tuple[int, str]:
    """The scale and the unit that follow a number, which ends at `at`: "5 million euros" -> (1_000_000, "€")."""
    scale = 1
    found = _WORD.match(text, at)
    if found:
        word = found["word"]
        attached = (_OF_MONEY if is_money else _ATTACHED) if found.start("word") == at else {}
        scale = attached.get(word) or _SCALES.get(word.casefold().rstrip("."), 1)
        if scale > 1:
            found = _WORD.match(text, found.end())
    if not found or _ONE_OF_TWO.match(text, found.end()):
        return scale, ""
    return scale, unit_of(found["word"])
