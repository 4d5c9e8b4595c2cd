"""The error for a server that refuses every request, with a fix that was looked up: the models that it does offer."""

from __future__ import annotations

import json
import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from slmkit.errors import FailedError
from slmkit.systems._post_json import RefusesAllError

if TYPE_CHECKING:
    import httpx

_MOST_SHOWN = 10
_UNKNOWN_MODEL = re.compile(
    r"model.{0,80}(?:not found|not exist|n't exist|not a valid|not available)"
    r"|(?:unknown|invalid|not a valid|no such|not found).{0,20}\bmodel\b",
    re.IGNORECASE | re.DOTALL,
)


def names_no_model(reason: str) -> bool:
    """Whether the server's message says that it does not know the model."""
    return _UNKNOWN_MODEL.search(reason) is not None


def refusal_of(
    error: RefusesAllError, client: httpx.Client, *, base: str, path: str, model_name: str, key_variable: str
) -> FailedError:
    """The error for a refusal; base and path: the url without and with /chat/completions."""
    what = f"the server refuses all requests: {error}"
    return FailedError(what, where=path, fix=_fix(error, client, base, model_name, key_variable))


def _fix(error: RefusesAllError, client: httpx.Client, base: str, model_name: str, key_variable: str) -> str:
    if error.location:
        return f"set url for the address {error.location}"
    if error.status in (401, 403):
        if "Authorization" not in client.headers:
            key = f"export {key_variable}=…, or name the variable that holds it with api_key_variable"
            return f"the request had no key: {key}; if the server needs none, check `url`"
        return f"check the key in {key_variable} and what it is allowed to do, and `model_name`"
    if error.status == 402:
        return "add credit to the account, then run the same command: it keeps the answers so far"
    if "WRONG_VERSION_NUMBER" in str(error) or "RECORD_LAYER" in str(error):
        return "the server does not speak https: set url to http://…"
    if "SSL" in str(error) or "CERTIFICATE" in str(error):
        return "the server's certificate is not trusted: check `url`, or set SSL_CERT_FILE to the file that signs it"
    offered = offered_models(client, base)
    if offered and model_name not in offered:
        nearest = get_close_matches(model_name, offered, n=len(offered), cutoff=0.0)
        shown = ", ".join(nearest[:_MOST_SHOWN])
        more = f" and {len(offered) - _MOST_SHOWN:,} more" if len(offered) > _MOST_SHOWN else ""
        return f"set model_name to one that the server offers: {shown}{more}"
    if offered is None and offered_models(client, f"{base}/v1") is not None:
        return f"set url={base}/v1"
    return "check `url`, which ends in /v1 on most servers, and `model_name`"


def offered_models(client: httpx.Client, base: str) -> list[str] | None:
    """The names of the server's models; None if it does not list them."""
    import httpx

    try:
        response = client.get(f"{base}/models")
        listed = response.json() if response.is_success else None
    except (httpx.HTTPError, json.JSONDecodeError, UnicodeDecodeError):
        return None
    rows = listed.get("data", listed.get("models")) if isinstance(listed, dict) else listed
    if not isinstance(rows, list):
        return None
    names = [row.get("id") or row.get("name") if isinstance(row, dict) else row for row in rows]
    return [name for name in names if isinstance(name, str)]
