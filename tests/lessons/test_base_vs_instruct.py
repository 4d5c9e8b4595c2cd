"""The lesson compares a fine-tuned model only with the model it was trained from."""

import json
from pathlib import Path

import pytest

from slmkit.errors import SlmkitError
from slmkit.files import PACKAGE
from slmkit.lessons.base_vs_instruct import check_start, plain_texts
from slmkit.models.model_folder import save_base
from slmkit.types import ModelRef

NANO, BASE = (ModelRef(name, str(PACKAGE / "assets" / name)) for name in ("nano", "nano-base"))


def test_a_model_trained_from_another_model_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    save_base(folder, NANO)
    assert json.loads((folder / "base.json").read_text())["name"] == "nano"
    tuned = ModelRef("tuned", str(tmp_path))
    check_start(tuned, NANO)
    with pytest.raises(SlmkitError, match=r"'tuned'.*'nano'.*'nano-base'"):
        check_start(tuned, BASE)


def test_plain_texts_contain_no_special_tokens_and_depend_on_the_seed() -> None:
    texts = plain_texts(6, seed=0)
    assert texts != plain_texts(6, seed=1)
    assert texts == plain_texts(6, seed=0)
    assert all(" q: " in text and "<|" not in text for text in texts)
