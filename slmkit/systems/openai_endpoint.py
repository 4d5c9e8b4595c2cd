"""A model behind an OpenAI-compatible server: a hosted one, or your own vLLM, llama.cpp or Ollama."""

from __future__ import annotations

import os
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from slmkit.console import console
from slmkit.errors import FailedError, SlmkitError
from slmkit.evaluation.caveats import SERVERS_TEMPLATE
from slmkit.evaluation.without_thinking import thinking_error, without_thinking
from slmkit.systems._chat import Opening, ShowLabels, opening_of
from slmkit.systems._chat_reply import Reply, read_body, read_reply
from slmkit.systems._chat_request import ChatRequest
from slmkit.systems._fit_prompts import Fitted, ask_with_fewer
from slmkit.systems._new_tokens import NewTokens, limit_notes, new_tokens, tokens_by_bytes
from slmkit.systems._post_json import MAX_WAIT_SECONDS, RefusesAllError, RequestError, post_json
from slmkit.systems._server_refusal import names_no_model, refusal_of
from slmkit.systems._shots import FewShot, Shots, chat_of, solved_for
from slmkit.types import Answer, Example, Keys, Message, NonNegativeFloat, PositiveFloat, PositiveInt, System, Task

if TYPE_CHECKING:
    import httpx

Post = Callable[[dict[str, Any]], dict[str, Any]]
_CUT = ("length", "max_tokens")  # the reasons to finish of an answer that was cut at max_new_tokens
_WAIT_WORTH_SAYING = 5.0  # seconds
_PATH = "/chat/completions"


def openai_endpoint(
    task: Task,
    *,
    url: str,
    model_name: str,
    api_key_variable: str = "OPENAI_API_KEY",
    few_shot: Keys[FewShot] = FewShot(),
    instruction: str | None = None,
    show_labels: ShowLabels = "auto",
    max_new_tokens: NewTokens = "auto",
    concurrency: PositiveInt = 8,
    timeout_seconds: PositiveFloat = 60.0,
    price_per_million_prompt_tokens: NonNegativeFloat = 0.0,
    price_per_million_completion_tokens: NonNegativeFloat = 0.0,
) -> System:
    """Asks a server that has the OpenAI chat API, with greedy decoding.

    url ends in /v1. api_key_variable: the environment variable that holds the key. Temporary failures are retried, and
    a rate limit is waited for up to five minutes. What the server names as unsupported, such as max_tokens or a
    temperature, is changed or left out. The thinking of a reasoning model is kept apart from its answer.
    The prices let compare compute the cost from the token counts in the replies: 500,000 prompt tokens at 0.40 per
    million cost 0.20. With prices of 0 the cost is the time on your own machine.
    num_shots, shots, examples, instruction, show_labels: as in `prompt`.
    """
    if not _is_http(url):
        raise SlmkitError(
            f"invalid value for url: {url!r}", where="url", fix="use http://HOST:PORT/v1 or https://HOST/v1"
        )
    base = urlsplit(url)._replace(path=urlsplit(url).path.rstrip("/"), fragment="")
    if base.path.endswith(("/chat/completions", "/completions", "/chat")):
        path = re.sub(r"(/chat)?(/completions)?$", "", base.path)
        fix = f"set url={urlunsplit(base._replace(path=path))}"
        raise SlmkitError(f"url {url!r} holds the path that slmkit adds to it", where="url", fix=fix)
    return _Endpoint(
        base=urlunsplit(base),
        url=urlunsplit(base._replace(path=base.path + _PATH)),
        model_name=model_name,
        key_variable=api_key_variable,
        api_key=_api_key(api_key_variable),
        opening=opening_of(task, instruction, show_labels=bool(show_labels)),
        shots=few_shot.load(),
        max_new_tokens=new_tokens(max_new_tokens, task, tokens_by_bytes),
        is_auto=max_new_tokens == "auto",
        concurrency=concurrency,
        timeout_seconds=timeout_seconds,
        has_prices=bool(price_per_million_prompt_tokens or price_per_million_completion_tokens),
    )


@dataclass
class _Learned:
    """What the replies have shown so far about the server; threads share it."""

    request: ChatRequest = field(default_factory=ChatRequest)
    notes: list[str] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)  # what replies held beside their answers
    fitted: Fitted = field(default_factory=Fitted)  # what was left out of the prompts
    waits_until: float = 0.0  # the end of the wait that the console last reported
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True)
class _Endpoint:
    base: str
    url: str
    model_name: str
    key_variable: str
    api_key: str
    opening: Opening
    shots: Shots | None
    max_new_tokens: int
    is_auto: bool  # the limit follows from the gold set
    concurrency: int
    timeout_seconds: float
    has_prices: bool
    learned: _Learned = field(default_factory=_Learned)

    @property
    def about(self) -> dict[str, str]:
        return {
            "model": self.model_name,
            "backend": self.url,
            "template": SERVERS_TEMPLATE,
            "decoding": self.learned.request.decoding(self.max_new_tokens, is_auto=self.is_auto),
        }

    @property
    def notes(self) -> list[str]:
        """What was changed for this server, and what its replies held beside the answers, with the number of them."""
        counted = [f"{count:,} replies {what}" for what, count in self.learned.remarks.items()]
        limit = limit_notes(self.max_new_tokens, "auto" if self.is_auto else self.max_new_tokens, is_estimate=True)
        left_out = self.learned.fitted.notes("solved examples", context=None)
        return [*limit, *self.learned.notes, *left_out, *counted]

    def answer(
        self, questions: Sequence[Example], *, on_answer: Callable[[Answer], None] | None = None
    ) -> list[Answer]:
        import httpx

        headers = {"Authorization": f"Bearer {self.api_key}"} if self.api_key else {}
        limits = httpx.Limits(max_connections=self.concurrency)
        cancelled = threading.Event()
        answers: dict[int, Answer] = {}
        last = time.perf_counter()
        solved = solved_for(questions, self.shots)
        with (
            _client(self.url, headers=headers, timeout=self.timeout_seconds, limits=limits) as client,
            ThreadPoolExecutor(self.concurrency) as pool,
        ):
            post = partial(self._post, client, cancelled)
            futures = {
                pool.submit(self._fitted, post, question, rows): index
                for index, (question, rows) in enumerate(zip(questions, solved, strict=True))
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

    def _fitted(self, post: Post, question: Example, rows: Sequence[Example]) -> Answer:
        """The answer after as many of the solved examples as the server's context takes."""
        answer, kept = ask_with_fewer(
            len(rows), lambda number: self._ask(post, question, chat_of(question, rows, self.opening, number=number))
        )
        with self.learned.lock:
            self.learned.fitted.add([len(rows)], [kept])
        return answer

    def _ask(self, post: Post, question: Example, messages: list[Message]) -> Answer:
        try:
            body = self._accepted(post, question, messages)
        except RequestError as error:
            return Answer(question.id, "", stopped=False, error=str(error))
        reply = read_reply(body)
        with self.learned.lock:
            self.learned.remarks.update(reply.remarks)
        prompt_tokens, completion_tokens = self._usage(body)
        problem = _problem(reply)
        answer = Answer(
            question.id,
            (reply.text or "").strip(),
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            stopped=not problem and reply.finish_reason not in _CUT,
            error=problem,
            thinking=reply.thinking or None,
        )
        return without_thinking(question, answer)

    def _accepted(self, post: Post, question: Example, messages: list[Message]) -> dict[str, Any]:
        """The reply to the question, asked again without what the server refuses; the next question knows."""
        while True:
            request = self.learned.request
            try:
                return post(
                    request.body(self.model_name, messages, max_new_tokens=self.max_new_tokens, tools=question.tools)
                )
            except RequestError as error:
                with self.learned.lock:
                    if self.learned.request is not request:  # another thread has learned it meanwhile
                        continue
                    other = request.without(str(error))
                    if other is None:
                        raise
                    self.learned.request, note = other
                    self.learned.notes.append(note)

    def _post(self, client: httpx.Client, cancelled: threading.Event, body: dict[str, Any]) -> dict[str, Any]:
        try:
            try:
                return post_json(client, self.url, body, read=read_body, cancelled=cancelled, on_wait=self._say_wait)
            except RequestError as error:
                if names_no_model(str(error)):
                    raise RefusesAllError(str(error), status=404) from None
                raise
        except RefusesAllError as error:
            raise refusal_of(
                error,
                client,
                base=self.base,
                path=self.url,
                model_name=self.model_name,
                key_variable=self.key_variable,
            ) from None

    def _say_wait(self, seconds: float, reason: str) -> None:
        """Reports a long wait on the console, once for all requests that wait together."""
        end = time.monotonic() + seconds
        with self.learned.lock:
            if seconds < _WAIT_WORTH_SAYING or end < self.learned.waits_until + _WAIT_WORTH_SAYING:
                return
            self.learned.waits_until = end
        text = f"  {self.model_name}: waits {seconds:.0f} s, at most {MAX_WAIT_SECONDS:g} s per question. {reason}"
        console.print(text, style="dim", markup=False)

    def _usage(self, reply: dict[str, Any]) -> tuple[int, int]:
        """The tokens of prompt and completion; 0 if the server does not count them.

        Raises: FailedError if they have a price: counts of 0 would make the most expensive model the cheapest.
        """
        usage = reply.get("usage")
        usage = usage if isinstance(usage, dict) else {}
        prompt, completion = (usage.get(key) for key in ("prompt_tokens", "completion_tokens"))
        if self.has_prices and not (isinstance(prompt, int) and isinstance(completion, int)):
            raise FailedError(
                "the recipe sets token prices, but the server's replies have no token counts (`usage`)",
                where=self.url,
                fix="use a server that reports token usage, or remove the prices to compute the cost from time",
            )
        return (prompt if isinstance(prompt, int) else 0), (completion if isinstance(completion, int) else 0)


def _problem(reply: Reply) -> str:
    """Why a reply has no answer, or ""; an empty text is an answer unless the model was still thinking."""
    is_cut = reply.finish_reason in _CUT
    if reply.thinking and not (reply.text or "").strip() and (reply.text is None or is_cut):
        return thinking_error(not is_cut)
    return "" if reply.text is not None else f"the reply has no text (finish_reason: {reply.finish_reason or None})"


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
    except (ImportError, ValueError) as error:  # a proxy of the environment that needs a package, or is not a url
        fix = "check the variables HTTP_PROXY, HTTPS_PROXY and ALL_PROXY"
        raise FailedError(f"the proxy cannot be used: {error}", where=url, fix=fix) from None


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return parts.scheme in ("http", "https") and host != "" and not re.search(r"\s", host) and parts.port != 0
    except ValueError:  # a port that is not a number
        return False
