"""A model behind an OpenAI-compatible server: a hosted one, or your own vLLM, llama.cpp or Ollama."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from slmkit.errors import FailedError, SlmkitError
from slmkit.evaluation.caveats import SERVERS_TEMPLATE
from slmkit.systems._chat import Message, ShowLabels, opening_text
from slmkit.systems._post_json import RequestError, post_json
from slmkit.systems._shots import FewShot, Shots, chats_of
from slmkit.types import Answer, Example, Keys, NonNegativeFloat, PositiveFloat, PositiveInt, System, Task

if TYPE_CHECKING:
    import httpx

Post = Callable[[dict[str, Any]], dict[str, Any]]


def openai_endpoint(
    task: Task,
    *,
    url: str,
    model_name: str,
    api_key_variable: str = "OPENAI_API_KEY",
    few_shot: Keys[FewShot] = FewShot(),
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    max_new_tokens: PositiveInt = 64,
    concurrency: PositiveInt = 8,
    timeout_seconds: PositiveFloat = 60.0,
    price_per_million_prompt_tokens: NonNegativeFloat = 0.0,
    price_per_million_completion_tokens: NonNegativeFloat = 0.0,
) -> System:
    """Asks a server that has the OpenAI chat API, with greedy decoding.

    url ends in /v1. api_key_variable: the environment variable that holds the key. Temporary failures are retried.
    The prices let compare compute the cost from the token counts in the replies: 500,000 prompt tokens at 0.40 per
    million cost 0.20. With prices of 0 the cost is the time on your own machine.
    num_shots, shots, examples, instruction, show_labels: as in `prompt`.
    """
    if not _is_http(url):
        raise SlmkitError(
            f"invalid value for url: {url!r}", where="url", fix="use http://HOST:PORT/v1 or https://HOST/v1"
        )
    return _Endpoint(
        url=url.rstrip("/") + "/chat/completions",
        model_name=model_name,
        api_key=_api_key(api_key_variable),
        opening=opening_text(task, instruction, show_labels=bool(show_labels)),
        shots=few_shot.load(),
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
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        limits = httpx.Limits(max_connections=self.concurrency)
        cancelled = threading.Event()
        answers: dict[int, Answer] = {}
        last = time.perf_counter()
        chats = chats_of(questions, self.shots, self.opening)
        with (
            _client(self.url, headers=headers, timeout=self.timeout_seconds, limits=limits) as client,
            ThreadPoolExecutor(self.concurrency) as pool,
        ):
            post = partial(post_json, client, self.url, check=_checked, cancelled=cancelled)
            futures = {
                pool.submit(self._ask, post, question, chat): index
                for index, (question, chat) in enumerate(zip(questions, chats, strict=True))
            }
            try:
                for future in as_completed(futures):
                    now = time.perf_counter()
                    # Time since the previous answer: requests overlap, so only these add up to the total.
                    answer, last = replace(future.result(), seconds=now - last), now
                    answers[futures[future]] = answer
                    if on_answer:
                        on_answer(answer)
            except BaseException:
                cancelled.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [answers[index] for index in range(len(questions))]

    def _ask(self, post: Post, question: Example, messages: list[Message]) -> Answer:
        body = {"model": self.model_name, "messages": messages, "max_tokens": self.max_new_tokens, "temperature": 0}
        try:
            reply = post(body)
        except RequestError as error:
            return Answer(question.id, "", stopped=False, error=str(error))
        choice = reply["choices"][0]
        text, finish_reason = choice["message"].get("content"), choice.get("finish_reason")
        has_text = isinstance(text, str)
        prompt_tokens, completion_tokens = self._usage(reply)
        return Answer(
            question.id,
            text.strip() if has_text else "",
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            stopped=has_text and finish_reason != "length",
            error="" if has_text else f"the reply has no text (finish_reason: {finish_reason})",
        )

    def _usage(self, reply: dict[str, Any]) -> tuple[int, int]:
        """The tokens of prompt and completion; 0 if the server does not count them.

        Raises: FailedError if they have a price: counts of 0 would make the most expensive model the cheapest.
        """
        usage = reply.get("usage") or {}
        prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
        if self.has_prices and None in (prompt, completion):
            raise FailedError(
                "the recipe sets token prices, but the server's replies have no token counts (`usage`)",
                where=self.url,
                fix="use a server that reports token usage, or remove the prices to compute the cost from time",
            )
        return int(prompt or 0), int(completion or 0)


def _checked(reply: Any) -> dict[str, Any]:
    """The reply, if it has a message. Raises: ValueError if it has none, or reports an error."""
    try:
        has_message = isinstance(reply["choices"][0]["message"], dict)
    except (KeyError, IndexError, TypeError):
        has_message = False
    if not has_message or reply.get("error"):
        raise ValueError(json.dumps(reply)[:500])
    checked: dict[str, Any] = reply
    return checked


def _api_key(variable: str) -> str:
    """The key in an environment variable. Raises: SlmkitError if no HTTP header can hold it; it is never shown."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        fix = "export it again, without line breaks or special characters"
        raise SlmkitError(f"the environment variable {variable} is not a valid key", where=variable, fix=fix)
    return key


def _client(url: str, **options: Any) -> httpx.Client:
    import httpx

    try:
        return httpx.Client(**options)
    except (ImportError, ValueError) as error:  # a proxy of the environment that needs a package, or is no url
        fix = "check the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        raise FailedError(f"the proxy cannot be used: {error}", where=url, fix=fix) from None


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and host != "" and not re.search(r"\s", host) and parts.port != 0
    except ValueError:  # a port that is not a number
        return False
