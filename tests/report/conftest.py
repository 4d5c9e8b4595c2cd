"""A finished run with hostile texts in it, and a parser for the pages made from it."""

from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest

from slmkit.files import write_json
from slmkit.runs.run_folder import Run

HOSTILE = [
    "<script>document.title = 'owned'</script>",
    "</script><script>document.title = 'owned'</script>",
    "<img src=x onerror=\"document.title = 'owned'\">",
    "<!-- <script>",
    "]]></style><b onclick='x()'>",
    "{{ 7 * 7 }} ${7 * 7} &lt;i&gt;",
    "مرحبا، أين بطاقتي؟",
    "W" * 9_000,
]
_VOID = {"br", "meta", "link", "input", "img", "hr"}


class Page(HTMLParser):
    """A parsed page: its elements, and its text outside script and style; every element must be closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.inside: dict[str, list[str]] = {"script": [], "style": []}
        self._open: list[str] = []
        self.feed(html)
        assert self._open == []

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in self.inside:
            self.inside[tag].append("")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        self.text += " " if tag in ("td", "th", "dt", "dd") else ""

    def handle_data(self, data):
        if self._open and self._open[-1] in self.inside:
            self.inside[self._open[-1]][-1] += data
        else:
            self.text += data


@pytest.fixture
def hostile() -> list[str]:
    return HOSTILE


@pytest.fixture
def parse() -> Callable[[str], Page]:
    return Page


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Path]:
    """Makes a finished run of `compare` with two systems; other keywords go into recipe.json."""
    return lambda **recipe: _make_run(tmp_path, **recipe)


def _make_run(folder: Path, *, name: str = "loop/compare", num_items: int = 24, **recipe) -> Path:
    run = Run(folder / name / "3f9c0a1b2d4e", name=name)
    record = {"name": name, "key": run.dir.name, "title": "Four <i>ways</i>", "teaches": "One of them wins."}
    record |= {"source": None, "honest": None, "stage": "compare", "started": "2026-03-01T14:05:00Z"}
    write_json(run.path("recipe.json"), {**record, **recipe})
    run.table("answers", [_answer(system, i) for system in ("prompt <b>", "tuned") for i in range(num_items)])
    tuned = {"system": "tuned", "score": 0.7, "low": 0.5, "high": 0.85, "n": 24, "difference": 0.1}
    run.table("arms", [tuned, {"system": "prompt <b>", "score": 0.6, "low": 0.4, "high": 0.75, "n": 24}])
    run.table("dropped", [{"row": i, "reason": HOSTILE[i % 8]} for i in range(70)])
    run.log(1, loss=2.0)
    run.log(2, loss=1.5)
    run.note("profile tiny: <script>no GPU</script>")
    accuracy = {"value": 0.7, "low": 0.5, "high": 0.85, "n": 24}
    kept = {"metric": "accuracy", "low": 0.6, "high": None, "value": 0.7, "ok": True}
    broken = {"metric": "rows", "low": 100, "high": None, "value": 24, "ok": False}
    result = {
        "metrics": {"rows": 24, "accuracy": accuracy},
        "verdict": {"text": "Fine-tune: <u>tuned</u> leads.", "positive": True},
        "expect": [kept, broken],
        "seconds": 72.4,
        "environment": {"torch": "2.13.0"},
    }
    write_json(run.path("result.json"), result)
    return run.dir


def _answer(system: str, i: int) -> dict:
    """Every third answer is wrong; those of the tuned system are shifted by one example."""
    right = (i + (system == "tuned")) % 3 != 0
    answer = "card <arrival>" if right else HOSTILE[(i + 3) % 8]
    row = {"system": system, "example_id": f"g{i}", "input": HOSTILE[i % 8], "target": "card <arrival>"}
    language = {"language": "en" if i % 2 else "de"}
    return {**row, "answer": answer, "score": float(right), "stopped": i != 5, "slice": language}
