"""The pick stage writes a decision record, a checklist and charts, from data and from given numbers."""

import json
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from project_files import REPOSITORY, Finished

Slmkit = Callable[..., Finished]


def _run(slmkit: Slmkit, *values: str) -> tuple[Finished, Path]:
    done = slmkit("pick", "--json", *values)
    return done, Path(json.loads(done.out)["dir"])


def _rows(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "candidates.jsonl").read_text().splitlines()]


def test_an_8_gb_gpu_with_a_4k_context_gets_a_decision_record(slmkit: Slmkit) -> None:
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


def test_rows_give_the_context_length_and_the_language(slmkit: Slmkit, project: Path) -> None:
    lines = ["text,label"]
    lines += [
        f"Wie lange dauert es bis die Karte Nummer {i} bei mir ist und ich sie nutzen kann?,k" for i in range(20)
    ]
    (project / "mine.csv").write_text("\n".join(lines) + "\n")
    done, folder = _run(slmkit, "data=mine.csv", "memory_gb=24")
    assert done.code == 0
    record = (folder / "pick.md").read_text()
    assert "| languages | de |" in record
    assert any(row["failed"] == "languages" and " de" in row["reason"] for row in _rows(folder))


def test_if_no_model_passes_the_closest_one_is_named(slmkit: Slmkit) -> None:
    done = slmkit("pick", "memory_gb=0.2", "context_length=512")
    assert done.code == 2
    assert "smollm2-135m-instruct" in done.out and "answering memory, training memory" in done.out


def test_an_unknown_gpu_is_refused_before_anything_runs(slmkit: Slmkit) -> None:
    done = slmkit("pick", "gpu=rtx9999")
    assert done.code == 3
    assert "'rtx9999'" in done.err and "with.gpu" in done.err


def test_banking77_and_xquad_are_decided_in_seconds(slmkit: Slmkit, shared_data: Path) -> None:
    for data in ("banking77/train.csv", "xquad_en/xquad.en.json"):
        start = time.monotonic()
        done, folder = _run(slmkit, f"data={shared_data / data}", "gpu=t4")
        assert done.code == 0
        assert "| languages | en |" in (folder / "pick.md").read_text()
        assert time.monotonic() - start < 15  # 5 s on an idle machine


def test_the_tokenizers_on_this_machine_count_the_rows(slmkit: Slmkit, project: Path) -> None:
    (project / "mine.jsonl").write_text('{"input": "Where is my card?", "target": "On its way."}\n' * 3)
    done, folder = _run(slmkit, "data=mine.jsonl", "embedded=true", "memory_gb=8", "role=any", "licence=any")
    assert done.code == 0
    assert any(re.search(r"\b[1-9]\d* tokenizers\b", text) for text in _notes(folder))


def _notes(folder: Path) -> list[str]:
    return [json.loads(line)["text"] for line in (folder / "notes.jsonl").read_text().splitlines()]


EMBEDDED = ("embedded=true", "max_parameters=2e6", "role=any", "licence=any", "languages=[]", "context_length=256")
QUICK = ("limit=6", "num_shots=2", "probe_steps=4")


def _evidence(folder: Path) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in map(json.loads, (folder / "evidence.jsonl").read_text().splitlines())}


@pytest.mark.long
def test_bundled_models_are_measured_once_per_revision(slmkit: Slmkit) -> None:
    values = (*EMBEDDED, *QUICK, "gold=gold/tickets", "data=world/tickets")
    done, folder = _run(slmkit, *values, "memory_gb=8")
    assert done.code == 0
    first = _evidence(folder)
    assert set(first) == {"nano", "nano-base"}
    for row in first.values():
        assert row["zero_shot"]["n"] == row["few_shot"]["n"] == 6
        assert row["tokens_a_word"] > 1
        assert row["template"] == "sane"
        assert row["end_learnt"] is True
        assert row["probe"]["steps"] == 4
        assert row["probe"]["after"] < row["probe"]["before"]  # it learns the rows
        assert min(row["tokens_per_second"], row["answer_memory_bytes"], row["probe_memory_bytes"]) > 0
    assert first["nano"]["stop_rate"] > first["nano-base"]["stop_rate"]  # a base model has not learned when to stop
    assert "- probe: " in (folder / "pick.md").read_text()
    assert (folder / "figures" / "quality.svg").exists()

    again, other = _run(slmkit, *values, "memory_gb=9")
    assert again.code == 0
    assert other != folder
    assert _evidence(other) == first
    assert any(text.startswith("2 ") and "earlier" in text for text in _notes(other))


def test_rows_without_a_gold_set_measure_everything_but_the_score(slmkit: Slmkit, project: Path) -> None:
    rows = [{"input": f"Where is card {i}?", "target": "On its way."} for i in range(20)]
    (project / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done, folder = _run(slmkit, *EMBEDDED, *QUICK, "memory_gb=8", "measure=true", "data=mine.jsonl")
    assert done.code == 0
    row = _evidence(folder)["nano"]
    assert row["zero_shot"] is None
    assert row["probe"]["steps"] == 4
    assert "- zero-shot: not measured" in (folder / "pick.md").read_text()
    assert any("gold=FOLDER" in text for text in _notes(folder))


def test_measuring_needs_data_or_a_gold_set(slmkit: Slmkit) -> None:
    done = slmkit("pick", "measure=true", "memory_gb=8")
    assert done.code == 3
    assert "with.measure" in done.err


def test_a_folder_with_config_json_stands_beside_the_shipped_cards(slmkit: Slmkit, project: Path) -> None:
    shutil.copytree(REPOSITORY / "slmkit" / "assets" / "nano", project / "mine")
    (project / "mine" / "README.md").write_text("---\nlicense: mit\nlanguage: [en]\n---\n")
    _, without = _run(slmkit, "memory_gb=8", "context_length=512", "languages=[en]")
    done, folder = _run(slmkit, "memory_gb=8", "context_length=512", "languages=[en]", "cards=mine")
    assert done.code == 0
    assert {row["model"] for row in _rows(folder)} - {row["model"] for row in _rows(without)} == {"mine"}
    assert [row["model"] for row in _rows(folder) if row["state"] == "picked"] == ["mine"]
    assert "1 of your own beside the shipped cards: mine" in (folder / "notes.jsonl").read_text()


def test_own_cards_in_the_working_directory_do_not_hide_the_shipped_ones(slmkit: Slmkit, project: Path) -> None:
    (project / "configs" / "models").mkdir(parents=True)
    (project / "configs" / "models" / "own.yaml").write_text("name: own\nhub_id: org/own\nlicence: MIT\n")
    _, folder = _run(slmkit, "memory_gb=8", "context_length=512")
    names = {row["model"] for row in _rows(folder)}
    assert {"own", "smollm2-135m-instruct"} <= names
