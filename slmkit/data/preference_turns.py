"""The prompt and the two answers of a preference pair, in any of the ways in which data sets write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slmkit.data.canonical_row import RowFault
from slmkit.types import Message


class PairTurns(NamedTuple):
    """A prompt, the answer to prefer, and the answer to avoid, as messages."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]


def pair_turns(prompt: Sequence[Message], chosen: Sequence[Message], rejected: Sequence[Message]) -> PairTurns:
    """The pair with the answers alone in `chosen` and `rejected`, and all that comes before them in `prompt`.

    Answers may be whole conversations, which repeat the prompt: their common beginning is the prompt then.
    Raises: RowFault if there is no prompt or no answer, or if the two answers are the same.
    """
    shared = _num_shared(chosen, rejected)
    turns = [message for message in prompt if message["role"] != "system"]
    if list(chosen[:shared])[-len(turns) :] == turns or not turns:
        whole, chosen, rejected = list(chosen[:shared]), chosen[shared:], rejected[shared:]
        before = [message for message in prompt[:1] if message["role"] == "system" and message not in whole]
        prompt = [*before, *whole]
    elif chosen[0]["role"] in ("system", "user") or rejected[0]["role"] in ("system", "user"):
        raise RowFault("chosen and rejected do not begin with the prompt")
    if all(message["role"] == "system" for message in prompt):
        raise RowFault("chosen and rejected share no prompt")
    if list(chosen) == list(rejected):
        raise RowFault("chosen equals rejected")
    if not all(turns and turns[-1]["role"] == "assistant" for turns in (chosen, rejected)):
        raise RowFault("chosen or rejected does not end with an answer")
    return PairTurns(list(prompt), list(chosen), list(rejected))


def _num_shared(chosen: Sequence[Message], rejected: Sequence[Message]) -> int:
    """How many messages both begin with, leaving at least one to each."""
    shared = 0
    while shared < min(len(chosen), len(rejected)) - 1 and chosen[shared] == rejected[shared]:
        shared += 1
    return shared
