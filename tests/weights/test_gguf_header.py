"""The header of a GGUF file is read in one pass, and a damaged file is an error of ours, never a crash."""

from pathlib import Path

import pytest
from gguf_files import write_nano_gguf
from hypothesis import given
from hypothesis import strategies as st

from slmkit.errors import SlmkitError
from slmkit.weights.gguf_header import read_gguf_header


@pytest.fixture(scope="module")
def nano_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_nano_gguf(tmp_path_factory.mktemp("gguf") / "nano.gguf")


def test_the_header_says_what_the_model_is(nano_gguf: Path) -> None:
    header = read_gguf_header(nano_gguf)
    assert header.architecture == "llama"
    assert header.quantization == "F16"
    assert header.of_model("context_length") == 1024
    assert header.values["tokenizer.ggml.tokens"] == 1686  # a list is its length
    assert header.shapes["token_embd.weight"] == (1686, 128)
    assert header.num_parameters == 1686 * 128 + 4 * (128 * 32 * (4 + 4 + 2 + 2) + 3 * 128 * 344 + 2 * 128) + 128


@given(end=st.integers(min_value=0, max_value=60_000))
def test_a_file_cut_off_in_its_header_is_named(nano_gguf: Path, tmp_path_factory, end: int) -> None:
    cut = tmp_path_factory.mktemp("cut") / "cut.gguf"
    whole = nano_gguf.read_bytes()
    cut.write_bytes(whole[: min(end, _header_bytes(whole) - 1)])
    with pytest.raises(SlmkitError, match="GGUF") as error:
        read_gguf_header(cut)
    assert error.value.where == str(cut)


@given(at=st.integers(min_value=4, max_value=5_000), byte=st.integers(0, 255))
def test_a_changed_byte_is_read_or_refused(nano_gguf: Path, tmp_path_factory, at: int, byte: int) -> None:
    changed = bytearray(nano_gguf.read_bytes())
    changed[at] = byte
    path = tmp_path_factory.mktemp("changed") / "changed.gguf"
    path.write_bytes(changed)
    try:
        read_gguf_header(path)
    except SlmkitError as error:
        assert error.where == str(path)


def test_one_part_of_several_is_refused_with_the_command_that_joins_them(tmp_path: Path) -> None:
    import gguf

    writer = gguf.GGUFWriter(tmp_path / "part.gguf", "llama")
    writer.add_uint16("split.count", 3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(SlmkitError, match="one of 3 parts") as error:
        read_gguf_header(tmp_path / "part.gguf")
    assert "--merge" in error.value.fix


def _header_bytes(whole: bytes) -> int:
    """Where the last tensor of the table ends: its name is the last one in the file before the weights."""
    start = max(whole.rfind(name) for name in (b"output_norm.weight", b"ffn_up.weight", b"attn_norm.weight"))
    return start
