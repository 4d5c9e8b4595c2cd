"""A real HTTP server on a free port is asked as an OpenAI-compatible one is."""

import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from project_files import read_jsonl

from slmkit.errors import FailedError, SlmkitError
from slmkit.gold.gold_set import freeze_gold
from slmkit.recipe.call import Part
from slmkit.runs.run import Run
from slmkit.stages.compare import compare
from slmkit.systems import openai_endpoint as module
from slmkit.systems.openai_endpoint import openai_endpoint
from slmkit.systems.prompt import prompt
from slmkit.types import Example, Task

TASK = Task("bank", "classification", "say what it is about.", ("card lost", "top up"))
QUESTIONS = [Example(f"q{i}", f"question {i}", "top up") for i in range(20)]


@pytest.fixture
def server(monkeypatch):
    """Answers with the last word of the question; `script` may hold HTTP codes to give first."""
    seen, script, pause = [], [], threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.path, self.headers.get("Authorization"), body))
            code = script.pop(0) if script else 200
            pause.wait(http.delay)
            text = body["messages"][-1]["content"].split()[-1]
            reply = {
                "choices": [
                    {"message": {"content": f" {text} "}, "finish_reason": "stop" if text != "3" else "length"}
                ],
                "usage": {"prompt_tokens": 7, "completion_tokens": 1},
            } | http.changes
            data = json.dumps(reply if code == 200 else {"message": "no"}).encode()
            data = data if http.body is None else http.body
            self.send_response(code)
            self.send_header("Content-Length", str(len(data) + http.missing_bytes))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, daemon=True)
    thread.start()
    http.url, http.seen, http.script, http.delay = f"http://127.0.0.1:{http.server_port}/v1", seen, script, 0.0
    http.changes, http.body, http.missing_bytes = {}, None, 0  # to the reply, instead of it, cut from it
    yield http
    http.shutdown()
    http.server_close()
    thread.join()


def test_answers_come_in_order_with_their_counts(server, monkeypatch):
    monkeypatch.setenv("MY_KEY", "secret")
    system = openai_endpoint(TASK, url=server.url, model_name="m", api_key_variable="MY_KEY")
    heard = []
    answers = system.answer(QUESTIONS, on_answer=heard.append)
    assert [answer.text for answer in answers] == [str(i) for i in range(20)]
    assert [answer.stopped for answer in answers] == [i != 3 for i in range(20)]
    assert sorted(answer.example_id for answer in heard) == sorted(question.id for question in QUESTIONS)
    assert (answers[0].prompt_tokens, answers[0].completion_tokens) == (7, 1)
    path, key, body = server.seen[0]
    assert (path, key) == ("/v1/chat/completions", "Bearer secret")
    assert body["messages"][0]["content"] == "say what it is about. Answer with exactly one of: card lost, top up."
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("m", 0, 64)


def test_solved_examples_stand_before_the_question(server, prepared):
    system = openai_endpoint(TASK, url=server.url, model_name="m", num_shots=2, examples=prepared)
    system.answer([Example("q", "i lost my card 1", "")])
    assert [message["role"] for message in server.seen[0][2]["messages"]] == [
        "system",
        *["user", "assistant"] * 2,
        "user",
    ]


def test_the_seconds_of_answers_asked_together_add_up_to_the_time_that_passed(server):
    server.delay = 0.1
    system = openai_endpoint(TASK, url=server.url, model_name="m", concurrency=5)
    start = time.perf_counter()
    answers = system.answer(QUESTIONS)  # 20 / 5 * 0.1 s
    passed = time.perf_counter() - start
    assert 0.4 <= sum(answer.seconds for answer in answers) <= passed < 1.5
    [alone] = system.answer(QUESTIONS[:1])
    assert alone.seconds >= 0.1


def test_a_busy_server_is_asked_again(server):
    server.script += [429, 503]
    [answer] = openai_endpoint(TASK, url=server.url, model_name="m").answer(QUESTIONS[:1])
    assert answer.text == "0"
    assert len(server.seen) == 3


def test_one_refused_question_is_an_error_of_its_own(server):
    server.script += [400]
    answers = openai_endpoint(TASK, url=server.url, model_name="m", concurrency=1).answer(QUESTIONS[:2])
    assert answers[0].error.startswith("HTTP 400") and not answers[0].stopped
    assert answers[1].text == "1" and answers[1].stopped


NO_REPLIES = {
    "no choices": ({"choices": None}, None, 0, "choices"),
    "empty choices": ({"choices": []}, None, 0, "choices"),
    "no message": ({"choices": [{"finish_reason": "stop"}]}, None, 0, "choices"),
    "an error": ({"error": {"message": "overloaded"}}, None, 0, "overloaded"),
    "not UTF-8": ({}, b'{"a": "\xff"}', 0, "can't decode"),
    "a list": ({}, b"[]", 0, "a reply that is none: \\[\\]"),
    "cut short": ({}, None, 50, "50 more expected"),
}


@pytest.mark.parametrize("changes, body, missing_bytes, said", NO_REPLIES.values(), ids=NO_REPLIES)
def test_a_reply_that_is_none_is_asked_for_again_and_then_an_error_of_its_own(
    server, changes, body, missing_bytes, said
):
    server.changes, server.body, server.missing_bytes = changes, body, missing_bytes
    [answer] = openai_endpoint(TASK, url=server.url, model_name="m").answer(QUESTIONS[:1])
    assert (answer.text, answer.stopped, len(server.seen)) == ("", False, 4)
    assert re.search(said, answer.error)


def test_a_server_of_pages_ends_the_run(server):
    server.body = b"<html>"
    with pytest.raises(FailedError, match="its replies are not JSON") as told:
        openai_endpoint(TASK, url=server.url, model_name="m").answer(QUESTIONS[:1])
    assert "check `url`" in told.value.fix and len(server.seen) == 4


def test_a_reply_without_text_is_an_error_and_one_with_an_empty_error_is_not(server):
    message = {"content": None, "reasoning_content": "hm"}
    server.changes = {"choices": [{"message": message, "finish_reason": "length"}]}
    system = openai_endpoint(TASK, url=server.url, model_name="m")
    [answer] = system.answer(QUESTIONS[:1])
    assert (answer.error, answer.stopped) == ("a reply without text (finish_reason: length)", False)
    assert (answer.prompt_tokens, len(server.seen)) == (7, 1)  # it is paid for, and would say the same again
    server.changes = {"error": None}
    [answer] = system.answer(QUESTIONS[:1])
    assert (answer.text, answer.error, answer.stopped) == ("0", "", True)


@pytest.mark.parametrize("codes", [[401], [503] * 4])
def test_a_server_that_refuses_everything_ends_the_run(server, codes):
    server.script += codes
    with pytest.raises(FailedError):
        openai_endpoint(TASK, url=server.url, model_name="m", concurrency=1).answer(QUESTIONS[:1])


@pytest.mark.parametrize("usage", [None, {}, {"prompt_tokens": 7}])
def test_prices_without_token_counts_are_refused_and_not_taken_for_free(server, usage):
    server.changes = {"usage": usage}
    unpriced = openai_endpoint(TASK, url=server.url, model_name="m")
    [answer] = unpriced.answer(QUESTIONS[:1])
    assert (answer.text, answer.completion_tokens) == ("0", 0)
    priced = openai_endpoint(TASK, url=server.url, model_name="m", price_per_million_completion_tokens=15.0)
    with pytest.raises(FailedError, match="no token counts") as caught:
        priced.answer(QUESTIONS[:1])
    assert "leave the prices out" in caught.value.fix


def test_a_server_that_is_not_there_is_said_to_be_so(server):
    server.shutdown()
    server.server_close()
    with pytest.raises(FailedError, match="does not answer"):
        openai_endpoint(TASK, url=server.url, model_name="m").answer(QUESTIONS[:1])


def test_an_url_must_be_one():
    with pytest.raises(SlmkitError, match="url is 'localhost'"):
        openai_endpoint(TASK, url="localhost", model_name="m")


def test_a_comparison_says_that_the_servers_template_is_unknown(server, tmp_path, nano):
    freeze_gold(tmp_path / "gold" / "bank", examples=QUESTIONS, task=TASK, source="made by this test")
    systems = {
        "hosted": Part("systems", "openai_endpoint", openai_endpoint, {"url": server.url, "model_name": "m"}),
        "prompt": Part("systems", "prompt", prompt, {"model": nano}),
    }
    run = Run(tmp_path / "run")
    compare(run, systems=systems, gold=tmp_path / "gold" / "bank", limit=4)
    templates = {row["system"]: row["template"] for row in read_jsonl(run.dir / "provenance.jsonl")}
    assert templates["hosted"] == "the server's, unknown" and len(templates["prompt"]) == 12
    notes = [row["text"] for row in read_jsonl(run.dir / "notes.jsonl")]
    assert "the template of hosted is the server's and unknown: the arms may differ in it" in notes
