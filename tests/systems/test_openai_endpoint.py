"""A real HTTP server on a free port plays the OpenAI-compatible server; only the waiting between retries is faked."""

import json
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from project_files import build, read_jsonl

from slmkit.errors import FailedError, SlmkitError
from slmkit.gold.freeze import freeze_gold
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.compare import compare
from slmkit.systems import _post_json
from slmkit.systems.openai_endpoint import openai_endpoint
from slmkit.systems.prompt import prompt
from slmkit.types import Example, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))
QUESTIONS = [Example(f"q{i}", f"question {i}", "top up") for i in range(20)]


@pytest.fixture
def server():
    """Answers with the last word of the question, after the (status, headers) pairs in `script`."""
    seen, script, pause = [], [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers.get("Authorization"), body))
            status, headers = script.pop(0) if script else (200, {})
            pause.wait(http.delay)
            text = body["messages"][-1]["content"].split()[-1]
            finish_reason = "length" if text == "3" else "stop"
            reply = {
                "choices": [{"message": {"content": f" {text} "}, "finish_reason": finish_reason}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 1},
            } | http.changes
            data = json.dumps(reply if status == 200 else {"message": "no"}).encode()
            data = data if http.body is None else http.body
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data) + http.missing_bytes))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    http.url, http.seen, http.script, http.delay = f"http://127.0.0.1:{http.server_port}/v1", seen, script, 0.0
    http.changes, http.body, http.missing_bytes = {}, None, 0  # to the reply, instead of it, cut from it
    yield http
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """The seconds of each wait between tries, none of which is spent."""
    seconds = []
    monkeypatch.setattr(_post_json, "_pause", lambda wait, cancelled: seconds.append(wait))
    return seconds


@pytest.fixture
def endpoint(server):
    return lambda **keys: build(openai_endpoint, TASK, url=server.url, model_name="m", **keys)


def test_answers_come_in_order_with_their_token_counts(server, endpoint, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    reported = []
    answers = endpoint(api_key_variable="MY_KEY").answer(QUESTIONS, on_answer=reported.append)
    assert [answer.text for answer in answers] == [str(i) for i in range(20)]
    assert [answer.stopped for answer in answers] == [i != 3 for i in range(20)]
    assert sorted(answer.example_id for answer in reported) == sorted(question.id for question in QUESTIONS)
    assert (answers[0].prompt_tokens, answers[0].completion_tokens) == (7, 1)
    path, key, body = server.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert body["messages"][0]["content"] == "say what it is about. Answer with exactly one of: card lost, top up."
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 64)


def test_shots_come_before_the_question(server, endpoint, prepared):
    endpoint(num_shots=2, examples=prepared).answer([Example("q", "i lost my card 1", "")])
    roles = [message["role"] for message in server.seen[0][2]["messages"]]
    assert roles == ["system", *["user", "assistant"] * 2, "user"]


def test_the_seconds_of_concurrent_answers_add_up_to_the_elapsed_time(server, endpoint):
    server.delay = 0.1
    system = endpoint(concurrency=5)
    start = time.perf_counter()
    answers = system.answer(QUESTIONS)  # 20 / 5 * 0.1 s
    passed = time.perf_counter() - start
    assert 0.4 <= sum(answer.seconds for answer in answers) <= passed < 1.5
    [alone] = system.answer(QUESTIONS[:1])
    assert alone.seconds >= 0.1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again_with_growing_waits(server, endpoint, waits, status):
    server.script += [(status, {})] * 3
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert (answer.text, len(server.seen)) == ("0", 4)
    assert all(wait - jitter == pytest.approx(0.5, abs=0.5) for wait, jitter in zip(waits, (1, 2, 4), strict=True))


def test_clients_that_fail_together_do_not_retry_together(server, endpoint, waits):
    server.script += [(503, {})] * 8
    endpoint(concurrency=8).answer(QUESTIONS[:8])
    assert len(set(waits)) == 8


def test_the_wait_is_as_long_as_the_server_asks(server, endpoint, waits):
    in_two_minutes = format_datetime(datetime.now(UTC) + timedelta(minutes=2), usegmt=True)
    past = format_datetime(datetime.now(UTC) - timedelta(minutes=2), usegmt=True)
    server.script += [(429, {"Retry-After": value}) for value in ("30", in_two_minutes, past, "soon", "0.25")]
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert answer.text == "0"
    seconds, date, over, unreadable, fraction = waits
    assert 30 <= seconds <= 31
    assert 115 <= date <= 121
    assert 0 <= over <= 1
    assert 8 <= unreadable <= 9  # the backoff of the fourth try
    assert 0.25 <= fraction <= 1.25


def test_a_wait_beyond_the_total_limit_ends_the_run_at_once(server, endpoint, waits):
    server.script += [(429, {"Retry-After": "3600"})]
    with pytest.raises(FailedError, match=r"429.*3600"):
        endpoint().answer(QUESTIONS[:1])
    assert (waits, len(server.seen)) == ([], 1)


@pytest.mark.parametrize("statuses", [[401], [402], [403], [404], [405], [307], [503] * 6])
def test_a_server_that_refuses_every_request_ends_the_run(server, endpoint, statuses):
    server.script += [(status, {}) for status in statuses]
    with pytest.raises(FailedError, match=f"HTTP {statuses[0]}") as caught:
        endpoint(concurrency=1).answer(QUESTIONS[:1])
    assert caught.value.where == f"{server.url}/chat/completions"
    assert len(server.seen) == len(statuses)


def test_a_server_that_is_down_is_tried_again_and_ends_the_run(server, endpoint, waits):
    server.shutdown()
    server.server_close()
    with pytest.raises(FailedError) as caught:
        endpoint().answer(QUESTIONS[:1])
    assert caught.value.where == f"{server.url}/chat/completions"
    assert len(waits) == 5


def test_a_failed_run_does_not_wait_for_the_retries_of_other_questions(server, endpoint, monkeypatch):
    waiting = threading.Event()

    def pause(seconds, cancelled):
        waiting.set()
        assert cancelled.wait(60)

    monkeypatch.setattr(_post_json, "_pause", pause)
    server.script += [(503, {})]

    def fail(_):
        assert waiting.wait(60)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        endpoint(concurrency=2).answer(QUESTIONS[:2], on_answer=fail)
    assert len(server.seen) == 2  # the question that waited is not asked again


def test_a_request_that_the_server_rejects_is_the_error_of_one_answer(server, endpoint):
    server.script += [(400, {})]
    answers = endpoint(concurrency=1).answer(QUESTIONS[:2])
    assert "400" in answers[0].error and not answers[0].stopped
    assert answers[1].text == "1" and answers[1].stopped


UNUSABLE = {  # the changes to the reply, the body in its place, the bytes cut from it, what is shown, the tries
    "no choices": ({"choices": None}, None, 0, "choices", 1),
    "empty choices": ({"choices": []}, None, 0, "choices", 1),
    "no message": ({"choices": [{"finish_reason": "stop"}]}, None, 0, "choices", 1),
    "an error": ({"error": {"message": "overloaded"}}, None, 0, "overloaded", 3),
    "not UTF-8": ({}, b'{"a": "\xff"}', 0, "0xff", 3),
    "a list": ({}, b"[]", 0, "[]", 1),
    "cut short": ({}, b"{}", 50, "52", 3),
}


@pytest.mark.parametrize(("changes", "body", "missing_bytes", "value", "tries"), UNUSABLE.values(), ids=UNUSABLE)
def test_an_unusable_reply_is_the_error_of_one_answer_after_the_tries_that_may_help(
    server, endpoint, changes, body, missing_bytes, value, tries
):
    server.changes, server.body, server.missing_bytes = changes, body, missing_bytes
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert (answer.text, answer.stopped, len(server.seen)) == ("", False, tries)
    assert value in answer.error


def test_a_server_that_sends_web_pages_ends_the_run_at_once(server, endpoint):
    server.body = b"<html><style>p {}</style><h1>It works &amp; runs</h1>"
    with pytest.raises(FailedError, match="a web page: It works & runs") as caught:
        endpoint().answer(QUESTIONS[:1])
    assert caught.value.where == f"{server.url}/chat/completions"
    assert len(server.seen) == 1


def test_a_reply_without_text_is_an_error_but_an_empty_error_field_is_not(server, endpoint):
    server.changes = {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert "length" in answer.error and not answer.stopped
    assert (answer.prompt_tokens, len(server.seen)) == (7, 1)  # it was paid for; another try would give the same
    server.changes = {"error": None}
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert (answer.text, answer.error, answer.stopped) == ("0", "", True)


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 7}, [], {"prompt_tokens": "7"}])
def test_replies_without_token_counts_are_refused_only_if_tokens_have_a_price(server, endpoint, usage):
    server.changes = {"usage": usage}
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert (answer.text, answer.completion_tokens) == ("0", 0)
    with pytest.raises(FailedError, match="usage") as caught:
        endpoint(price_per_million_completion_tokens=15.0).answer(QUESTIONS[:1])
    assert caught.value.where == f"{server.url}/chat/completions"


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/chat/completions/", "/v1/completions"])
def test_a_url_with_the_path_that_is_added_to_it_is_refused_with_the_right_one(path):
    with pytest.raises(SlmkitError) as caught:
        build(openai_endpoint, TASK, url=f"https://host{path}?version=2", model_name="m")
    assert caught.value.fix == "set url=https://host/v1?version=2"
    system = build(openai_endpoint, TASK, url="https://host/v1/?version=2", model_name="m")
    assert system.url == "https://host/v1/chat/completions?version=2"


@pytest.mark.parametrize("url", ["localhost", "ftp://host/v1", "http://", "http://host:port/v1"])
def test_a_url_that_is_not_http_is_refused(url):
    with pytest.raises(SlmkitError) as caught:
        build(openai_endpoint, TASK, url=url, model_name="m")
    assert caught.value.where == "url" and repr(url) in caught.value.what


def test_a_comparison_notes_that_the_servers_template_is_unknown(server, tmp_path, nano):
    freeze_gold(tmp_path / "gold" / "bank", examples=QUESTIONS, task=TASK, source="made by this test")
    systems = {
        "hosted": Part("systems", "openai_endpoint", openai_endpoint, {"url": server.url, "model_name": "m"}),
        "prompt": Part("systems", "prompt", prompt, {"model": nano}),
    }
    run = Run(tmp_path / "run")
    compare(run, systems=systems, gold=tmp_path / "gold" / "bank", limit=4)
    templates = {row["system"]: row["template"] for row in read_jsonl(run.dir / "provenance.jsonl")}
    assert "unknown" in templates["hosted"] and len(templates["prompt"]) == 12
    notes = [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]
    assert any("template" in note and "hosted" in note for note in notes)


def test_importing_the_module_does_not_import_the_http_client():
    code = "import sys, slmkit.systems.openai_endpoint; sys.exit(str({'httpx'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == "set()"


@pytest.mark.parametrize("key", ["sk-secret\n123", "sk-sécret"])
def test_a_key_that_no_header_can_hold_is_refused_and_never_shown(monkeypatch, key):
    monkeypatch.setenv("OPENAI_API_KEY", key)
    with pytest.raises(SlmkitError) as error:
        build(openai_endpoint, TASK, url="http://127.0.0.1:9/v1", model_name="m")
    assert "OPENAI_API_KEY" in str(error.value) and "cret" not in str(error.value)


def test_a_proxy_that_cannot_be_used_is_an_error_with_its_variable(monkeypatch):
    monkeypatch.setenv("ALL_PROXY", "nonsense://127.0.0.1:1")
    system = build(openai_endpoint, TASK, url="http://127.0.0.1:9/v1", model_name="m")
    with pytest.raises(SlmkitError) as error:
        system.answer([Example("1", "?", "")])
    assert "ALL_PROXY" in error.value.fix
