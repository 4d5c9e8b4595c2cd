"""Fixtures shared by all tests: an empty project, the command line in this process, the public data pack."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from project_files import REPOSITORY, Finished

if TYPE_CHECKING:
    from slmkit.types import ModelRef

USER_CACHE = os.environ.get("XDG_CACHE_HOME")  # where `slmkit get` put models; None: ~/.cache
os.environ["HF_HUB_OFFLINE"] = "1"  # before any library of the hub is imported: no test needs the network
os.environ.setdefault("XDG_CACHE_HOME", str(Path(tempfile.gettempdir()) / "slmkit-tests"))  # not the user's own
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side: one core each
os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")  # bitsandbytes imports the compiler, for what no test runs: 2 s
gc.set_threshold(100_000)  # as the command does
settings.register_profile("slmkit", derandomize=True, deadline=None, max_examples=20)  # the same on every machine
settings.register_profile("slmkit-slow", settings.get_profile("slmkit"), max_examples=200)
settings.load_profile("slmkit-slow" if os.environ.get("SLMKIT_SLOW") else "slmkit")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory; recipes, configs and gold are those that ship until the test writes its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def slmkit(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Finished]:
    """Runs the command line in this process: slmkit("run", "x", "key=1") -> Finished."""
    from slmkit.cli.main import main
    from slmkit.console import console, out

    def call(*words: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["slmkit", *words])
        monkeypatch.setattr(console, "quiet", False)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        console._file = out._file = None
        captured = capsys.readouterr()
        code = ended.value.code
        return Finished(code if isinstance(code, int) else int(bool(code)), captured.out, captured.err)

    return call


@pytest.fixture
def without_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the learning curves out of reports: each takes matplotlib 0.1 s, and tests/report reads them."""
    from slmkit.report import page

    monkeypatch.setattr(page, "_curves", lambda run_dir: [])


@pytest.fixture(scope="session")
def libraries() -> None:
    """Imports TRL and PEFT once; frozen, their objects do not add 0.3 s of garbage collection to each training run."""
    import peft  # noqa: F401
    from trl import SFTTrainer  # noqa: F401

    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def cut_models(libraries, tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelRef]:
    """The bundled model cut to one layer and to two: trained and saved in half the time, where nothing is learned."""
    from slmkit.models.load import load_model
    from slmkit.types import ModelRef

    found = {}
    for name, num_layers in (("one_layer", 1), ("two_layers", 2)):
        loaded = load_model(ModelRef("nano", str(REPOSITORY / "slmkit" / "assets" / "nano")), device="cpu")
        loaded.model.model.layers = loaded.model.model.layers[:num_layers]
        loaded.model.config.num_hidden_layers = num_layers
        folder = tmp_path_factory.mktemp(name)
        loaded.model.save_pretrained(folder)
        loaded.tokenizer.save_pretrained(folder)
        found[name] = ModelRef(name, str(folder))
    return found


@pytest.fixture
def nano(libraries):
    """The bundled model, fresh for each test: training changes it."""
    import torch

    torch.set_num_threads(1)  # small matrices: a second thread gains little, and costs much beside other work
    from slmkit.models.load import load_model
    from slmkit.types import ModelRef

    return load_model(ModelRef("nano", str(REPOSITORY / "slmkit" / "assets" / "nano")), device="cpu")


@pytest.fixture
def smollm2(monkeypatch: pytest.MonkeyPatch) -> ModelRef:
    """SmolLM2-135M-Instruct as `slmkit get` left it in the user's cache; tests that take it are marked real."""
    from slmkit.models.model_folder import model_folder
    from slmkit.recipe.find_reference import find_model
    from slmkit.types import ModelRef

    name = "smollm2-135m-instruct"
    if USER_CACHE is None:
        monkeypatch.delenv("XDG_CACHE_HOME")
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", USER_CACHE)
    found = find_model(name, "test")
    ref = ModelRef(name, str(found.path or found.name))
    if model_folder(ref) is None:
        pytest.skip(f"the model is not on this machine: slmkit get {name}")
    return ref


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The public data pack beside the checkout; where it is not, the tests that measure on it have nothing to read."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the public data pack is not beside this checkout (../shared/data)")
    return folder
