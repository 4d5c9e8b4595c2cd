"""Servers differ in what they take and how they answer: each is a real HTTP server with one dialect."""

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from project_files import build

from slmkit.errors import FailedError
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.evaluation.ask import NoAnswerError, ask
from slmkit.systems import _post_json
from slmkit.systems.openai_endpoint import openai_endpoint
from slmkit.types import Example, Task

TASK = Task("rooms", instruction="name the room.")
QUESTIONS = [Example(f"q{i}", f"where is item {i}?", "attic") for i in range(4)]
TOOL = {"name": "find", "parameters": {"type": "object", "properties": {"room": {"type": "integer"}}}}


def said(content, finish_reason="stop", **more):
    """A reply of the chat API; more: keys of the message."""
    message = {"role": "assistant", "content": content, **more}
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    return 200, {"choices": [{"index": 0, "message": message, "finish_reason": finish_reason}], "usage": usage}


def refused(message, status=400):
    return status, {"error": {"message": message, "type": "invalid_request_error"}}


@pytest.fixture
def server():
    """A server whose `dialect` maps a request's body to a status and a body; `models` is what it offers."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(body)
            is_chat = self.path.split("?")[0] == "/v1/chat/completions"
            self.reply(*(http.dialect(body) if is_chat else (404, {"detail": "Not Found"})))

        def do_GET(self):
            is_list = self.path == "/v1/models" and http.models is not None
            self.reply(*((200, {"data": [{"id": name} for name in http.models]}) if is_list else (404, "<p>no</p>")))

        def reply(self, status, body, headers=()):
            data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.handle_error = lambda *_: None  # a client that has gone away
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    http.root = f"http://127.0.0.1:{http.server_port}"
    http.seen, http.models, http.dialect = seen, None, lambda body: said("attic")
    yield http
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    seconds = []
    monkeypatch.setattr(_post_json, "_pause", lambda wait, cancelled: seconds.append(wait))
    return seconds


@pytest.fixture
def endpoint(server):
    return lambda **keys: build(openai_endpoint, TASK, **{"url": f"{server.root}/v1", "model_name": "m"} | keys)


def unsupported(key):
    return f"Unsupported parameter: '{key}' is not supported with this model."


def test_a_server_that_wants_max_completion_tokens_is_asked_again_once_and_never_after(server, endpoint):
    def dialect(body):
        hint = f"{unsupported('max_tokens')} Use 'max_completion_tokens' instead."
        return refused(hint) if "max_tokens" in body else said("attic")

    server.dialect = dialect
    system = endpoint(concurrency=1)
    assert [answer.text for answer in system.answer(QUESTIONS)] == ["attic"] * 4
    assert [body.get("max_completion_tokens") for body in server.seen] == [None, 64, 64, 64, 64]
    [note] = system.notes
    assert "max_completion_tokens" in note
    system.answer(QUESTIONS)
    assert len(server.seen) == 9 and len(system.notes) == 1


@pytest.mark.parametrize(
    ("refuse", "key", "note"),
    [
        (("temperature",), "temperature", "temperature"),
        (("max_tokens", "max_completion_tokens"), "max_tokens", "limit"),
    ],
)
def test_only_the_parameters_that_a_server_names_are_left_out(server, endpoint, refuse, key, note):
    def dialect(body):
        named = [name for name in refuse if name in body]
        detail = [{"type": "extra_forbidden", "loc": ["body", *named], "msg": "Extra inputs are not permitted"}]
        return (422, {"detail": detail}) if named else said("attic")

    server.dialect = dialect
    system = endpoint(concurrency=8)  # several requests are refused at once
    assert all(answer.text == "attic" for answer in system.answer(QUESTIONS))
    assert set(server.seen[-1]) == {"model", "messages", "max_tokens", "temperature"} - {key}
    assert note in system.notes[-1] and len(system.notes) == len(refuse)
    if key == "temperature":
        assert system.about["decoding"].startswith("the server's temperature")


def test_a_server_that_takes_model_and_messages_only_gets_no_more(server, endpoint):
    def dialect(body):
        extra = sorted(set(body) - {"model", "messages"})
        return refused(f"Unrecognized request argument supplied: {extra[0]}") if extra else said("attic")

    server.dialect = dialect
    system = endpoint(concurrency=1)
    [answer] = system.answer(QUESTIONS[:1])
    assert answer.text == "attic" and set(server.seen[-1]) == {"model", "messages"}
    assert len(system.notes) == 3


@pytest.mark.parametrize(
    "message",
    [
        "System role not supported",
        "Unsupported value: 'messages[0].role' does not support 'system' with this model.",
        "Conversation roles must alternate user/assistant/user/assistant/...",
        "Developer instruction is not enabled for models/small-it",
        "Only user and assistant roles are supported!",
    ],
)
@pytest.mark.parametrize("status", [400, 500])
def test_a_refused_system_message_moves_into_the_first_user_turn(server, endpoint, message, status):
    def dialect(body):
        has_system = any(turn["role"] == "system" for turn in body["messages"])
        return refused(f"Jinja Exception: {message}", status) if has_system else said("attic")

    server.dialect = dialect
    system = endpoint(concurrency=1)
    [answer] = system.answer(QUESTIONS[:1])
    assert (answer.text, len(server.seen)) == ("attic", 2)
    assert server.seen[-1]["messages"] == [{"role": "user", "content": "name the room.\n\nwhere is item 0?"}]
    assert "system" in system.notes[0]


def test_a_refusal_that_asks_for_less_is_not_taken_for_a_refusal_of_the_key(server, endpoint):
    message = "max_tokens or max_completion_tokens is too large: 64. The context length is 20 tokens: not supported"
    server.dialect = lambda body: refused(message)
    system = endpoint()
    [answer] = system.answer(QUESTIONS[:1])
    assert message in answer.error and len(server.seen) == 1 and not system.notes


def test_a_server_that_only_streams_is_asked_for_a_stream(server, endpoint):
    call = [{"delta": {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "find", "arguments": '{"ro'}}]}}]
    rest = [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 'om": 3}'}}]}, "finish_reason": "stop"}]
    events = {
        "where is item 0?": [[{"delta": {"reasoning_content": "hm"}}], [{"delta": {"content": "at"}}], [
            {"delta": {"content": "tic"}, "finish_reason": "length"}]],
        "where is item 1?": [call, rest],
    }  # fmt: skip

    def dialect(body):
        if not body.get("stream"):
            return refused("This model only support stream mode, please enable the stream parameter")
        chunks = [{"choices": choices} for choices in events[body["messages"][-1]["content"]]]
        chunks.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 3}})
        return 200, "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks) + ": done\n\ndata: [DONE]\n\n"

    server.dialect = dialect
    first, second = endpoint(concurrency=1).answer(QUESTIONS[:2])
    assert (first.text, first.thinking, first.stopped, first.completion_tokens) == ("attic", "hm", False, 3)
    assert json.loads(second.text) == {"name": "find", "arguments": {"room": 3}}


ANSWERED = {
    "think tags": said("<think>\nThe barn?\n</think>\n\nattic"),
    "closing tag only": said("The barn?\n</think>\n\nattic"),
    "reasoning_content": said("attic", reasoning_content="The barn?"),
    "reasoning": said("attic", reasoning="The barn?", reasoning_content="The barn?"),
    "thinking part": said(
        [{"type": "thinking", "thinking": [{"type": "text", "text": "The barn?"}]}, {"type": "text", "text": "attic"}]
    ),
}


@pytest.mark.parametrize("reply", ANSWERED.values(), ids=ANSWERED)
def test_thinking_is_kept_apart_from_the_answer(server, endpoint, reply):
    server.dialect = lambda body: reply
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert (answer.text, answer.thinking, answer.stopped, answer.error) == ("attic", "The barn?", True, "")


ALL_THINKING = {
    "open tag": said("<think>\nThe barn", "length"),
    "reasoning_content": said(None, "length", reasoning_content="The barn"),
    "empty content": said("", "length", reasoning="The barn"),
}


@pytest.mark.parametrize("reply", ALL_THINKING.values(), ids=ALL_THINKING)
def test_an_answer_cut_inside_its_thinking_is_an_error_that_names_max_new_tokens(server, endpoint, reply, tmp_path):
    server.dialect = lambda body: reply
    file = AnswerFile(tmp_path / "answered.jsonl")
    with pytest.raises(NoAnswerError, match=r"none of 4 questions: .*thinking") as caught:
        ask(endpoint, "hosted", QUESTIONS, file=file)
    assert "raise max_new_tokens" in caught.value.fix
    answer = file.answers["hosted", "q0"]
    assert (answer.text, answer.thinking, answer.stopped) == ("", "The barn", False)


def test_text_parts_are_joined_and_other_parts_are_counted(server, endpoint):
    parts = [{"type": "text", "text": "at"}, {"type": "image_url", "image_url": {}}, "tic"]
    server.dialect = lambda body: said(parts)
    system = endpoint()
    assert {answer.text for answer in system.answer(QUESTIONS)} == {"attic"}
    [note] = system.notes
    assert "4 replies" in note and "image_url" in note


def test_tool_calls_are_the_answer_and_the_tools_are_sent(server, endpoint):
    calls = [{"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"room": 3}'}}]
    server.dialect = lambda body: said(None, "tool_calls", tool_calls=calls)
    history = (
        {"role": "user", "content": "where is the ball?"},
        {
            "role": "assistant",
            "content": "",
            "weight": 0,
            "tool_calls": [{"function": {"name": "find", "arguments": {"room": 2}}}],
        },
        {"role": "tool", "content": "no"},
    )
    question = Example("q", "where is the ball?", "", messages=history, tools=(TOOL,))
    [answer] = endpoint().answer([question])
    assert json.loads(answer.text) == {"name": "find", "arguments": {"room": 3}} and answer.stopped
    [body] = server.seen
    assert body["tools"] == [{"type": "function", "function": TOOL}]
    _, _, call, result = body["messages"]
    assert call["tool_calls"][0]["function"] == {"name": "find", "arguments": '{"room": 2}'}
    assert "weight" not in call
    assert call["tool_calls"][0]["id"] == result["tool_call_id"]


def test_a_refusal_is_the_answer_and_is_counted_with_the_content_filter(server, endpoint):
    server.dialect = lambda body: said(None, "content_filter", refusal="I can not say.")
    system = endpoint()
    answers = system.answer(QUESTIONS)
    assert {(answer.text, answer.stopped, answer.error) for answer in answers} == {("I can not say.", True, "")}
    refusal, filtered = system.notes
    assert "4 replies" in refusal and "refusal" in refusal and "content filter" in filtered


RATE_LIMITS = [  # the reply, and the seconds it asks to wait
    ((429, {"error": "slow down"}, {"Retry-After": "12"}), 12),
    ((429, {"error": {"message": "Please try again in 1m2.5s."}}), 62.5),
    ((429, {"message": "Please retry after 26 seconds."}), 26),
    ((429, {"detail": "try again in 250ms"}), 0.25),
    ((429, {}, {"retry-after-ms": "500", "Retry-After": "1"}), 0.5),
]


@pytest.mark.parametrize(("reply", "seconds"), RATE_LIMITS)
def test_a_rate_limit_is_waited_for_as_long_and_as_often_as_the_server_says(
    server, endpoint, waits, capsys, reply, seconds
):
    times = min(10, int(280 / (seconds + 1)))  # more often than a failure without advice is tried again
    server.dialect = lambda body: reply if len(server.seen) <= times else said("attic")
    [answer] = endpoint(concurrency=1).answer(QUESTIONS[:1])
    assert answer.text == "attic" and len(waits) == times
    assert all(seconds <= wait <= seconds + 1 for wait in waits)
    assert ("m: waits" in capsys.readouterr().err) == (seconds > 5)


def test_a_rate_limit_that_never_ends_ends_the_run_with_the_time_to_come_back(server, endpoint, waits):
    server.dialect = lambda body: (429, {"error": "slow down"}, {"Retry-After": "40"})
    with pytest.raises(FailedError) as caught:
        endpoint(concurrency=1).answer(QUESTIONS[:1])
    assert sum(waits) <= 300 and len(waits) == 7
    assert "in 40 s" in caught.value.fix


def test_an_account_without_credit_is_not_asked_again(server, endpoint, waits):
    message = "You exceeded your current quota, please check your plan and billing details."
    server.dialect = lambda body: (429, {"error": {"message": message, "code": "insufficient_quota"}})
    with pytest.raises(FailedError, match="exceeded your current quota") as caught:
        endpoint().answer(QUESTIONS)
    assert "credit" in caught.value.fix and waits == []


def test_a_wrong_model_name_is_answered_with_the_models_that_the_server_offers(server, endpoint):
    server.models = ["large", "small-model-2", "embedder"]
    for status, message in (
        (404, "The model `small-modl` does not exist"),
        (400, "small-modl is not a valid model ID"),
    ):
        server.dialect = lambda body, status=status, message=message: refused(message, status)
        with pytest.raises(FailedError) as caught:
            endpoint(model_name="small-modl").answer(QUESTIONS[:1])
        assert re.fullmatch("set model_name to one that the server offers: small-model-2, .*", caught.value.fix)
    assert len(server.seen) == 2


def test_a_url_without_v1_is_answered_with_the_url_that_works(server, endpoint):
    server.models = ["m"]
    with pytest.raises(FailedError) as caught:
        endpoint(url=server.root).answer(QUESTIONS)
    assert caught.value.fix == f"set url={server.root}/v1"
    assert endpoint(url=f"{server.root}/v1").answer(QUESTIONS[:1])[0].text == "attic"


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_is_answered_with_the_variable_that_holds_it(server, endpoint, monkeypatch, status):
    server.dialect = lambda body: (status, {"error": "Incorrect API key"})
    monkeypatch.setenv("MY_KEY", "")
    with pytest.raises(FailedError, match="Incorrect API key") as caught:
        endpoint(api_key_variable="MY_KEY").answer(QUESTIONS)
    assert "export MY_KEY=" in caught.value.fix
    monkeypatch.setenv("MY_KEY", "secret")
    with pytest.raises(FailedError) as caught:
        endpoint(api_key_variable="MY_KEY").answer(QUESTIONS)
    assert "the key in MY_KEY" in caught.value.fix


def test_a_server_that_does_not_answer_in_time_is_met_with_a_longer_timeout(server, endpoint):
    pause = threading.Event()

    def dialect(body):
        pause.wait(2)
        return said("attic")

    server.dialect = dialect
    with pytest.raises(FailedError) as caught:
        endpoint(timeout_seconds=0.1).answer(QUESTIONS[:1])
    pause.set()
    assert "raise `timeout_seconds` above 0.1" in caught.value.fix and len(server.seen) == 3


@pytest.mark.parametrize(
    "body", ["<html><h1>Bad Request</h1></html>", {"error": "Bad Request"}, {"detail": "Bad Request"}, "Bad Request"]
)
def test_the_text_of_an_error_is_read_from_every_kind_of_body(server, endpoint, body):
    server.dialect = lambda _: (400, body)
    [answer] = endpoint().answer(QUESTIONS[:1])
    assert answer.error == "HTTP 400: Bad Request"


def test_https_to_a_server_without_it_fails_at_once_with_the_reason(server, endpoint, waits):
    with pytest.raises(FailedError) as caught:
        endpoint(url=server.root.replace("http", "https")).answer(QUESTIONS[:1])
    assert "http://" in caught.value.fix and waits == []


def test_a_run_whose_every_request_fails_is_an_error_and_the_next_session_asks_again(server, endpoint, tmp_path):
    path = tmp_path / "answered.jsonl"
    server.dialect = lambda body: refused("tools are not understood here")
    with pytest.raises(NoAnswerError, match="none of 4 questions: HTTP 400: tools") as caught:
        ask(endpoint, "hosted", QUESTIONS, file=AnswerFile(path))
    assert caught.value.exit_code == 1
    server.dialect = lambda body: said("attic")
    answers = ask(endpoint, "hosted", QUESTIONS, file=AnswerFile(path))
    assert [answer.text for answer in answers] == ["attic"] * 4


@pytest.mark.parametrize(
    "message",
    [
        "This model's maximum context length is 4097 tokens. However, your messages resulted in 4200 tokens.",
        "the request exceeds the available context size, try increasing it",
    ],
)
def test_solved_examples_are_left_out_until_the_servers_context_takes_the_prompt(server, prepared, endpoint, message):
    def dialect(body):
        is_long = len(body["messages"]) > (4 if body["messages"][-1]["content"].endswith("0?") else 99)
        return refused(message) if is_long else said("attic")

    server.dialect = dialect
    system = endpoint(num_shots=3, examples=prepared, concurrency=1)
    answers = system.answer(QUESTIONS[:2])
    assert [answer.text for answer in answers] == ["attic"] * 2 and not any(answer.error for answer in answers)
    sent = [len(body["messages"]) for body in server.seen]
    assert sent == [8, 6, 4, 8]  # a system turn, two turns per example, the question
    assert server.seen[2]["messages"][1:3] == server.seen[0]["messages"][5:7]  # the last, next to the question
    said_so = "1 of 2 prompts was too long for the server's context: 2 solved examples were left out"
    assert said_so in system.notes


def test_a_question_that_is_too_long_alone_is_an_error_and_no_example_is_said_to_be_left_out(
    server, prepared, endpoint
):
    server.dialect = lambda body: refused("This model's maximum context length is 20 tokens.")
    system = endpoint(num_shots=2, examples=prepared)
    [answer] = system.answer(QUESTIONS[:1])
    assert "maximum context length" in answer.error and len(server.seen) == 3
    assert not any("left out" in note for note in system.notes)
