"""Runs the prepare stage on public data sets with known faults: python benchmarks/read_sets.py FOLDER [--json FILE]

FOLDER has one folder per set (banking77, sms_spam, snips, text_faults …). Each set is prepared with default options,
or with the columns that prepare asked for. A second table counts known faults: mojibake repaired as expected, CSV
corner cases, personal data found by type, suspicious labels.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from slmkit.console import console, quiet_libraries
from slmkit.data.cleaning.label_errors import label_suspects
from slmkit.data.cleaning.mask_pii import find_pii
from slmkit.data.documents import read_passages
from slmkit.data.reading.read import read_rows
from slmkit.data.reading.repair_encoding import repair_encoding
from slmkit.errors import SlmkitError
from slmkit.runs.run_folder import Run
from slmkit.stages.prepare import prepare

# Path and options, with columns where the header does not tell them; None: a corpus, read as documents.
SETS: list[tuple[str, dict[str, Any] | None]] = [
    ("banking77/train.csv", {}),
    ("banking77/test.csv", {}),
    ("bipia/email_train.jsonl", {}),
    ("bipia/table_test.jsonl", {}),
    ("bipia/text_attack_train.json", {"text_column": "value", "label_column": "section"}),
    ("chunk_eval/state_of_the_union.md", {}),
    ("chunk_eval/questions_df.csv", {"text_column": "question", "label_column": "references"}),
    ("clinc150/data_full.json", {}),
    ("e2e_nlg/devset.csv", {}),
    ("gsm8k/train.jsonl", {}),
    ("hh_rlhf_harmless/harmless_base_test.jsonl", {}),
    ("ifeval/input_data.jsonl", {}),
    ("ifeval/input_data.jsonl", {"text_as": "text"}),
    ("mt_bench/question.jsonl", {}),
    ("nq_open/NQ-open.dev.jsonl", {}),
    ("pandalm/testset-v1.json", {"text_column": "instruction", "label_column": "response1"}),
    ("pii_synthetic/synth_dataset_v2.json", {"text_column": "full_text", "label_column": "masked"}),
    ("prompt_injections/prompt_injections.csv", {"text_column": "prompt", "label_column": "group"}),
    ("raw_text", {"text_as": "text"}),
    ("scifact/claims_train.csv", {}),
    ("scifact/corpus_train.csv", None),
    ("self_instruct/seed_tasks.jsonl", {}),
    ("self_instruct/user_oriented_instructions.jsonl", {}),
    ("sms_spam/spam.csv", {"steps": ["repair_encoding", "clean_html", "duplicates", "near_duplicates"]}),
    ("snips", {}),
    ("text_faults/ftfy_in-the-wild.json", {"text_column": "original", "label_column": "fixed"}),
    ("text_faults/blns.json", {}),
    ("text_faults/blns.json", {"text_as": "text"}),
    ("tts_handbook/pages.jsonl", {"text_as": "text"}),
    ("xquad_en/xquad.en.json", {}),
    ("xstest/xstest_prompts.csv", {}),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    quiet_libraries()
    console.quiet = True
    results: dict[str, Any] = {"sets": []}
    print("| set | options | shape | in | out | dropped and changed | notes |\n|---|---|---|---:|---:|---|---|")
    for name, options in SETS:
        row = _prepared(arguments.folder / name, options)
        results["sets"].append({"set": name, **row})
        columns = "documents" if options is None else " ".join(f"{key}={value}" for key, value in options.items())
        cells = [name, columns, *(str(row[key]) for key in ("shape", "in", "out", "changes", "notes"))]
        print("| " + " | ".join(cells) + " |")
    print("\n| fault | found |\n|---|---|")
    for fault, found in _faults(arguments.folder):
        results[fault] = found
        print(f"| {fault} | {found} |")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _prepared(path: Path, options: dict[str, Any] | None) -> dict[str, Any]:
    """What prepare reports on one set, or why it refuses it."""
    if options is None:
        count = sum(1 for _ in read_rows(path))
        return {"shape": "documents", "in": count, "out": len(read_passages(path)), "changes": "", "notes": "passages"}
    with tempfile.TemporaryDirectory() as folder:
        run = Run(Path(folder))
        try:
            prepare(run, data=path, **options)
        except SlmkitError as error:
            refusal = f"refused, exit {error.exit_code}: {error.what}; fix: {error.fix}"
            return {"shape": "–", "in": "–", "out": "–", "changes": "", "notes": _cell(refusal)}
        notes = [json.loads(line)["text"] for line in run.path("notes.jsonl").read_text().splitlines()]
        card = YAML(typ="safe").load(run.path("card.yaml").read_text(encoding="utf-8"))
        tables = {
            name: [json.loads(line) for line in run.path(f"{name}.jsonl").read_text().splitlines()]
            for name in ("dropped", "changed")
        }
    counts = Counter(row["reason"] for row in tables["dropped"])
    counts.update(f"changed by {row['step']}" for row in tables["changed"])
    read = next(note for note in notes if note.startswith(f"{path.name}: {card['shape']}"))
    others = [note for note in notes if note is not read and " training rows, " not in note]
    return {
        "shape": read.removeprefix(f"{path.name}: "),
        "in": int(run.metrics["num_rows_in"]),  # type: ignore[arg-type]
        "out": int(run.metrics["num_train"] + run.metrics["num_validation"]),  # type: ignore[operator]
        "changes": ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common()) or "none",
        "notes": _cell("; ".join(others)),
    }


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _faults(folder: Path) -> Iterator[tuple[str, str]]:
    right, total = 0, 0
    for name in ("in-the-wild", "synthetic", "negative", "known-failures"):
        cases = json.loads((folder / "text_faults" / f"ftfy_{name}.json").read_text(encoding="utf-8"))
        good = [repair_encoding(case["original"]) == case.get("fixed-encoding", case["fixed"]) for case in cases]
        right, total = right + sum(good), total + len(good)
        yield f"mojibake {name}", f"{sum(good)} of {len(good)} as expected"
    yield "mojibake, all", f"{right} of {total} = {right / total:.1%}"
    files = sorted((folder / "text_faults" / "csv_spectrum" / "csvs").glob("*.csv"))
    good = [_reads_as_expected(file) for file in files]
    yield "CSV corner cases", f"{sum(good)} of {len(good)} as expected"
    yield from _personal_data(folder / "pii_synthetic" / "synth_dataset_v2.json")
    rows = [row.values for row in read_rows(folder / "banking77" / "train.csv")]
    suspects = label_suspects([row["text"] for row in rows], [row["category"] for row in rows])
    yield "banking77 label suspects", f"{len(suspects)} of {len(rows)} rows"
    for suspect in suspects[:5]:
        text = _cell(rows[suspect.row]["text"])
        yield f"line {suspect.row + 2}", f"{text!r}: {suspect.label}, likelier {suspect.likelier}"


def _reads_as_expected(file: Path) -> bool:
    expected = json.loads((file.parent.parent / "json" / f"{file.stem}.json").read_text(encoding="utf-8"))
    if not file.stem.endswith("_crlf"):
        return bool([row.values for row in read_rows(file)] == expected)
    # git normalised the line ends of these cases: write them as CRLF again
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / file.name
        path.write_bytes(file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
        return bool([row.values for row in read_rows(path)] == expected)


def _personal_data(file: Path) -> Iterator[tuple[str, str]]:
    """Recall and precision by type; a span counts as found if one of the same type overlaps it."""
    expected: Counter[str] = Counter()
    hit: Counter[str] = Counter()
    found: Counter[str] = Counter()
    right: Counter[str] = Counter()
    for row in json.loads(file.read_text(encoding="utf-8")):
        spans = find_pii(row["full_text"])
        true = [(s["entity_type"], s["start_position"], s["end_position"]) for s in row["spans"]]
        for type, start, stop in true:
            expected[type] += 1
            hit[type] += any(s.type == type and s.start < stop and start < s.stop for s in spans)
        for span in spans:
            found[span.type] += 1
            right[span.type] += any(t == span.type and a < span.stop and span.start < b for t, a, b in true)
    missed = ", ".join(f"{type} {count}" for type, count in expected.most_common() if not found[type])
    yield "PII types without a pattern", missed
    for type, count in expected.most_common():
        if not found[type]:
            continue
        precision = f"{right[type] / found[type]:.3f}"
        yield f"PII {type}", f"recall {hit[type] / count:.3f} (n={count}), precision {precision} (n={found[type]})"


if __name__ == "__main__":
    main()
