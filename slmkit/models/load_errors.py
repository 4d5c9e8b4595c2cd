"""Explains why a model cannot be loaded: gated, unknown, no network, too little memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from slmkit.errors import FailedError, SlmkitError, is_out_of_memory, out_of_memory
from slmkit.types import ModelRef


@contextmanager
def explain_load_errors(ref: ModelRef) -> Iterator[None]:
    """Turns errors of the hub, transformers and torch into errors that say how to fix them."""
    try:
        yield
    except SlmkitError:
        raise
    except Exception as error:
        explanation = _explanation(error, ref)
        if explanation is None:
            raise
        raise explanation from error


def _explanation(error: Exception, ref: ModelRef) -> SlmkitError | None:
    causes, cause = [], error
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    kinds = {kind.__name__ for cause in causes for kind in type(cause).__mro__}
    text = str(error)
    if any(map(is_out_of_memory, causes)):
        return out_of_memory(f"loading {ref.name!r}", "load_in_4bit=true, or a smaller `model`")
    if "GatedRepoError" in kinds:
        return SlmkitError(
            f"model {ref.path!r} is gated: its owner must grant you access",
            fix=f"request access on https://huggingface.co/{ref.path}, then `hf auth login`, or use another `model`",
        )
    if "RepositoryNotFoundError" in kinds or "HFValidationError" in kinds:
        return SlmkitError(
            f"the hub has no model {ref.path!r}, or it is private",
            fix="check the spelling of `model`, or `hf auth login` for a private one",
        )
    if kinds & {
        "OfflineModeIsEnabled",
        "LocalEntryNotFoundError",
        "ConnectError",
        "ConnectionError",
        "TimeoutException",
    }:
        return FailedError(
            f"model {ref.path!r} is not on this machine, and the hub cannot be reached",
            fix=f"`slmkit get {ref.path}` with a network, copy its folder here and set `model` to it, or model=nano",
        )
    if isinstance(error, (OSError, ValueError)):
        return SlmkitError(
            f"model {ref.name!r} cannot be loaded: {(text.splitlines() or [type(error).__name__])[0]}",
            fix="use another `model`",
        )
    return None
