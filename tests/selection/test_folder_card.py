"""A model without a card gets one from its files; what they do not say stays unknown."""

import json
import shutil
from pathlib import Path

import pytest
from gguf_files import NANO, write_nano_gguf

from slmkit.errors import SlmkitError
from slmkit.selection.all_cards import all_cards
from slmkit.selection.folder_card import folder_card
from slmkit.selection.model_card import read_card
from slmkit.types import ModelRef

SHAPE = ("num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads", "head_dim",
         "intermediate_size", "vocab_size", "tie_word_embeddings", "num_parameters", "model_type")  # fmt: skip


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    shutil.copytree(NANO, tmp_path / "mine")
    return tmp_path / "mine"


def test_the_shape_is_that_of_the_card(mine: Path, tmp_path: Path) -> None:
    from project_files import REPOSITORY

    card = read_card(REPOSITORY / "configs/models/nano.yaml")
    gguf = write_nano_gguf(tmp_path / "nano.gguf")
    for path in (mine, gguf):
        found = folder_card(ModelRef("mine", str(path)))
        assert {key: getattr(found, key) for key in SHAPE} == {key: getattr(card, key) for key in SHAPE}
        assert found.role == "instruct"
        assert found.context_length == 1024
        assert found.licence is found.commercial is None
        assert not found.is_bundled


def test_licence_and_languages_come_from_the_readme_of_the_hub(mine: Path) -> None:
    (mine / "README.md").write_text("---\nlicense: apache-2.0\nlanguage:\n- en\n- de\ntags:\n- x\n---\n# Mine\n")
    card = folder_card(ModelRef("mine", str(mine)))
    assert (card.licence, card.commercial, card.languages) == ("Apache-2.0", "yes", ("en", "de"))
    (mine / "README.md").write_text("---\nlicense: other-terms\nlanguage: [fr]\n---\n")
    card = folder_card(ModelRef("mine", str(mine)))
    assert (card.licence, card.commercial, card.languages) == ("other-terms", None, ("fr",))


def test_a_config_without_key_value_heads_or_head_size_has_one_per_head(mine: Path) -> None:
    config = json.loads((mine / "config.json").read_text())
    del config["num_key_value_heads"], config["head_dim"]
    (mine / "config.json").write_text(json.dumps(config))
    card = folder_card(ModelRef("mine", str(mine)))
    assert (card.num_key_value_heads, card.head_dim) == (4, 32)


def test_a_folder_without_a_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(SlmkitError, match=r"no config\.json") as error:
        folder_card(ModelRef("mine", str(tmp_path)))
    assert error.value.where == str(tmp_path)


def test_own_cards_add_to_the_shipped_ones_and_replace_those_of_the_same_name(tmp_path: Path) -> None:
    from project_files import REPOSITORY

    shipped = all_cards(REPOSITORY / "configs" / "models")
    (tmp_path / "one.yaml").write_text("name: one\nhub_id: org/one\n")
    (tmp_path / "nano.yaml").write_text("name: nano\nhub_id: org/other\n")
    found = {card.name: card for card in all_cards(tmp_path)}
    assert len(found) == len(shipped) + 1
    assert found["one"].hub_id == "org/one"
    assert found["nano"].hub_id == "org/other"


def test_a_models_folder_is_one_card_more(mine: Path) -> None:
    found = {card.name: card for card in all_cards(mine)}
    assert found["mine"].folder == mine.resolve()
    assert "smollm2-135m-instruct" in found
