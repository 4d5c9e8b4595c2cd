"""A model behind an OpenAI-compatible server: a hosted one, or vLLM, llama.cpp, Ollama on a machine of yours."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from typing import Any

from slmkit.errors import FailedError, SlmkitError
from slmkit.evaluation.caveats import SERVERS_TEMPLATE
from slmkit.systems._chat import Message, ShowLabels, opening_text
from slmkit.systems._shots import Choice, Shots, chats_of, shots_of
from slmkit.types import (
    Answer,
    Example,
    Input,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    System,
    Task,
)

_TRIES = 4  # of one question; waits 1, 2 and 4 seconds between them
_PASSING = (408, 409, 425, 429, 500, 502, 503, 504)  # HTTP codes that may go away by themselves


def openai_endpoint(
    task: Task,
    *,
    url: str,
    model_name: str,
    api_key_variable: str = "OPENAI_API_KEY",
    num_shots: NonNegativeInt = 0,
    shots: Choice = "nearest",
    examples: Input | None = None,
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    max_new_tokens: PositiveInt = 64,
    concurrency: PositiveInt = 8,
    timeout_seconds: PositiveFloat = 60.0,
    price_per_million_prompt_tokens: NonNegativeFloat = 0.0,
    price_per_million_completion_tokens: NonNegativeFloat = 0.0,
    seed: int = 0,
) -> System:
    """Asks a server with the OpenAI chat API, greedily; url ends in /v1, the key is read from the environment.

    The prices are what compare reckons the cost by, from the `usage` in the server's replies; at 0 the machine's time
    counts. num_shots, shots, examples, instruction, show_labels: as in `prompt`.
    """
    if not url.startswith(("http://", "https://")):
        raise SlmkitError(f"url is {url!r}", fix="give http://HOST:PORT/v1 or https://…/v1")
    return _Endpoint(
        url=url.rstrip("/") + "/chat/completions",
        model_name=model_name,
        api_key=os.environ.get(api_key_variable, ""),
        opening=opening_text(task, instruction, show_labels=bool(show_labels)),
        shots=shots_of(examples, num_shots, shots, seed),
        max_new_tokens=max_new_tokens,
        concurrency=concurrency,
        timeout_seconds=timeout_seconds,
        has_prices=bool(price_per_million_prompt_tokens or price_per_million_completion_tokens),
    )


@dataclass(frozen=True)
class _Endpoint:
    url: str
    model_name: str
    api_key: str
    opening: str
    shots: Shots | None
    max_new_tokens: int
    concurrency: int
    timeout_seconds: float
    has_prices: bool

    @property
    def about(self) -> dict[str, str]:
        return {
            "model": self.model_name,
            "backend": self.url,
            "template": SERVERS_TEMPLATE,
            "decoding": f"greedy, up to {self.max_new_tokens} tokens",
        }

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        last = time.perf_counter()
        chats = chats_of(questions, self.shots, self.opening)
        answers: dict[int, Answer] = {}
        with ThreadPoolExecutor(self.concurrency) as pool:
            asked = {
                pool.submit(self._ask, question, chat): index
                for index, (question, chat) in enumerate(zip(questions, chats, strict=True))
            }
            try:
                for done in as_completed(asked):
                    now = time.perf_counter()
                    # The time since the answer before it: all of them add up to the time that passed.
                    answer, last = replace(done.result(), seconds=now - last), now
                    answers[asked[done]] = answer
                    if on_answer:
                        on_answer(answer)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [answers[index] for index in range(len(questions))]

    def _ask(self, question: Example, messages: list[Message]) -> Answer:
        body = {"model": self.model_name, "messages": messages, "max_tokens": self.max_new_tokens, "temperature": 0}
        reply = self._post(body)
        if error := reply.get("error"):
            return Answer(question.id, "", stopped=False, error=error)
        choice = reply["choices"][0]
        text, end = choice["message"].get("content"), choice.get("finish_reason")
        has_text = isinstance(text, str)
        prompt_tokens, completion_tokens = self._usage(reply)
        return Answer(
            question.id,
            text.strip() if has_text else "",
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            stopped=has_text and end != "length",
            error="" if has_text else f"a reply without text (finish_reason: {end})",
        )

    def _usage(self, reply: dict[str, Any]) -> tuple[int, int]:
        """The tokens of prompt and completion; 0 where the server tells none, which is refused where they have prices.

        Raises: FailedError, for counts of 0 would make the dearest model the cheapest.
        """
        usage = reply.get("usage") or {}
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if self.has_prices and None in (prompt, completion):
            raise FailedError(
                f"{self.url} has prices, but its replies tell no token counts (usage)",
                fix="ask a server that reports usage, or leave the prices out: then its time counts",
            )
        return int(prompt or 0), int(completion or 0)

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        """The server's reply, or {"error": ...} where it refuses this one question or never says a whole answer.

        Raises: FailedError when the server is not there or refuses all; the answers so far are kept for a later run.
        """
        headers = {"Content-Type": "application/json"}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        request = urllib.request.Request(self.url, json.dumps(body).encode(), headers)
        reason = ""
        for attempt in range(_TRIES):
            if attempt:
                time.sleep(2 ** (attempt - 1))
            try:
                with urllib.request.urlopen(request, timeout=self.timeout_seconds) as response:
                    return _checked(json.load(response))
            except urllib.error.HTTPError as error:
                reason = f"HTTP {error.code}: {error.read(500).decode(errors='replace')}"
                if error.code in (401, 403, 404):
                    raise FailedError(
                        f"{self.url} refuses: {reason}", fix="check `url`, `model_name` and the API key's variable"
                    ) from None
                if error.code not in _PASSING:
                    return {"error": reason}
            except OSError as error:
                reason = str(error)
            except json.JSONDecodeError as error:  # what a page of another server is, four times over
                reason = f"its replies are not JSON ({error})"
            except (ValueError, http.client.HTTPException) as error:  # no answer in it, or cut short
                reason = f"a reply that is none: {error}"
                if attempt == _TRIES - 1:
                    return {"error": reason}
        fix = "start the server, or check `url`, then run the same command"
        raise FailedError(f"{self.url} does not answer: {reason}", fix=fix)


def _checked(reply: Any) -> dict[str, Any]:
    """The reply, which has a message to read. Raises: ValueError where it has none, or says an error beside it."""
    try:
        has_message = isinstance(reply["choices"][0]["message"], dict)
    except (KeyError, IndexError, TypeError):
        has_message = False
    if not has_message or reply.get("error"):
        raise ValueError(json.dumps(reply)[:500])
    checked: dict[str, Any] = reply
    return checked
