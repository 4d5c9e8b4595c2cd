"""Sends a JSON request over HTTP, and repeats it while the failure may be temporary."""

from __future__ import annotations

import html
import json
import math
import random
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError

if TYPE_CHECKING:
    import httpx

_RETRIED = (408, 409, 425, 429, 500, 502, 503, 504)  # HTTP statuses that often pass: overload, rate limit, restart
_SAME_FOR_ALL = (301, 302, 303, 307, 308, 401, 402, 403, 404, 405)  # wrong url, key or model: no request can succeed
_MAX_TRIES = 6  # about 1, 2, 4, 8 and 16 seconds apart
_MAX_TRIES_OF_A_REPLY = 3  # a reply without an answer, or none in time: each try may cost money or minutes
MAX_WAIT_SECONDS = 300.0  # for the waits between the tries of one request, all together
# A 500 of a chat template, and a 429 of an empty account: the same request fails forever.
_TEMPLATE_FAILED = re.compile(r"jinja|chat template|\broles? (?:not|must)\b", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient[_ ](?:quota|balance|credit|funds)|exceeded your current quota", re.IGNORECASE)
_WAIT_IN_WORDS = re.compile(
    r"(?:again|retry)\s+(?:in|after)\s+(?:(?P<m>\d+)\s*m(?:in(?:ute)?s?)?\s*(?=\d|\b))?"
    r"(?:(?P<s>\d+(?:\.\d+)?)\s*(?P<unit>ms|s(?:ec(?:ond)?s?)?)\b)?",
    re.IGNORECASE,
)


class RequestError(Exception):
    """The server cannot answer this request; it may well answer others."""


class RefusesAllError(Exception):
    """The server refuses every such request: wrong url, key or model name. status 0: it is not such a server."""

    def __init__(self, reason: str, *, status: int = 0, location: str = "") -> None:
        super().__init__(reason)
        self.status, self.location = status, location


class _TemporaryError(Exception):
    def __init__(
        self, reason: str, *, retry_after: float | None = None, tries: int = _MAX_TRIES, is_reply: bool = False
    ) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.tries, self.is_reply = reason, retry_after, tries, is_reply


class _TimeoutError(_TemporaryError):
    pass


def post_json(
    client: httpx.Client,
    url: str,
    body: Mapping[str, Any],
    *,
    read: Callable[[bytes], dict[str, Any]],
    cancelled: Event,
    on_wait: Callable[[float, str], None] = lambda seconds, reason: None,
) -> dict[str, Any]:
    """The server's reply, as `read` returns it; `read` raises ValueError for a reply that cannot be used.

    Connection errors and the statuses of an overloaded server are retried with exponential backoff and jitter:
    after 1, 2, 4, 8 and 16 seconds, each up to a second later. Where the server says how long to wait, that is waited,
    as often as it says so, up to MAX_WAIT_SECONDS for one request. on_wait is called with each wait and its reason.
    `cancelled` ends the waiting.
    Raises: RequestError if only this request fails; RefusesAllError if no request can succeed; FailedError if the
    server is down or asks to wait longer.
    """
    waited, tries, unadvised = 0.0, 0, 0
    while True:
        try:
            return _post_once(client, url, body, read, cancelled)
        except _TemporaryError as error:
            tries += 1
            unadvised += not error.retry_after
            seconds = (2.0 ** min(tries - 1, 5) if error.retry_after is None else error.retry_after) + random.uniform(
                0, 1
            )
            is_over = unadvised >= error.tries or cancelled.is_set()
            if is_over and error.is_reply:
                raise RequestError(error.reason) from None
            if is_over or waited + seconds > MAX_WAIT_SECONDS:
                raise _given_up(error, url, tries, client.timeout.read) from None
            on_wait(seconds, error.reason)
            waited += seconds
            _pause(seconds, cancelled)


def _post_once(
    client: httpx.Client,
    url: str,
    body: Mapping[str, Any],
    read: Callable[[bytes], dict[str, Any]],
    cancelled: Event,
) -> dict[str, Any]:
    import httpx

    if cancelled.is_set():
        raise _TemporaryError("cancelled")
    try:
        with client.stream("POST", url, json=body) as response:
            content = _content(response)
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:  # its text may hold the key
        fix = "check `url`, and the key and the proxy in the environment"
        raise FailedError(f"no request can be sent ({type(error).__name__})", where=url, fix=fix) from None
    except httpx.TimeoutException as error:
        raise _TimeoutError(str(error) or type(error).__name__, tries=_MAX_TRIES_OF_A_REPLY) from None
    except httpx.TransportError as error:  # no connection
        if "SSL" in str(error) or "CERTIFICATE" in str(error).upper():
            raise RefusesAllError(str(error)) from None
        raise _TemporaryError(str(error) or type(error).__name__) from None
    except httpx.DecodingError as error:  # a reply in a broken compression
        raise _TemporaryError(f"unreadable reply: {error}") from None
    status, text = response.status_code, error_text(content)
    reason = f"HTTP {status}: {text}"
    if status == 429 and _NO_CREDIT.search(text):
        raise RefusesAllError(reason, status=402)
    if status == 500 and _TEMPLATE_FAILED.search(text):
        raise RequestError(reason)
    if status in _RETRIED:
        header = response.headers.get("Retry-After")
        reason += f" (Retry-After: {header})" if header else ""
        raise _TemporaryError(reason, retry_after=_advised(response.headers, text))
    if status in _SAME_FOR_ALL:
        raise RefusesAllError(reason, status=status, location=response.headers.get("Location", ""))
    if not response.is_success:
        raise RequestError(reason)
    try:
        return read(content)
    except ValueError as error:
        if content.lstrip().startswith(b"<"):  # the page of some other server
            raise RefusesAllError(f"the reply is a web page: {text}") from None
        if isinstance(error, json.JSONDecodeError):
            error = ValueError(f"{text or 'nothing'} ({error})")
        raise _TemporaryError(f"unusable reply: {error}", tries=_MAX_TRIES_OF_A_REPLY, is_reply=True) from None


def error_text(content: bytes) -> str:
    """What an error body says, up to 500 characters: of JSON its message, of a web page its text.

    {"error": {"message": "no"}}, {"error": "no"}, {"message": "no"}, {"detail": "no"} and <h1>no</h1> all give "no".
    """
    text = content.decode("utf-8", "replace").strip()
    if text.startswith("<"):
        page = re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.DOTALL | re.IGNORECASE)
        return " ".join(html.unescape(page).split())[:500]
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text[:500]
    while isinstance(said, dict) and (key := next((k for k in ("error", "message", "detail") if said.get(k)), None)):
        said = said[key]
    return (said if isinstance(said, str) else json.dumps(said, ensure_ascii=False))[:500]


def _given_up(error: _TemporaryError, url: str, tries: int, timeout_seconds: float | None) -> FailedError:
    """The error of a server that gave no answer, with what helps: patience, a longer timeout, or a look at it."""
    if error.retry_after:
        what = f"the server asks to wait longer than the {MAX_WAIT_SECONDS:g} s that one request may wait"
        fix = (
            f"run the same command in {error.retry_after:,.0f} s, it keeps the answers so far; or lower `concurrency`"
        )
        return FailedError(f"{what}: {error.reason}", where=url, fix=fix)
    what = f"the server gave no answer ({tries} {'try' if tries == 1 else 'tries'}): {error.reason}"
    fix = "check `url` and that the server runs, then run the same command: it keeps the answers so far"
    if isinstance(error, _TimeoutError) and timeout_seconds:
        fix = f"raise `timeout_seconds` above {timeout_seconds:g}, or lower `concurrency`; the answers so far are kept"
    return FailedError(what, where=url, fix=fix)


def _content(response: httpx.Response) -> bytes:
    import httpx

    try:
        return response.read()
    except httpx.RemoteProtocolError as error:
        raise _TemporaryError(f"reply cut short: {error}", tries=_MAX_TRIES_OF_A_REPLY, is_reply=True) from None


def _advised(headers: Mapping[str, str], text: str) -> float | None:
    """The seconds that the server says to wait, in a header or in the words of its message; None if nowhere."""
    milliseconds = _seconds(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    if header := headers.get("retry-after"):
        return _retry_after(header)
    found = _WAIT_IN_WORDS.search(text)
    if not found or not (found["m"] or found["s"]):
        return None
    seconds = float(found["s"] or 0)
    return 60.0 * int(found["m"] or 0) + (seconds / 1000 if found["unit"] == "ms" else seconds)


def _retry_after(header: str) -> float | None:
    """Seconds from now: of "120", or of a date such as "Wed, 21 Oct 2026 07:28:00 GMT"; None if it is neither."""
    if (seconds := _seconds(header)) is not None:
        return seconds
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _pause(seconds: float, cancelled: Event) -> None:
    cancelled.wait(seconds)
