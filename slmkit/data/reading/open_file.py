"""Opens data files, also those compressed with gzip, bzip2 or xz: rows.jsonl.gz is read like rows.jsonl."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, TYPE_CHECKING

from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    from slmkit.data.reading.encoding import Encoding

COMPRESSED = (".gz", ".bz2", ".xz")
REFUSED = {  # compressed files that Python's standard library cannot read -> the command that decompresses them
    ".zst": "zstd -d",
    ".lz4": "lz4 -d",
    ".br": "brotli -d",
    ".zip": "unzip",
    ".7z": "7z x",
    ".tgz": "tar xzf",
    ".tar": "tar xf",
}


def suffix_of(file: Path) -> str:
    """The suffix that names the format, without that of a compression: "rows.CSV.gz" -> ".csv"."""
    suffix = file.suffix.lower()
    return file.with_suffix("").suffix.lower() if suffix in COMPRESSED else suffix


def stem_of(file: Path) -> str:
    """The name without the suffixes of format and compression: "train.csv.gz" -> "train"."""
    return (file.with_suffix("") if file.suffix.lower() in COMPRESSED else file).stem


def open_bytes(file: Path) -> IO[bytes]:
    """The file for reading, decompressed if its suffix says that it is compressed."""
    suffix = file.suffix.lower()
    if suffix in COMPRESSED:
        import bz2
        import gzip
        import lzma

        opened: IO[bytes] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}[suffix](file, "rb")  # type: ignore[operator]
        try:
            opened.read(1)
            opened.seek(0)
        except (OSError, EOFError, lzma.LZMAError) as error:
            raise SlmkitError(
                f"not a valid {suffix} file: {error}",
                where=str(file),
                fix=f"remove {suffix} from its name, or pack it again",
            ) from None
        return opened
    return open(file, "rb")


def open_text(file: Path, encoding: Encoding) -> IO[str]:
    """The text of the file, with its line ends as they are."""
    if file.suffix.lower() not in COMPRESSED:
        return open(file, encoding=encoding.name, errors=encoding.errors, newline="")
    return io.TextIOWrapper(open_bytes(file), encoding=encoding.name, errors=encoding.errors, newline="")


def read_text(file: Path, encoding: Encoding) -> str:
    """The whole text of the file, each line ended by a newline."""
    with open_text(file, encoding) as stream:
        return stream.read().replace("\r\n", "\n").replace("\r", "\n")
