"""With sockets refused, everything that names a model on this machine works, and what is not here fails at once."""

import io
import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from project_files import REPOSITORY


@pytest.fixture
def asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuses every connection and lists them; the hub's cache has nano as the snapshot of a model with a card."""
    found: list[Any] = []

    def refuse(*arguments: Any, **_: Any) -> None:
        found.append(arguments)
        raise OSError(101, "Network is unreachable")

    for name in ("getaddrinfo", "create_connection"):
        monkeypatch.setattr(socket, name, refuse)
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name, value in (("HF_HUB_OFFLINE", False), ("HF_HUB_CACHE", str(project / "hub"))):
        monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
    repository = project / "hub" / "models--HuggingFaceTB--SmolLM2-360M-Instruct"
    shutil.copytree(REPOSITORY / "slmkit" / "assets" / "nano", repository / "snapshots" / "abc")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    return found


@pytest.mark.parametrize("name", ["smollm2-360m-instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "nano"])
def test_chat_with_a_model_that_is_here_asks_no_server(slmkit, asked: list[Any], monkeypatch, name: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("hi\n"))
    done = slmkit("chat", name, "--max-new-tokens", "2", "--profile", "tiny")
    assert done.code == 0, done.err
    assert asked == []


@pytest.mark.parametrize(
    "words", [("fit", "HuggingFaceTB/SmolLM2-360M-Instruct"), ("train", "model=smollm2-360m-instruct", "--dry-run")]
)
def test_fit_and_the_check_of_a_training_ask_no_server(slmkit, asked: list[Any], words: tuple[str, ...]) -> None:
    done = slmkit(*words)
    assert done.code == 0, done.err
    assert asked == []


@pytest.mark.parametrize("words", [("chat", "qwen3-0.6b"), ("get", "qwen3-0.6b"), ("train", "model=qwen3-0.6b")])
def test_a_model_that_is_not_here_fails_at_once(slmkit, asked: list[Any], words: tuple[str, ...]) -> None:
    start = time.monotonic()
    done = slmkit(*words)
    assert done.code == 1
    assert "the hub cannot be reached" in done.err
    assert len(asked) <= 2  # one question, not several for each file
    assert time.monotonic() - start < 5


def test_what_is_saved_from_a_hub_model_names_the_hub_and_not_this_machine(asked: list[Any]) -> None:
    from slmkit.models.load import load_model
    from slmkit.models.model_hashes import identity
    from slmkit.types import ModelRef

    name = "HuggingFaceTB/SmolLM2-360M-Instruct"
    loaded = load_model(ModelRef(name, name), device="cpu")
    assert loaded.model.config._name_or_path == loaded.model.name_or_path == name
    assert identity(loaded)["revision"] == "abc"
