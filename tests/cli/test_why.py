"""slmkit why: the inputs and settings behind one number, and not those of other systems."""

import json
from collections.abc import Callable
from pathlib import Path

from project_files import Finished, write

Slmkit = Callable[..., Finished]


def test_a_number_of_one_system_has_its_inputs_and_settings_only(slmkit: Slmkit, project: Path) -> None:
    folder = Path("runs/loop/compare/abc")
    systems = {"RAG": {"use": "rag", "max_new_tokens": 9}, "RAG 2": {"use": "rag", "max_new_tokens": 8}}
    inputs = [
        {"parameter": "gold", "kind": "file", "name": "gold/mail", "sha256": "1"},
        {"parameter": "systems.RAG.documents", "kind": "file", "name": "docs", "sha256": "2"},
        {"parameter": "systems.RAG 2.documents", "kind": "file", "name": "other docs", "sha256": "3"},
    ]
    record = {"name": "loop/compare", "key": "abc", "stage": "compare", "profile": "tiny", "seed": 0, "command": "x"}
    values = {"with": {"limit": 50, "systems": systems}, "inputs": inputs, "started": ""}
    write(folder / "recipe.json", json.dumps({**record, **values}))
    metrics = {"RAG": 0.5, "RAG.macro_f1": 0.4, "RAG 2": 0.3, "best_score": 0.5}
    write(folder / "result.json", json.dumps({"metrics": metrics, "environment": {}, "files": {}}))
    write(folder / "provenance.jsonl", '{"system": "RAG", "gold": "1"}\n{"system": "RAG 2", "gold": "1"}\n')
    for metric in ("RAG", "RAG.macro_f1"):
        found = slmkit("why", "loop/compare", metric, "--json").json
        assert list(found["read"]) == ["gold/mail", "docs"]
        assert list(found["answered"]) == ["RAG"]
        assert found["settings"] == {"limit": 50, "systems.RAG.max_new_tokens": 9}
    every = slmkit("why", "loop/compare", "best_score", "--json").json
    assert list(every["read"]) == ["gold/mail", "docs", "other docs"] and len(every["answered"]) == 2
