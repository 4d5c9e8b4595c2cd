"""A damaged checkpoint is noted and deleted, and training resumes from the one before it."""

import pytest
import torch
from safetensors.torch import save_file

from slmkit.training.checkpoints import newest_whole


@pytest.fixture
def folders(tmp_path):
    for step in (5, 10):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        save_file({"weight": torch.ones(100)}, folder / "model.safetensors")
        torch.save({"step": step}, folder / "optimizer.pt")
        (folder / "trainer_state.json").write_text("{}")
    return tmp_path


def found(folders):
    notes = []
    return newest_whole(folders / "checkpoint-10", note=notes.append), notes


def test_the_newest_complete_checkpoint_is_used(folders):
    assert found(folders) == (folders / "checkpoint-10", [])


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt"])
@pytest.mark.parametrize("left", [0, 4, 30, -1])
def test_a_truncated_checkpoint_is_deleted_and_skipped(folders, name, left):
    file = folders / "checkpoint-10" / name
    file.write_bytes(file.read_bytes()[:left])
    checkpoint, notes = found(folders)
    assert checkpoint == folders / "checkpoint-5"
    assert len(notes) == 1
    assert "checkpoint-10" in notes[0] and name in notes[0]
    assert not (folders / "checkpoint-10").exists()


def test_without_a_complete_checkpoint_training_starts_over(folders):
    for file in folders.rglob("*.safetensors"):
        file.write_bytes(b"")
    assert found(folders)[0] is None and not list(folders.iterdir())
    assert newest_whole(None, note=print) is None
