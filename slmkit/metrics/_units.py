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
        "$": "$ dollar dollars",
        "usd": "usd us$",
        "cad": "cad ca$ c$",
        "aud": "aud au$ a$",
        "nzd": "nzd nz$",
        "hkd": "hkd hk$",
        "sgd": "sgd s$",
        "brl": "brl r$",
        "mxn": "mxn mx$",
        "€": "€ eur euro euros",
        "£": "£ gbp",
        "¥": "¥",
        "jpy": "jpy yen 円",
        "cny": "cny rmb yuan 元",
        "₩": "₩ krw won 원",
        "₹": "₹ inr rs rupee rupees",
        "₽": "₽ rub ruble rubles руб рублей",
        "₺": "₺ lira",
        "₴": "₴ uah",
        "₫": "₫ vnd",
        "₪": "₪ ils shekel shekels",
        "฿": "฿ thb baht",
        "zł": "zł pln zloty zlotys złoty złotych",
        "czk": "czk kč koruna",
        "huf": "huf forint",
        "kr": "kr krona kronor krone kroner",
        "sek": "sek",
        "nok": "nok",
        "dkk": "dkk",
        "isk": "isk",
        "chf": "chf",
        "zar": "zar rand",
        "cent": "¢ cent cents ct",
        "nm": "nm nanometer nanometers nanometre nanometres",
        "μm": "μm micrometer micrometers micrometre micrometres",
        "mm": "mm millimeter millimeters millimetre millimetres",
        "cm": "cm centimeter centimeters centimetre centimetres",
        "m": "m meter meters metre metres",
        "km": "km kilometer kilometers kilometre kilometres",
        "mile": "mi mile miles",
        "yard": "yd yard yards",
        "foot": "ft foot feet",
        "inch": "inch inches",
        "m^2": "sqm",
        "foot^2": "sqft",
        "km^2": "sqkm",
        "ha": "ha hectare hectares",
        "acre": "acre acres",
        "μg": "μg mcg microgram micrograms",
        "mg": "mg milligram milligrams",
        "g": "g gram grams",
        "kg": "kg kilogram kilograms kilo kilos",
        "t": "t ton tons tonne tonnes",
        "lb": "lb lbs",
        "pound": "pound pounds",
        "oz": "oz ounce ounces",
        "ml": "ml milliliter milliliters millilitre millilitres",
        "cl": "cl centiliter centiliters centilitre centilitres",
        "dl": "dl deciliter deciliters decilitre decilitres",
        "l": "l liter liters litre litres",
        "gallon": "gal gallon gallons",
        "pint": "pint pints",
        "quart": "quart quarts",
        "ns": "ns nanosecond nanoseconds",
        "μs": "μs microsecond microseconds",
        "ms": "ms millisecond milliseconds",
        "s": "s sec secs second seconds",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "day": "day days",
        "week": "week weeks",
        "month": "month months",
        "year": "year years",
        "km/h": "kmh kph kmph",
        "mile/h": "mph",
        "knot": "kn knot knots",
        "bit": "bit bits",
        "kbit": "kbit kbits kilobit kilobits",
        "mbit": "mbit mbits megabit megabits",
        "gbit": "gbit gbits gigabit gigabits",
        "kbit/s": "kbps",
        "mbit/s": "mbps",
        "gbit/s": "gbps",
        "byte": "byte bytes",
        "kb": "kb",
        "kbyte": "kilobyte kilobytes",
        "mb": "mb",
        "mbyte": "megabyte megabytes",
        "gb": "gb",
        "gbyte": "gigabyte gigabytes",
        "tb": "tb",
        "tbyte": "terabyte terabytes",
        "pb": "pb",
        "pbyte": "petabyte petabytes",
        "kib": "kib",
        "mib": "mib",
        "gib": "gib",
        "tib": "tib",
        "j": "joule joules",
        "kj": "kj kilojoule kilojoules",
        "mj": "mj",
        "megajoule": "megajoule megajoules",
        "millijoule": "millijoule millijoules",
        "kcal": "kcal kilocalorie kilocalories",
        "wh": "wh",
        "kwh": "kwh",
        "mwh": "mwh",
        "w": "watt watts",
        "kw": "kw kilowatt kilowatts",
        "mw": "mw",
        "megawatt": "megawatt megawatts",
        "milliwatt": "milliwatt milliwatts",
        "gw": "gw gigawatt gigawatts",
        "hp": "hp horsepower",
        "v": "volt volts",
        "mv": "mv",
        "millivolt": "millivolt millivolts",
        "kv": "kv kilovolt kilovolts",
        "a": "amp amps ampere amperes",
        "ma": "ma milliamp milliamps milliampere milliamperes",
        "hz": "hz hertz",
        "khz": "khz kilohertz",
        "mhz": "mhz",
        "megahertz": "megahertz",
        "ghz": "ghz gigahertz",
        "°": "° degree degrees",
        "°c": "°c celsius",
        "°f": "°f fahrenheit",
        "kelvin": "kelvin kelvins",
        "am": "am a.m",
        "pm": "pm p.m",
    }.items()
    for name in names.split()
}
_CAPITALS = {"A": "a", "B": "byte", "C": "°c", "F": "°f", "J": "j", "K": "kelvin", "V": "v", "W": "w"}  # "a" is a word
_EXACT = {  # symbols that differ by case alone; all in lower case, as in "5 gb", they may mean either
    "kB": "kbyte", "KB": "kbyte", "Kb": "kbit", "MB": "mbyte", "Mb": "mbit", "GB": "gbyte", "Gb": "gbit",
    "TB": "tbyte", "Tb": "tbit", "PB": "pbyte", "mW": "milliwatt", "MW": "megawatt",
    "mJ": "millijoule", "MJ": "megajoule", "mV": "millivolt", "MV": "megavolt",
    "mHz": "millihertz", "MHz": "megahertz",
}  # fmt: skip
_SEVERAL = {  # what a name may mean that is used for several units
    "$": {"usd", "cad", "aud", "nzd", "hkd", "sgd", "brl", "mxn"},
    "¥": {"jpy", "cny"},
    "kr": {"sek", "nok", "dkk", "isk"},
    "pound": {"lb", "£"},
    "°": {"°c", "°f"},
    **{f"{prefix}b{per}": {f"{prefix}bit{per}", f"{prefix}byte{per}"} for prefix in "kmgtp" for per in ("", "/s")},
    "mw": {"milliwatt", "megawatt"},
    "mj": {"millijoule", "megajoule"},
    "mv": {"millivolt", "megavolt"},
    "mhz": {"millihertz", "megahertz"},
}
_LENGTHS = {"mm", "cm", "m", "km", "mile", "yard", "foot", "inch"}
_RATES = {
    "m/s", "km/s", "km/h", "mile/h", "foot/s", "byte/s", "kb/s", "mb/s", "gb/s",
    "kbyte/s", "mbyte/s", "gbyte/s", "bit/s", "kbit/s", "mbit/s", "gbit/s",
}  # fmt: skip
_POWERS = {"square": 2, "sq": 2, "cubic": 3, "cu": 3}
_WORD = re.compile(
    r"[ -]?(?P<word>[%‰¢€£₹₽¥₩₺₴₫₪฿]|(?:us|ca|au|nz|hk|mx|[acsr])?\$|° ?[cf](?![^\W\d_])|°|[ap]\.m\b|per ?cent"
    r"|[万萬亿億千円元원]|[^\W\d_]+\.?)",
    re.IGNORECASE,
)
_POWER = re.compile(r"\^?(?P<power>[23])(?![\w.,]*\d)")
_PER = re.compile(r" ?/ ?(?=[^\W\d_])| per\b")
_ONE_OF_TWO = re.compile(r" ?(?:per\b|[/^\d])", re.IGNORECASE)  # such as km per day: another unit


def unit_of(name: str) -> str:
    """The unit that a sign or word means: "EUR" -> "€"; "" if it is none of the table."""
    name = "".join(name.split()).rstrip(".")
    plain = name.casefold()
    return _CAPITALS.get(name) or _EXACT.get(name) or _UNITS.get(plain, "")


def may_be_same(one: str, other: str) -> bool:
    """False for two known units that differ; $ may be any dollar, ¥ yen or yuan, kr any krone, a pound lb or £."""
    if not one or not other or one == other:
        return True
    return other in _SEVERAL.get(one, ()) or one in _SEVERAL.get(other, ())


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
    return scale, _unit(text, found) if found else ""


def _unit(text: str, found: re.Match[str]) -> str:
    """The unit that begins with a word: m, m^2, square metres, degrees Celsius, km/h, km per hour."""
    word = found["word"].casefold().rstrip(".")
    unit = "%" if word == "per cent" else unit_of(found["word"])
    following = _WORD.match(text, found.end())
    if word in _POWERS:
        unit = unit_of(following["word"]) if following else ""
        return f"{unit}^{_POWERS[word]}" if unit in _LENGTHS else ""
    if unit == "°" and following and unit_of(following["word"]) in ("°c", "°f"):
        return unit_of(following["word"])
    if power := _POWER.match(text, found.end()):
        return f"{unit}^{power['power']}" if unit in _LENGTHS else ""
    if per := _PER.match(text, found.end()):
        below = _WORD.match(text, per.end())
        rate = f"{unit}/{unit_of(below['word'])}" if below else ""
        return rate if rate in _RATES else ""
    return "" if _ONE_OF_TWO.match(text, found.end()) else unit
