"""The pick stage writes a decision record, a checklist and a chart, from real data and from given numbers."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from project_files import Finished

Slmkit = Callable[..., Finished]


def _run(slmkit: Slmkit, *values: str) -> tuple[Finished, Path]:
    done = slmkit("pick", "--json", *values)
    return done, Path(json.loads(done.out)["dir"])


def _rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]


def test_an_8_gb_card_with_a_4k_context_gets_a_record(slmkit: Slmkit) -> None:
    done, folder = _run(slmkit, "memory_gb=8", "context_length=4096", "training=qlora", "languages=[en]")
    assert done.code == 0
    rows = _rows(folder)
    picked = [row for row in rows if row["state"] == "picked"]
    assert len(picked) == 1
    smaller = [row for row in rows if row["parameters"] and row["parameters"] < picked[0]["parameters"]]  # type: ignore[operator]
    assert all(row["state"] == "excluded" for row in smaller)
    record = (folder / "pick.md").read_text()
    assert record.startswith(f"# Base model: {picked[0]['model']}\n")
    assert all(str(row["reason"]) in record for row in rows if row["state"] == "excluded")
    assert (folder / "figures" / "memory.svg").exists()


def test_rows_tell_context_and_language(slmkit: Slmkit, project: Path) -> None:
    lines = ["text,label"]
    lines += [
        f"Wie lange dauert es bis die Karte Nummer {i} bei mir ist und ich sie nutzen kann?,k" for i in range(20)
    ]
    (project / "mine.csv").write_text("\n".join(lines) + "\n")
    done, folder = _run(slmkit, "data=mine.csv", "memory_gb=24")
    assert done.code == 0
    record = (folder / "pick.md").read_text()
    assert "| languages | de |" in record
    assert "does not name de" in record


def test_what_cannot_be_met_ends_with_the_nearest_way_out(slmkit: Slmkit) -> None:
    done = slmkit("pick", "memory_gb=0.2", "context_length=512")
    assert done.code == 2
    assert "smollm2-135m-instruct comes nearest and fails answering memory, training memory" in done.out


def test_an_unknown_gpu_is_refused_before_anything_runs(slmkit: Slmkit) -> None:
    done = slmkit("pick", "gpu=rtx9999")
    assert done.code == 3
    assert "unknown gpu 'rtx9999'" in done.err


def test_banking77_and_xquad_are_decided_in_seconds(slmkit: Slmkit, shared_data: Path) -> None:
    for data in ("banking77/train.csv", "xquad_en/xquad.en.json"):
        start = time.monotonic()
        done, folder = _run(slmkit, f"data={shared_data / data}", "gpu=t4")
        assert done.code == 0
        assert "| languages | en |" in (folder / "pick.md").read_text()
        assert time.monotonic() - start < 15  # 5 s where nothing else runs


def test_the_embedded_tokenizer_counts_the_rows(slmkit: Slmkit, project: Path) -> None:
    (project / "mine.jsonl").write_text('{"input": "Where is my card?", "target": "On its way."}\n' * 3)
    done, folder = _run(slmkit, "data=mine.jsonl", "embedded=true", "memory_gb=8", "role=any", "licence=any")
    assert done.code == 0
    assert "tokenizers are on this machine" in (folder / "notes.jsonl").read_text()


def test_embedded_models_are_measured_on_dev_questions(slmkit: Slmkit) -> None:
    values = ("embedded=true", "max_parameters=2e6", "role=any", "licence=any", "context_length=256", "memory_gb=8")
    done, folder = _run(slmkit, *values, "gold=gold/tickets", "limit=12")
    assert done.code == 0
    evidence = [json.loads(line) for line in (folder / "evidence.jsonl").read_text().splitlines()]
    assert evidence
    assert all(row["score"]["n"] == 12 and row["tokens_per_second"] > 0 for row in evidence)
    assert "- measured: " in (folder / "pick.md").read_text()
