"""Sends a JSON request over HTTP, and repeats it while the failure may be temporary."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event
from typing import TYPE_CHECKING, Any

from slmkit.errors import FailedError

if TYPE_CHECKING:
    import httpx
    from tenacity import RetryCallState

_RETRIED = (408, 409, 425, 429, 500, 502, 503, 504)  # HTTP statuses that often pass: overload, rate limit, restart
_SAME_FOR_ALL = (301, 302, 303, 307, 308, 401, 403, 404)  # wrong url, model name or key: no other request can succeed
_MAX_TRIES = 6  # about 1, 2, 4, 8 and 16 seconds apart
_MAX_WAIT_SECONDS = 300.0  # for the waits between the tries of one request, all together


class RequestError(Exception):
    """The server cannot answer this request; it may well answer others."""


class _TemporaryError(Exception):
    def __init__(self, reason: str, *, retry_after: float | None = None, only_this_request: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.retry_after, self.only_this_request = reason, retry_after, only_this_request


def post_json(
    client: httpx.Client,
    url: str,
    body: Mapping[str, Any],
    *,
    check: Callable[[Any], dict[str, Any]],
    cancelled: Event,
) -> dict[str, Any]:
    """The server's reply, as `check` returns it; `check` raises ValueError for a reply that cannot be used.

    Connection errors and the statuses of an overloaded server are retried with exponential backoff and jitter:
    after 1, 2, 4, 8 and 16 seconds, each up to a second later, or when the server's Retry-After says so.
    `cancelled` ends the waiting.
    Raises: RequestError if only this request fails; FailedError if the server is down or refuses every request.
    """
    import tenacity

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(_TemporaryError),
        wait=_seconds_to_wait,
        stop=lambda state: _is_last_try(state) or cancelled.is_set(),
        sleep=lambda seconds: _pause(seconds, cancelled),
        reraise=True,
    )
    try:
        return retrying(_post_once, client, url, body, check, cancelled)
    except _TemporaryError as error:
        if error.only_this_request:
            raise RequestError(error.reason) from None
        tries = retrying.statistics["attempt_number"]
        what = f"the server gave no answer ({tries} {'try' if tries == 1 else 'tries'}): {error.reason}"
        fix = "check `url` and that the server runs, then run the same command: it keeps the answers so far"
        raise FailedError(what, where=url, fix=fix) from None


def _post_once(
    client: httpx.Client,
    url: str,
    body: Mapping[str, Any],
    check: Callable[[Any], dict[str, Any]],
    cancelled: Event,
) -> dict[str, Any]:
    import httpx

    if cancelled.is_set():
        raise _TemporaryError("cancelled")
    try:
        with client.stream("POST", url, json=body) as response:
            content = _read(response)
    except (httpx.LocalProtocolError, httpx.UnsupportedProtocol) as error:  # its text may hold the key
        fix = "check `url`, and the key and the proxy in the environment"
        raise FailedError(f"no request can be sent ({type(error).__name__})", where=url, fix=fix) from None
    except httpx.TransportError as error:  # no connection, a timeout
        raise _TemporaryError(str(error) or type(error).__name__) from None
    except httpx.DecodingError as error:  # a reply in a broken compression
        raise _TemporaryError(f"unreadable reply: {error}") from None
    status = response.status_code
    reason = f"HTTP {status}: {content[:500].decode(errors='replace')}"
    if status in _RETRIED:
        header = response.headers.get("Retry-After")
        reason += f" (Retry-After: {header})" if header else ""
        raise _TemporaryError(reason, retry_after=_retry_after(header))
    if status in _SAME_FOR_ALL:
        target = response.headers.get("Location")
        fix = f"set url for the address {target}" if target else "check `url`, `model_name` and `api_key_variable`"
        raise FailedError(f"the server refuses all requests: {reason}", where=url, fix=fix)
    if not response.is_success:
        raise RequestError(reason)
    try:
        return check(json.loads(content))
    except json.JSONDecodeError as error:  # the page of some other server
        raise _TemporaryError(f"its reply is not JSON: {error}") from None
    except ValueError as error:
        raise _TemporaryError(f"unusable reply: {error}", only_this_request=True) from None


def _read(response: httpx.Response) -> bytes:
    import httpx

    try:
        return response.read()
    except httpx.RemoteProtocolError as error:
        raise _TemporaryError(f"reply cut short: {error}", only_this_request=True) from None


def _seconds_to_wait(state: RetryCallState) -> float:
    """Retry-After if given, otherwise 2 ** (tries - 1), plus up to a second so that clients spread out."""
    error = state.outcome.exception() if state.outcome else None
    retry_after = error.retry_after if isinstance(error, _TemporaryError) else None
    seconds = 2.0 ** (state.attempt_number - 1) if retry_after is None else retry_after
    return seconds + random.uniform(0, 1)


def _is_last_try(state: RetryCallState) -> bool:
    return state.attempt_number >= _MAX_TRIES or state.idle_for + state.upcoming_sleep > _MAX_WAIT_SECONDS


def _retry_after(header: str | None) -> float | None:
    """Seconds from now: of "120", or of a date such as "Wed, 21 Oct 2026 07:28:00 GMT"; None if it is neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        date = parsedate_to_datetime(header)
    except ValueError:
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (date - datetime.now(UTC)).total_seconds())


def _pause(seconds: float, cancelled: Event) -> None:
    cancelled.wait(seconds)
