"""The header of a GGUF file: what it says about the model and its tensors, in milliseconds and without a library.

Long lists, such as the vocabulary, are skipped: only their length is kept. Nothing here reads a weight.
Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from slmkit.errors import SlmkitError

# u8 i8 u16 i16 u32 i32 f32 bool u64 i64 f64 by the number of their type; 8 is a string, 9 a list
_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
_STRING, _LIST = 8, 9
_LONGEST = 1 << 26  # bytes of a text or items of a list: a larger number is a damaged file
# general.file_type: https://github.com/ggml-org/llama.cpp/blob/master/include/llama.h, enum llama_ftype
_FILE_TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S",
               12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K",
               19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS", 23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL",
               26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16"}  # fmt: skip


@dataclass(frozen=True)
class GgufHeader:
    """The values of a GGUF file by key, and the shape of each tensor in torch's order."""

    values: dict[str, Any]  # a list is its length
    shapes: dict[str, tuple[int, ...]]

    @property
    def architecture(self) -> str:
        return str(self.values.get("general.architecture", "unknown"))

    @property
    def quantization(self) -> str:
        """How most of the weights are stored, such as Q4_1."""
        number = self.values.get("general.file_type")
        return _FILE_TYPES.get(number, f"file type {number}") if number is not None else "an unnamed type"

    @property
    def num_parameters(self) -> int:
        return sum(prod(shape) for shape in self.shapes.values())

    def of_model(self, key: str, default: Any = None) -> Any:
        """A value of this architecture: of_model("block_count") is llama.block_count."""
        return self.values.get(f"{self.architecture}.{key}", default)


def read_gguf_header(path: Path) -> GgufHeader:
    """The header of a file.

    Raises: SlmkitError for a file that is not GGUF, is cut off, or is one of several parts.
    """
    fix = "download it again; `model` takes a .gguf file, or a folder with config.json"
    with open(path, "rb") as file:
        if file.read(4) != b"GGUF":
            raise SlmkitError("this is not a GGUF file", where=str(path), fix=fix)
        try:
            version, num_tensors, num_values = struct.unpack("<IQQ", _bytes(file, 20))
            if version not in (2, 3) or max(num_tensors, num_values) > _LONGEST:
                raise ValueError(f"version {version}")
            values = dict(_pair(file) for _ in range(num_values))
            shapes = dict(_tensor(file) for _ in range(num_tensors))
        except (ValueError, struct.error) as error:
            what = f"the GGUF file is damaged or of an unknown version: {error}"
            raise SlmkitError(what, where=str(path), fix=fix) from error
    if int(values.get("split.count", 1)) > 1:
        fix = "join the parts first: llama-gguf-split --merge FIRST-PART.gguf WHOLE.gguf"
        raise SlmkitError(f"this is one of {values['split.count']} parts of a model", where=str(path), fix=fix)
    return GgufHeader(values, shapes)


def _pair(file: BinaryIO) -> tuple[str, Any]:
    key = _text(file)
    return key, _value(file, _number(file, "<I"))


def _tensor(file: BinaryIO) -> tuple[str, tuple[int, ...]]:
    name = _text(file)
    shape = [_number(file, "<Q") for _ in range(_number(file, "<I"))]
    _bytes(file, 12)  # type and place
    return name, tuple(shape[::-1])


def _value(file: BinaryIO, kind: int) -> Any:
    if kind == _STRING:
        return _text(file)
    if kind != _LIST:
        return _number(file, _format(kind))
    kind, count = _number(file, "<I"), _number(file, "<Q")
    if count > _LONGEST:
        raise ValueError(f"a list of {count} items")
    if kind in _NUMBERS:
        file.seek(count * struct.calcsize(_NUMBERS[kind]), 1)
    else:
        for _ in range(count):
            _value(file, kind)
    return count


def _format(kind: int) -> str:
    if kind not in _NUMBERS:
        raise ValueError(f"a value of type {kind}")
    return _NUMBERS[kind]


def _number(file: BinaryIO, kind: str) -> Any:
    return struct.unpack(kind, _bytes(file, struct.calcsize(kind)))[0]


def _text(file: BinaryIO) -> str:
    return _bytes(file, _number(file, "<Q")).decode("utf-8", errors="replace")


def _bytes(file: BinaryIO, count: int) -> bytes:
    if count > _LONGEST:
        raise ValueError(f"a text of {count} bytes")
    found = file.read(count)
    if len(found) < count:
        raise ValueError("it ends early")
    return found
