"""The whole loop, shortened, as a user runs it: on the shipped task and on the user's own file."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished

Slmkit = Callable[..., Finished]
SHORT = ("max_steps=4", "limit=10")


@pytest.mark.timeout(600)
def test_the_loop_ends_with_a_verdict_and_a_second_call_reuses_its_runs(slmkit: Slmkit) -> None:
    first = slmkit("loop", *SHORT, "--json")
    assert first.code in (0, 2), first.err  # 2: after four steps perhaps no system beats the baseline
    result = first.json
    assert result["ran"] == ["world/tickets", "loop/prepare", "loop/train", "loop/compare"]
    assert result["verdict"]["text"]
    for arm in ("prompt", "few-shot", "RAG", "fine-tuned", "fine-tuned + RAG"):
        assert result["metrics"][arm]["n"] == 10
    assert "Traceback" not in Path(result["report"]).read_text()
    start = time.process_time()
    again = slmkit("loop", *SHORT)
    assert time.process_time() - start < 3
    assert result["verdict"]["text"][:40] in " ".join(again.out.split())
