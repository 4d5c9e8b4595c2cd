"""Recall, MRR and nDCG@10 of the retrievers on the 300 claims of SciFact: python benchmarks/scifact.py [FOLDER]

FOLDER (default: ../shared/data/scifact) has corpus_train.csv, claims_validation.csv and qrels_validation.tsv. The
published nDCG@10 of BM25 is 0.665 (Thakur et al. 2021, https://arxiv.org/abs/2104.08663, table 2).
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from pathlib import Path

from slmkit.evaluation.set_metrics import more_scores
from slmkit.files import write_atomically
from slmkit.retrievers.bm25 import bm25
from slmkit.retrievers.dense import dense
from slmkit.retrievers.hybrid import hybrid
from slmkit.systems.retrieval_only import retrieval_only
from slmkit.types import Example, Task

FOLDER = Path(__file__).parents[2] / "shared" / "data" / "scifact"


def main(folder: Path) -> None:
    """Prints one line per retriever."""
    claims = {row["id"]: row["claim"] for row in _rows(folder / "claims_validation.csv")}
    relevant: dict[str, list[str]] = {}
    for row in _rows(folder / "qrels_validation.tsv", delimiter="\t"):
        relevant.setdefault(row["query-id"], []).append(row["corpus-id"])
    questions = [Example(id, claims[id], "", relevant=tuple(ids)) for id, ids in relevant.items()]
    with tempfile.TemporaryDirectory() as temporary:
        documents = Path(temporary) / "documents.jsonl"
        corpus = _rows(folder / "corpus_train.csv")
        lines = ({"id": row["doc_id"], "text": f"{row['title']} {row['abstract']}"} for row in corpus)
        write_atomically(documents, (json.dumps(line) + "\n" for line in lines))
        print(f"{len(questions)} claims")
        for name, retriever in (("bm25", bm25), ("dense (lsa)", dense), ("hybrid", hybrid)):
            system = retrieval_only(Task("scifact"), documents=documents, retriever=retriever)
            found = more_scores(Task("scifact"), [], questions, system.answer(questions))
            print(f"{name:12}", *(f"{metric} {score}" for metric, score in found.items()), sep="  ")


def _rows(path: Path, *, delimiter: str = ",") -> list[dict[str, str]]:
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
