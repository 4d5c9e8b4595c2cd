"""A hub model is downloaded once, from a server that speaks the hub's protocol, and never asked for again."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from project_files import REPOSITORY

NANO = REPOSITORY / "slmkit" / "assets" / "nano"
COMMIT = "0123456789012345678901234567890123456789"
FILES = {path.name: path.read_bytes() for path in NANO.iterdir()} | {"pytorch_model.bin": b"old", "onnx/x.onnx": b"x"}
LOAD = """
import sys
from slmkit.models.hub_download import download
from slmkit.models.model_folder import model_folder
from slmkit.types import ModelRef
ref = ModelRef("mine", "org/nano")
print(model_folder(ref))
print(download(ref, weights=False))
print(download(ref))
print(model_folder(ref))
assert "torch" not in sys.modules
"""


class Hub(BaseHTTPRequestHandler):
    """The three kinds of request that huggingface_hub makes for a download."""

    asked: list[str]

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        self.asked.append(self.path)
        headers, body = {"X-Repo-Commit": COMMIT}, b""
        if self.path.startswith("/api/models/org/nano") and "/tree/" in self.path:
            rows = [{"type": "file", "path": k, "size": len(v), "oid": _oid(v)} for k, v in FILES.items()]
            body = json.dumps(rows).encode()
        elif self.path.startswith("/api/models/org/nano"):
            siblings = [{"rfilename": name, "size": len(content)} for name, content in FILES.items()]
            body = json.dumps({"id": "org/nano", "sha": COMMIT, "siblings": siblings}).encode()
        else:
            body = FILES[self.path.rpartition("/")[2]]
            headers["ETag"] = f'"{_oid(body)}"'
        self.send_response(200)
        for key, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(key, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[ThreadingHTTPServer]:
    Hub.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def run(code: str, endpoint: str, cache: Path) -> subprocess.CompletedProcess[str]:
    settings = {"HF_ENDPOINT": endpoint, "HF_HOME": str(cache), "HF_HUB_OFFLINE": "0", "PATH": "/usr/bin:/bin"}
    settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HOME": str(cache), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=settings, check=False)


def test_a_model_is_downloaded_once_with_the_files_that_loading_needs(hub, tmp_path: Path) -> None:
    endpoint = f"http://127.0.0.1:{hub.server_port}"
    done = run(LOAD, endpoint, tmp_path)
    assert done.returncode == 0, done.stderr
    before, tokenizer, whole, after = done.stdout.splitlines()
    assert before == "None"
    assert tokenizer == whole == after
    assert Path(after).name == COMMIT
    names = {path.name for path in Path(after).rglob("*")}
    assert names == set(FILES) - {"pytorch_model.bin", "onnx/x.onnx", "README.md"}
    first, second = (line for line in done.stderr.splitlines() if line.startswith("downloading"))
    assert "tokenizer only" in first
    assert f"{len(names)} files" in second
    Hub.asked.clear()
    again = run(LOAD, endpoint, tmp_path)
    assert again.stdout.splitlines() == [after] * 4
    assert Hub.asked == []


def test_a_hub_that_refuses_the_connection_is_an_error_within_seconds(tmp_path: Path) -> None:
    done = run(LOAD, "http://127.0.0.1:9", tmp_path)
    assert "the hub cannot be reached" in done.stderr


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
