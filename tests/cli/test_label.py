"""The labelling page: work survives a kill, annotators stay separate, and nobody else gets access."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from label_driver import Browser
from project_files import REPOSITORY, read_jsonl, write
from sklearn.metrics import cohen_kappa_score

from slmkit.errors import SlmkitError
from slmkit.labelling.agreement import agreements
from slmkit.labelling.journal import read_labelling, start_labelling

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
ROWS = "text,label\n" + "".join(f"where is thing {i} of mine?,{('card', 'cash', 'loan')[i % 3]}\n" for i in range(30))


class Server:
    """`slmkit gold label` in a separate process that can be queried and killed."""

    def __init__(self, *words: str) -> None:
        command = [sys.executable, "-m", "slmkit", "gold", "label", *words]
        env = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=env,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        lines = []
        while not lines or "?token=" not in lines[-1]:
            lines.append(self.process.stdout.readline())
            assert lines[-1], self.process.stderr.read()
        self.url = lines[-1].strip()
        asked = urlsplit(self.url)
        self.host, self.token = asked.netloc, asked.query.removeprefix("token=")

    def ask(self, method, path, body=None, **headers):
        headers = {"Authorization": f"Bearer {self.token}", "Host": self.host, **headers}
        connection = http.client.HTTPConnection(self.host, timeout=10)
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, json.loads(text) if "json" in answer.getheader("Content-Type") else text

    def act(self, annotator, item, action, value=""):
        return self.ask("POST", "/act", {"annotator": annotator, "item": item, "action": action, "value": value})

    def end(self, number):
        self.process.send_signal(number)
        return self.process.communicate(timeout=20)[0]


@pytest.fixture
def serve(project):
    write(project / "rows.csv", ROWS)
    running = []

    def start(*words):
        running.append(Server(*(words or ("mine", "data=rows.csv", "limit=20"))))
        return running[-1]

    yield start
    for server in running:
        server.end(signal.SIGKILL)


@pytest.mark.long
def test_saved_work_survives_a_kill_and_stays_with_its_annotator(serve, slmkit, project):
    server = serve()
    items = server.ask("GET", "/items?annotator=anna")[1]["items"]
    assert len(items) == 20 and set(items[0]) == {"id", "input"}  # without the label in the file
    for item in items[:7]:
        assert server.act("anna", item["id"], "answer", "cash") == (200, {"saved": True})
    assert server.act("anna", items[7]["id"], "flag")[0] == 200
    server.end(signal.SIGKILL)
    journal = project / "gold" / "mine.labels" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes() + b'{"annotator": "anna", "ite')  # a line that the kill cut short
    server = serve()
    again = server.ask("GET", "/items?annotator=anna")[1]["items"]
    assert [item["id"] for item in again] == [item["id"] for item in items]
    assert [item.get("answer") for item in again] == ["cash"] * 7 + [None] * 13
    assert again[7]["is_flagged"]
    server.act("ben", items[0]["id"], "answer", "loan")
    assert "loan" not in json.dumps(server.ask("GET", "/items?annotator=anna")[1]["items"])
    assert "cash" not in json.dumps(server.ask("GET", "/items?annotator=ben")[1]["items"])
    printed = server.end(signal.SIGINT)
    assert "anna: 7 of 20" in printed and "0% of 1 items" in printed
    status = slmkit("gold", "label", "mine", "--status", "--json").json
    assert status["people"]["anna"] == {"answered": 7, "flagged": 1, "skipped": 0}
    assert [(pair["n"], pair["share"]) for pair in status["agreement"]] == [(1, 0)]


def test_a_foreign_origin_host_or_token_is_refused_and_writes_nothing(serve, project):
    server = serve()
    item = server.ask("GET", "/items?annotator=anna")[1]["items"][0]["id"]
    act = {"annotator": "anna", "item": item, "action": "answer", "value": "cash"}
    port = server.host.partition(":")[2]
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://127.0.0.1:{int(port) + 1}"},
        {"Host": f"evil.example:{port}"},  # DNS rebinding
        {"Host": "127.0.0.1"},
        {"Authorization": ""},
        {"Authorization": f"Bearer {server.token}x"},
        {"Authorization": "Bearer é"},
        {"Sec-Fetch-Site": "cross-site"},
    ):
        assert server.ask("POST", "/act", act, **headers)[0] == 403, headers
        assert server.ask("GET", "/items?annotator=anna", **headers)[0] == 403, headers
    for path in ("/", "/?token=", f"/?token={server.token[:-1]}"):
        assert server.ask("GET", path)[0] == 403
    assert not (project / "gold" / "mine.labels" / "journal.jsonl").exists()
    assert server.ask("POST", "/act", act, Origin=f"http://{server.host}")[0] == 200


def test_the_page_allows_only_its_own_script_and_the_server_listens_on_one_address(serve):
    server = serve()
    connection = http.client.HTTPConnection(server.host, timeout=10)
    connection.request("GET", f"/?token={server.token}")
    answer = connection.getresponse()
    policy, page = answer.getheader("Content-Security-Policy"), answer.read().decode()
    connection.close()
    nonce = re.search(r"script-src 'nonce-([^']+)'", policy)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert page.count(f'nonce="{nonce}"') == 2 and "http" not in page.replace("http-equiv", "")
    with socket.socket() as other, pytest.raises(ConnectionRefusedError):
        other.connect(("127.0.0.2", int(server.host.partition(":")[2])))  # another address of this machine


@pytest.mark.parametrize(
    ("change", "code"),
    [({"item": "x"}, 400), ({"action": "delete"}, 400), ({"value": "gold"}, 400), ({"value": ""}, 400),
     ({"annotator": "../x"}, 400), ({"value": "x" * 2_000_000}, 413)],
)  # fmt: skip
def test_invalid_actions_are_refused(serve, change, code):
    server = serve()
    item = server.ask("GET", "/items?annotator=anna")[1]["items"][0]["id"]
    act = {"annotator": "anna", "item": item, "action": "answer", "value": "cash"}
    assert server.ask("POST", "/act", {**act, **change})[0] == code
    assert server.ask("POST", "/act", ["no act"])[0] == 400
    assert server.ask("POST", "/elsewhere", act)[0] == 404


def test_a_second_server_for_the_same_set_is_refused(serve, slmkit):
    serve()
    assert slmkit("gold", "label", "mine").code == 4


def test_kappa_equals_sklearns_and_lies_inside_its_interval(tmp_path):
    write(tmp_path / "rows.csv", ROWS)
    labelling = start_labelling(tmp_path / "x", data=tmp_path / "rows.csv", gold=None)
    assert len(labelling.items) == 30
    a = [("card", "cash", "loan")[i % 3] for i in range(30)]
    b = [("card", "cash", "loan")[i % 3 if i % 4 else 0] for i in range(30)]
    for item, one, other in zip(labelling.items, a, b, strict=True):
        labelling.record(annotator="anna", item=item.id, action="answer", value=one)
        labelling.record(annotator="ben", item=item.id, action="answer", value=other)
    labelling.record(annotator="ben", item=labelling.items[1].id, action="flag")
    (found,) = agreements(labelling)
    assert found.kappa == pytest.approx(cohen_kappa_score(a, b))
    assert found.low < found.kappa < found.high < 1 and found.high - found.low < 0.6
    agreed = read_labelling(tmp_path / "x").agreed()
    assert len(agreed) == sum(x == y for x, y in zip(a, b, strict=True)) - 1  # minus the flagged item
    with pytest.raises(SlmkitError, match="'gold'"):
        labelling.record(annotator="anna", item=labelling.items[0].id, action="answer", value="gold")


def test_free_texts_and_gold_sets_can_be_labelled(slmkit, project):
    write(project / "texts.txt", "One line to answer.\n\nAnother line to answer.\n")
    status = slmkit("gold", "label", "texts", "data=texts.txt", "--status", "--json").json
    assert status["items"] >= 1 and status["people"] == {}
    assert json.loads((project / "gold/texts.labels/task.json").read_text())["labels"] == []
    assert slmkit("gold", "label", "tickets", "--status", "--json").json["items"] == 200
    assert slmkit("gold", "label", "no such set", "--status").code == 3
    assert "'data'" in slmkit("gold", "label", "tickets", "dta=x").err


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_twenty_items_are_labelled_by_keyboard_across_a_kill(serve, project):
    server = serve()
    browser = Browser(CHROMIUM, project / "profile")
    answered = "Number(document.querySelector('#bar').value)"

    def enter(url, name):
        browser.open(url)
        browser.type(name)
        browser.key("Enter")
        browser.wait("!document.querySelector('#work').hidden")
        assert browser.js("document.querySelector('#person').textContent") == name

    try:
        enter(server.url, "anna")
        assert "token" not in browser.js("location.href")
        for i in range(11):
            browser.key("123"[i % 3])
            browser.wait(f"{answered} === {i + 1}")
        server.end(signal.SIGKILL)
        browser.key("1")
        browser.wait("document.querySelector('#status').className === 'bad'")
        assert browser.js(answered) == 11  # an unsaved answer does not count
        browser.console.clear()
        server = serve()
        enter(server.url, "anna")
        assert browser.js(answered) == 11
        browser.key("f")
        browser.wait("document.querySelector('#text').className === 'flagged'")
        for i in range(11, 20):
            browser.key("123"[i % 3])
            browser.wait(f"{answered} === {i + 1}")
        browser.key("b")
        browser.wait("document.querySelector('#place').textContent.startsWith('item 19')")
        browser.key("3")
        browser.wait("document.querySelector('[aria-pressed=true]') !== null")
        assert browser.console == []
        enter(server.url, "ben")
        assert browser.js(answered) == 0
    finally:
        browser.close()
    journal = read_jsonl(project / "gold" / "mine.labels" / "journal.jsonl")
    assert len({act["item"] for act in journal if act["action"] == "answer"}) == 20
    labels = ["card", "cash", "loan"]
    answers = [act["value"] for act in journal if act["action"] == "answer"]
    assert answers[:20] == [labels[i % 3] for i in range(20)]


@pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed")
def test_every_keystroke_of_a_free_text_is_saved_before_it_is_submitted(serve, project):
    rows = [{"prompt": f"what is thing {i} of mine?", "completion": f"it is {i}"} for i in range(9)]
    write(project / "rows.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    server = serve("free", "data=rows.jsonl", "limit=3")
    browser = Browser(CHROMIUM, project / "profile", width=390, dark=True)

    def enter():
        browser.open(server.url)
        browser.type("ben")
        browser.key("Enter")
        browser.wait("!document.querySelector('#work').hidden")

    try:
        enter()
        assert browser.js("document.documentElement.scrollWidth <= innerWidth")  # nothing overflows on a phone
        browser.type("sof")
        browser.wait("document.querySelector('#status').textContent === 'saved'")
        drafts = [act["value"] for act in read_jsonl(project / "gold" / "free.labels" / "journal.jsonl")]
        assert drafts[-1] == "sof" and drafts == ["s", "so", "sof"]
        server.end(signal.SIGKILL)
        server = serve("free")
        enter()
        browser.type("a")
        browser.key("Enter")
        browser.wait("document.querySelector('#place').textContent.includes('1 of 3')")
        browser.key("s", alt=True)
        browser.wait("document.querySelector('#place').textContent.startsWith('item 3')")
        last = [(act["action"], act["value"]) for act in read_jsonl(project / "gold/free.labels/journal.jsonl")][-2:]
        assert last == [("answer", "sofa"), ("skip", "")]
    finally:
        browser.close()
