"""Finds the encoding of a text file: UTF-8, or a detected encoding, which is reported.

Nothing is repaired here: each guess is reported, and a file that is not text is refused.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slmkit.data.reading.likely_encoding import ranked_encodings
from slmkit.data.reading.open_file import open_bytes
from slmkit.data.reading.repair_encoding import repair_encoding
from slmkit.data.reading.wide_encodings import wide_encodings
from slmkit.errors import SlmkitError, counted

_MAGIC = {  # first bytes of binary files that users mistake for tables -> the fix
    b"PK\x03\x04": "this is a zip or Excel file: export the sheet as CSV, or unzip it",
    b"\x1f\x8b": "this is a gzip file: decompress it with gunzip, or add .gz to its name",
    b"BZh": "this is a bzip2 file: decompress it with bunzip2, or add .bz2 to its name",
    b"\xfd7zXZ": "this is an xz file: decompress it with unxz, or add .xz to its name",
    b"\x28\xb5\x2f\xfd": "this is a zstd file: decompress it with zstd -d",
    b"PAR1": "this is a Parquet file: rename it to .parquet",
    b"%PDF": "this is a PDF: export its text as .txt or .md",
    b"\xd0\xcf\x11\xe0": "this is an old Office file: export it as CSV or text",
}
_WITH_ZEROS = ["utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be"]  # these contain zero bytes
_REGIONAL = {f"cp{number}" for number in range(1250, 1257)} - {
    "cp1252"
}  # usually right when detected, so cp1252 must fit more closely to override them
_LATIN = ("cp1252", "mac_roman", "cp1250", "cp1254", "cp1257")  # with these, words rarely have two accents in a row
_MOSTLY = 0.5  # of the lines; by chance almost no line looks repairable
_THIN = 60  # bytes outside ASCII; that there are fewer is said
_EXCERPT = 40  # characters of a word in a note
_RANKED_BYTES = 4096  # decide by the frequency of letters as well as more
_SAMPLE_BYTES = 65_536  # of non-ASCII lines: enough for charset-normalizer, and detected in 0.1 s


@dataclass(frozen=True)
class Encoding:
    """Arguments for open(): the codec, and the handler for bytes it cannot decode."""

    name: str
    errors: str = "strict"


def find_encoding(path: Path, *, encoding: str = "auto", on_note: Callable[[str], None] | None = None) -> Encoding:
    """The encoding of a text file; on_note reports every choice other than UTF-8.

    A UTF-8 file with a few invalid lines stays UTF-8; the invalid bytes are decoded as Windows-1252.
    Raises: SlmkitError for a binary file, for an `encoding` that does not fit, and if no encoding fits.
    """
    note = on_note or (lambda text: None)
    with open_bytes(path) as file:
        start = file.read(8)
    for magic, fix in _MAGIC.items():
        if start.startswith(magic):
            raise SlmkitError(f"{path.name} is not a text file", where=str(path), fix=fix)
    if encoding != "auto":
        named = _with_mark(encoding, start)
        return _checked(path, named, fix="save it as UTF-8, or omit encoding= to detect it")
    if start.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        note(f"{path.name}: read as UTF-32")
        return _checked(path, "utf-32", fix="save it as UTF-8")
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        note(f"{path.name}: read as UTF-16")
        return _checked(path, "utf-16", fix="save it as UTF-8")
    utf8 = "utf-8-sig" if start.startswith(codecs.BOM_UTF8) else "utf-8"
    broken, good, sample, first = _scan(path)
    if not broken:
        return Encoding(utf8)
    line, byte = first
    if broken <= good // 10:
        codecs.register_error("windows-1252", _as_windows_1252)
        note(
            f"{path.name}: invalid UTF-8 in {broken:,} line{'s' if broken > 1 else ''}"
            f" (first: line {line}, byte {byte:#04x}); the invalid bytes were read as Windows-1252"
        )
        return Encoding(utf8, "windows-1252")
    fix = "save it as UTF-8, or set its encoding: encoding=cp1252"
    found, others = _detect(sample)
    if found is None:
        what = f"{path.name} is not UTF-8 (byte {byte:#04x}) and no other encoding fits"
        raise SlmkitError(what, where=f"{path}:{line}", fix=fix)
    checked = _checked(path, found, fix=fix)
    guess = _guess_note(sample, found, others)
    note(f"{path.name}: not UTF-8 (line {line}, byte {byte:#04x}); read as {found}, a guess{guess}")
    return checked


def _with_mark(encoding: str, start: bytes) -> str:
    """The codec that skips the byte order mark of a file, if the file has the one of this encoding."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        return encoding
    for mark, known, skipping in (
        (codecs.BOM_UTF8, "utf-8", "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16"),
    ):
        if name == known and start.startswith(mark):
            return skipping
    return encoding


def _checked(path: Path, encoding: str, *, fix: str) -> Encoding:
    """The encoding, if it decodes the whole file."""
    try:
        "".encode(encoding)
    except LookupError:
        known = "use a Python codec: utf-8, cp1252, latin-1, utf-16"
        raise SlmkitError(f"unknown encoding {encoding!r}", where=str(path), fix=known) from None
    decoder = codecs.getincrementaldecoder(encoding)()
    with open_bytes(path) as file:
        number = 0
        try:
            for line in file:
                number += 1
                decoder.decode(line)
            decoder.decode(b"", final=True)
        except UnicodeError as error:
            byte = f" (byte {error.object[error.start]:#04x})" if isinstance(error, UnicodeDecodeError) else ""
            raise SlmkitError(f"{path.name} is not {encoding}{byte}", where=f"{path}:{number}", fix=fix) from None
    return Encoding(encoding)


def _scan(path: Path) -> tuple[int, int, bytes, tuple[int, int]]:
    """Counts lines that are not UTF-8 and valid non-ASCII lines; samples the former, with the first line and byte."""
    broken, good, sample, first = 0, 0, bytearray(), (0, 0)
    with open_bytes(path) as file:
        for number, line in enumerate(file, 1):
            if b"\0" in line:
                raise _zero_byte(path, number)
            if line.isascii():
                continue
            try:
                line.decode("utf-8")
                good += 1
            except UnicodeDecodeError as error:
                first = first if broken else (number, line[error.start])
                broken += 1
                if len(sample) < _SAMPLE_BYTES:
                    sample += line
    return broken, good, bytes(sample), first


def _zero_byte(path: Path, line: int) -> SlmkitError:
    """The error for a file with zero bytes; in UTF-16 every second byte of ASCII is one."""
    with open_bytes(path) as file:
        start = file.read(_SAMPLE_BYTES)
    zeros = start[::2].count(0), start[1::2].count(0)
    for (few, many), encoding in ((zeros, "utf-16-le"), (zeros[::-1], "utf-16-be")):
        if many > 10 * few and many > len(start) // 20 and _decodes(start[: len(start) // 2 * 2], encoding):
            what = f"{path.name} seems to be UTF-16 without a byte order mark"
            return SlmkitError(what, where=f"{path}:{line}", fix=f"set encoding={encoding}, or save it as UTF-8")
    what = f"{path.name} is not a text file (it contains a zero byte)"
    return SlmkitError(what, where=f"{path}:{line}", fix="export it as text")


def _guess_note(sample: bytes, found: str, others: Sequence[str]) -> str:
    """On how little text the guess is based, and how others would read it: the user sees which is right."""
    num_bytes = sum(byte > 0x7F for byte in sample)
    text = _first_word(sample, found)
    readings = {word: encoding for encoding in reversed(others) if (word := _first_word(sample, encoding)) != text}
    options = [f"encoding={encoding} reads {word!r}" for word, encoding in reversed(readings.items())]
    said = " or ".join(options[:2]) or "encoding= overrides it"
    few = f" from {counted(num_bytes, 'byte')}" if num_bytes < _THIN else ""
    return f"{few}: {text!r}. If that is wrong: {said}"


def _first_word(sample: bytes, encoding: str) -> str:
    """The first word with a character outside ASCII."""
    words = re.split(r"[\s,;|\"]+", sample.decode(encoding, errors="replace"))
    return next((word[:_EXCERPT] for word in words if not word.isascii()), "")


def _detect(sample: bytes) -> tuple[str | None, list[str]]:
    """The likeliest encoding, and the others in their order of likelihood.

    Where no language fits, it is Windows-1252, by far the most common, if it fits about as well as the best.
    UTF-8 text that was decoded wrongly and saved on an old Mac looks like any other text ("å£5" for "£5"). What gives
    it away: decoded as mac_roman, most of its lines are mojibake that can be undone ("Â£5"). This test is used for
    Latin script only, where few bytes are non-ASCII; text in other scripts can look repairable by chance.
    """
    from charset_normalizer import from_bytes

    ranked, wide = ranked_encodings(sample[:_RANKED_BYTES]), wide_encodings(sample[:_RANKED_BYTES])
    if ranked and ranked[0] not in _LATIN:
        return ranked[0], [*ranked[1:], *wide]
    if wide:
        return wide[0], [*wide[1:], *ranked]
    is_latin = sum(byte > 0x7F for byte in sample) < len(sample) // 4
    if is_latin and _mojibake_share(sample, "mac_roman") > max(_MOSTLY, _mojibake_share(sample, "cp1252")):
        return "mac_roman", []
    if ranked:
        return ranked[0], ranked[1:]
    matches = from_bytes(sample, cp_exclusion=_WITH_ZEROS)
    best = matches.best()
    windows = from_bytes(sample, cp_isolation=["cp1252"], threshold=1.0).best()
    if best is None:
        return None, []
    others = [match.encoding for match in matches if match.encoding != best.encoding]
    room = 0.05 if best.encoding in _REGIONAL else 0.1
    if windows and windows.chaos <= best.chaos + room and windows.coherence >= best.coherence - 0.05:
        return "cp1252", [best.encoding, *others]
    return best.encoding, others


def _mojibake_share(sample: bytes, encoding: str) -> float:
    """The share of lines that are mojibake when decoded in this encoding."""
    lines = sample.decode(encoding, errors="replace").splitlines()
    return sum(repair_encoding(line) != line for line in lines) / max(1, len(lines))


def _decodes(sample: bytes, encoding: str) -> bool:
    try:
        sample.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _as_windows_1252(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    byte = error.object[error.start : error.start + 1]
    return byte.decode("cp1252" if _decodes(byte, "cp1252") else "latin-1"), error.start + 1
