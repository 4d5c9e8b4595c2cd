"""Serves the labelling page and its API over HTTP, only to browsers on this machine that have the token.

Every request must name this host (against DNS rebinding), have no foreign origin, and carry the token, which is
compared in constant time. The page loads nothing from elsewhere. Annotators never see each other's work.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import parse_qs, urlsplit

from slmkit.errors import SlmkitError
from slmkit.labelling.journal import Labelling

_PAGE = Path(__file__).with_name("page.html")
_MAX_BYTES = 1_000_000
_HOST = "127.0.0.1"


class LabelServer(ThreadingHTTPServer):
    """Serves one labelling on 127.0.0.1; port 0 picks a free port."""

    daemon_threads = True

    def __init__(self, labelling: Labelling, *, name: str, port: int = 0) -> None:
        super().__init__((_HOST, port), _Handler)
        self.labelling, self.name = labelling, name
        self.token = secrets.token_urlsafe(24)
        self.writing = Lock()
        self.hosts = {f"{host}:{self.server_address[1]}" for host in (_HOST, "localhost")}

    @property
    def url(self) -> str:
        """The address to open, including the token."""
        return f"http://{_HOST}:{self.server_address[1]}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    server: LabelServer
    server_version, sys_version = "slmkit", ""
    timeout = 30  # seconds; idle connections are closed

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/" and self._is_allowed(query.get("token", [""])[0]):
            self._send_page()
        elif url.path == "/items" and self._is_allowed(self._bearer()):
            self._send(200, self._items(query.get("annotator", [""])[0]))
        elif url.path not in ("/", "/items"):
            self._send(404, {"error": "page not found"})

    def do_POST(self) -> None:
        if not self._is_allowed(self._bearer()):
            return
        try:
            length = int(self.headers.get("Content-Length", ""))
        except ValueError:
            length = -1
        if self.path != "/act" or not 0 <= length <= _MAX_BYTES:
            self.rfile.read(min(max(length, 0), 10 * _MAX_BYTES))  # a client still sending would not read the reply
            if self.path != "/act":
                self._send(404, {"error": "page not found"})
            else:
                self._send(413, {"error": f"the request is not 0 to {_MAX_BYTES:,} bytes long"})
            return
        try:
            action = json.loads(self.rfile.read(length))
            with self.server.writing:
                self.server.labelling.record(
                    **{key: str(action[key]) for key in ("annotator", "item", "action", "value")}
                )
        except (ValueError, KeyError, TypeError):
            self._send(400, {"error": "the request needs JSON with annotator, item, action and value"})
        except SlmkitError as error:
            self._send(400, {"error": error.what})
        except OSError as error:
            self._send(500, {"error": f"not saved: {error.strerror}"})
        else:
            self._send(200, {"saved": True})

    def _is_allowed(self, token: str) -> bool:
        """Whether host, origin and token are valid; sends 403 if not."""
        hosts = self.server.hosts
        origin = self.headers.get("Origin")
        if self.headers.get("Host") not in hosts:
            reason = "wrong host"
        elif origin is not None and origin not in {f"http://{host}" for host in hosts}:
            reason = "wrong origin"
        elif self.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
            reason = "cross-site request"
        elif not hmac.compare_digest(token.encode(), self.server.token.encode()):
            reason = "missing or wrong token: open the address that `slmkit gold label` printed"
        else:
            return True
        self.close_connection = True
        self._send(403, {"error": reason})
        return False

    def _bearer(self) -> str:
        return self.headers.get("Authorization", "").removeprefix("Bearer ")

    def _items(self, annotator: str) -> dict[str, Any]:
        labelling = self.server.labelling
        work = labelling.work_of(annotator)
        items = [{**asdict(item), **(asdict(work[item.id]) if item.id in work else {})} for item in labelling.items]
        return {
            "name": self.server.name,
            "instruction": labelling.instruction,
            "labels": labelling.labels,
            "items": items,
        }

    def _send_page(self) -> None:
        nonce = secrets.token_urlsafe(16)
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
            "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        page = _PAGE.read_text(encoding="utf-8").replace("{nonce}", nonce)
        self._send(200, page, {"Content-Security-Policy": policy})

    def _send(self, code: int, content: str | dict[str, Any], headers: dict[str, str] | None = None) -> None:
        is_page = isinstance(content, str)
        body = (content if is_page else json.dumps(content, ensure_ascii=False)).encode()  # type: ignore[union-attr]
        self.send_response(code)
        self.send_header("Content-Type", f"{'text/html' if is_page else 'application/json'}; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        for name, value in {**_HEADERS, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Logs nothing, because the address contains the token."""


_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
