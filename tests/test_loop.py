"""The whole loop as a user types it, shortened: on the shipped task, and on a file of one's own."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished, write

Slmkit = Callable[..., Finished]
SHORT = ("max_steps=10", "limit=20")


@pytest.mark.timeout(600)
def test_the_loop_ends_with_a_verdict_and_is_found_again(slmkit: Slmkit) -> None:
    first = slmkit("loop", *SHORT, "--json")
    assert first.code in (0, 2), first.err  # ten steps may be too few for any arm to be right
    told = first.json
    assert told["ran"] == ["world/tickets", "loop/prepare", "loop/train", "loop/compare"]
    assert told["verdict"]["text"]
    for arm in ("prompt", "few-shot", "RAG", "fine-tuned", "fine-tuned + RAG"):
        assert told["metrics"][arm]["n"] == 20
    assert "Traceback" not in Path(told["report"]).read_text()
    start = time.process_time()
    again = slmkit("loop", *SHORT)
    assert time.process_time() - start < 3
    assert told["verdict"]["text"][:40] in " ".join(again.out.split())


@pytest.mark.timeout(600)
def test_the_loop_runs_on_a_file_of_ones_own(slmkit: Slmkit, project: Path) -> None:
    things = {"card": "card lost", "fee": "charged twice", "login": "no access"}
    said = ["please help", "since monday", "again today", "what now", "this is odd", "for a friend", "in the app"]
    rows = [f'"my {t} number {i}, {s}",{label}' for i in range(12) for s in said for t, label in things.items()]
    write(project / "mine.csv", "text,label\n" + "\n".join(rows) + "\n")
    told = slmkit("loop", "data=mine.csv", *SHORT, "--json").json
    assert told["metrics"]["linear SVM"]["value"] > 0.9  # the words give the label away, and the baseline sees it
    assert "linear SVM" in told["verdict"]["text"] or "majority" not in told["verdict"]["text"]
    assert (project / "gold/mine/card.yaml").is_file()
