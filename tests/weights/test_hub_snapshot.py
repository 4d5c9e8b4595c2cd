"""A hub model counts as here only when every file that loading reads is here."""

import json
import shutil
from pathlib import Path

import pytest
from project_files import REPOSITORY

from slmkit.weights.hub_snapshot import hub_snapshot

NANO = REPOSITORY / "slmkit" / "assets" / "nano"


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The hub's cache with one complete model, org/nano."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--org--nano"
    shutil.copytree(NANO, repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return repository / "snapshots" / "abc"


def test_a_complete_model_is_found(snapshot: Path) -> None:
    assert hub_snapshot("org/nano") == snapshot
    assert hub_snapshot("org/other") is None


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_model_without_one_of_its_files_is_not(snapshot: Path, missing: str) -> None:
    (snapshot / missing).unlink()
    assert hub_snapshot("org/nano") is None


def test_every_file_that_the_index_names_is_needed(snapshot: Path) -> None:
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (snapshot / "model.safetensors.index.json").write_text(json.dumps(index))
    (snapshot / "model-1.safetensors").touch()
    assert hub_snapshot("org/nano") is None
    (snapshot / "model-2.safetensors").touch()
    assert hub_snapshot("org/nano") == snapshot


def test_the_tokenizer_alone_is_found_when_only_it_is_asked_for(snapshot: Path) -> None:
    (snapshot / "model.safetensors").unlink()
    assert hub_snapshot("org/nano", weights=False) == snapshot


def test_an_adapter_needs_its_own_weights_only(snapshot: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (snapshot / name).unlink()
    (snapshot / "adapter_config.json").touch()
    assert hub_snapshot("org/nano") is None
    (snapshot / "adapter_model.safetensors").touch()
    assert hub_snapshot("org/nano") == snapshot
