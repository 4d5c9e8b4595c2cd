"""`slmkit fit` takes a card, a folder or a GGUF file, counts what is free here, and says how to check it."""

import shutil
from pathlib import Path

from gguf_files import NANO, write_nano_gguf

from slmkit.cli import fit as fit_command

PARAMETERS = 941_952  # of nano, by its README


def test_a_folder_and_a_gguf_file_give_the_estimate_of_the_card(slmkit, project: Path) -> None:
    shutil.copytree(NANO, project / "mine")
    write_nano_gguf(project / "nano.gguf")
    card, folder, gguf = (slmkit("fit", name, "--json").json for name in ("nano", "./mine", "nano.gguf"))
    assert folder["uses"] == gguf["uses"] == card["uses"]
    assert folder["inputs"]["parameters"] == gguf["inputs"]["parameters"] == PARAMETERS
    assert folder["context_length"] == 1024  # the model takes no more
    assert folder["inputs"]["from"].endswith("mine/config.json")


def test_the_memory_that_is_free_here_decides_what_fits(slmkit, monkeypatch) -> None:
    def fits(free_gb: float) -> dict[str, bool]:
        monkeypatch.setattr(fit_command, "machine_memory", lambda: (free_gb, False))
        return {row["use"]: row["fits"] for row in slmkit("fit", "smollm2-135m-instruct", "--json").json["here"]}

    assert all(fits(64.0).values())
    some = fits(2.0)
    assert some["answer, float32"] and some["lora, float32, checkpointed"]
    assert not some["full, float32"]
    assert not any(fits(0.1).values())


def test_a_longer_context_needs_more(slmkit) -> None:
    short, long = (
        slmkit("fit", "smollm2-135m-instruct", "--context-length", length, "--json").json["here"]
        for length in ("512", "4096")
    )
    assert all(one["total"] < other["total"] for one, other in zip(short, long, strict=True))


def test_inputs_and_the_commands_that_check_them_are_printed(slmkit) -> None:
    done = slmkit("fit", "nano", "--batch-size", "2")
    assert f"{PARAMETERS:,} parameters in 4 layers, 1,024 tokens of at most 1,024, batch of 2" in done.out
    assert "slmkit learn pick-a-base model=nano context_length=1024" in done.out
    assert "slmkit train model=nano max_length=1024 per_device_train_batch_size=2" in done.out


def test_a_model_that_is_not_here_names_the_command_that_gets_it(slmkit) -> None:
    done = slmkit("fit", "org/none")
    assert done.code == 3
    assert "slmkit get org/none" in done.error_lines[-1]
