"""A model's identity changes with its weights and its template, and with nothing else."""

import shutil

from slmkit.models.load import load_model
from slmkit.models.model_hashes import identity, weights_hash
from slmkit.recipe import lookup
from slmkit.types import ModelRef

NANO = lookup.PACKAGE / "assets" / "nano"


def test_identity_names_weights_template_and_number_type(tmp_path):
    shutil.copytree(NANO, tmp_path / "copy")
    original = identity(load_model(ModelRef("nano", str(NANO)), device="cpu"))
    copy = identity(load_model(ModelRef("copy", str(tmp_path / "copy")), device="cpu"))
    assert original | {"model": "copy"} == copy
    assert original["dtype"] == "float32"
    (tmp_path / "copy" / "chat_template.jinja").write_text((NANO / "chat_template.jinja").read_text() + " ")
    other = identity(load_model(ModelRef("copy", str(tmp_path / "copy")), device="cpu"))
    assert other["template"] != copy["template"]
    assert other["weights"] == copy["weights"]


def test_one_changed_byte_of_the_weights_changes_the_hash(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"abc")
    before = weights_hash(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"abd")
    assert weights_hash(tmp_path) != before
