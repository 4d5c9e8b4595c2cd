"""Runs a comparison in a child process that is killed at a chosen moment, then to the end; used by test_compare.

Every comparison is a forked process that kills itself with SIGKILL: after some answers of the best prompt, after RAG's
first answer and before its setup is recorded, or in the middle of a line about RAG.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
import transformers  # noqa: F401 - imported before the forks

from slmkit.console import console, quiet_libraries
from slmkit.evaluation.answer_file import AnswerFile
from slmkit.recipe import lookup
from slmkit.recipe.call import Part
from slmkit.runs.run_folder import Run
from slmkit.stages.compare import compare
from slmkit.types import ModelRef

GOLD = lookup.PACKAGE.parent / "gold" / "fresh"
NANO = ModelRef("nano", str(lookup.PACKAGE / "assets" / "nano"))
MOMENTS = {"some answers": ("best prompt", 14), "before setup": ("RAG", 1), "half a line": ("RAG", 9)}


def part(name: str, **arguments: Any) -> Part:
    return Part("systems", name, lookup.load_part("systems", name), arguments)


def systems() -> dict[str, Part]:
    asked = {"model": NANO, "max_new_tokens": 4, "device": "cpu"}
    retriever = Part("retrievers", "bm25", lookup.load_part("retrievers", "bm25"), {})
    return {
        "prompt": part("prompt", **asked),
        "best prompt": part("best_prompt", **asked, gold=GOLD, instructions=["answer in a word."], budget=20),
        "RAG": part("rag", **asked, documents=GOLD / "documents.jsonl", retriever=retriever),
    }


def die_at(moment: str) -> None:
    system, count = MOMENTS[moment]
    append, seen = AnswerFile._append, [0]

    def dying(self: AnswerFile, row: dict[str, Any]) -> None:
        if row["system"] == system and "example_id" in row:
            seen[0] += 1
            if seen[0] == count and moment == "half a line":
                with open(self.path, "a", encoding="utf-8") as file:
                    file.write('{"system": "RAG", "exam')
                os.kill(os.getpid(), signal.SIGKILL)
        append(self, row)
        if seen[0] == count:
            os.kill(os.getpid(), signal.SIGKILL)

    AnswerFile._append = dying  # type: ignore[method-assign]


def compared(folder: Path, moment: str | None) -> int:
    """Runs one comparison in a child process; returns its wait status."""
    child = os.fork()
    if child == 0:
        torch.set_num_threads(1)
        if moment:
            die_at(moment)
        run = Run(folder)
        try:
            compare(run, systems=systems(), gold=GOLD, limit=30)  # type: ignore[arg-type]
        except BaseException as error:
            sys.stderr.write(f"{error!r}\n")
            os._exit(1)
        (folder / "verdict.txt").write_text(run.verdict_text or "")
        os._exit(0)
    return os.waitpid(child, 0)[1]


if __name__ == "__main__":
    quiet_libraries()
    console.quiet = True
    root = Path(sys.argv[1])
    assert compared(root / "whole", None) == 0
    for moment in MOMENTS:
        assert compared(root / moment, moment) == signal.SIGKILL, f"{moment}: not killed"
        assert compared(root / moment, None) == 0, f"{moment}: not finished"
