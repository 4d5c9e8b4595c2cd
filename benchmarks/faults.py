"""Faults planted one by one, and which of them the tests catch: python benchmarks/faults.py [--only NAME] [--list]

Each fault is a small change of the code that would do harm without a crash: a loss mask that is dropped, a correction
that corrects nothing, a kept answer given to another question. It is planted in a copy of the checkout in a temporary
folder, never in the checkout itself, and the tests of that part of the code are run on the copy. Caught means that one
of them failed; missed means that all passed, so that a test is lacking.

A fault is found by its text, and its tests by words in the names of tests and of their files, wherever these lie;
those marked slow, gpu or network are skipped. Before planting anything, the script reports search text that does not
occur exactly once, words that match no test, and tests that already fail.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_QUICK = "not slow and not gpu and not network"
_PASSED, _FAILED = 0, 1  # exit codes of pytest; all others say that it could not do its work


@dataclass(frozen=True)
class Fault:
    """A piece of code, its faulty version, and words that select the tests expected to catch it."""

    name: str
    old: str
    new: str
    tests: tuple[str, ...]


FAULTS = (
    Fault(
        "Holm's correction multiplies the largest p-value instead of the smallest",
        "(len(p_values) - rank) * p_values[index]",
        "(rank + 1) * p_values[index]",
        ("holm", "statistics", "intervals", "verdict"),
    ),
    Fault(
        "a paired difference gets the interval of an unpaired one",
        "phi = cross / sqrt(margins) if margins else 0.0",
        "phi = 0.0",
        ("newcombe", "statistics", "intervals", "paired"),
    ),
    Fault(
        "a kept answer is given to a question that was reworded",
        "json.dumps(example.to_dict(), sort_keys=True)",
        "json.dumps(example.id, sort_keys=True)",
        ("kept_answers", "answer_cache", "asked_again"),
    ),
    Fault(
        "F1 compares texts of which no letter is left",
        "for char in text.lower() if char not in string.punctuation",
        "for char in text.lower() if char in string.punctuation",
        ("f1", "overlap"),
    ),
    Fault(
        "rows unlike the gold set count as leaks, and rows like it do not",
        "return distance if distance <= allowed else None",
        "return distance if distance > allowed else None",
        ("leak",),
    ),
    Fault(
        "a chunk may be one word too long",
        "filled + between + length > chunk_size",
        "filled + between + length > chunk_size + 1",
        ("chunk",),
    ),
    Fault(
        "quotes in a CSV mean nothing",
        "csv.reader(stream, delimiter=delimiter, strict=True)",
        "csv.reader(stream, delimiter=delimiter, strict=True, quoting=csv.QUOTE_NONE)",
        ("csv",),
    ),
    Fault(
        "the worse answer of a pair is trained as the better one",
        '"chosen": self.chosen, "rejected": self.rejected}',
        '"chosen": self.rejected, "rejected": self.chosen}',
        ("preference", "pairs"),
    ),
    Fault(
        "the user's words are included in the loss too",
        "labels = [token if on else IGNORED for token, on in zip(input_ids, mask, strict=True)]",
        "labels = list(input_ids)",
        ("carry_loss", "loss_mask", "end_token"),
    ),
    Fault(
        "the end of an answer is not included in the loss",
        "labels[end + 1 : stop] = [IGNORED] * max(0, stop - end - 1)",
        "labels[end:stop] = [IGNORED] * (stop - end)",
        ("carry_loss", "loss_mask", "end_token"),
    ),
    Fault(
        "an adapter is scaled by 1, whatever lora_alpha is",
        "alpha=lora.lora_alpha,\n        lora_dropout=lora.lora_dropout,\n        target_modules=lora.target_modules,",
        "alpha=lora.r,\n        lora_dropout=lora.lora_dropout,\n        target_modules=lora.target_modules,",
        ("adapter", "every_key"),
    ),
    Fault(
        "a resumed training starts again at step 0",
        "resume_from_checkpoint=str(checkpoint) if checkpoint else None",
        "resume_from_checkpoint=None",
        ("resume",),
    ),
    Fault(
        "prompts of one batch are padded on the right, where the answer should begin",
        "[[self.pad] * (length - len(ids)) + ids for ids in rest]",
        "[ids + [self.pad] * (length - len(ids)) for ids in rest]",
        ("generate", "batch"),
    ),
    Fault(
        "a run does not see that a metric or a system of the user has changed",
        ", *(part.function for _, part in parts_in(dict(arguments)))",
        "",
        ("key_follows", "key_of_its_own", "changes_the_key", "code_hash", "follows_the_code"),
    ),
    Fault(
        "the profile wins over the command line",
        "bind(recipe, [command, profile])",
        "bind(recipe, [profile, command])",
        ("profile", "command_line"),
    ),
    Fault(
        "a run ends well although its verdict or its claim is negative",
        'EXIT_DONE if verdict["positive"] and holds else EXIT_NEGATIVE',
        'EXIT_DONE if verdict["positive"] or holds else EXIT_NEGATIVE',
        ("ends_with", "negative", "exit_code"),
    ),
    Fault(
        "a file is overwritten in place, so that a kill leaves half of it",
        "os.fsync(file.fileno())\n        temporary.replace(path)",
        'os.fsync(file.fileno())\n        path.write_text(temporary.read_text(encoding="utf-8"), encoding="utf-8")',
        ("atomic", "test_files", "write", "full_disk", "cut_short"),
    ),
    Fault(
        "the error of a server becomes an empty answer",
        'return Answer(question.id, "", stopped=False, error=',
        'return Answer(question.id, "", stopped=False, error="" and ',
        ("endpoint",),
    ),
    Fault(
        "a retriever gives the farthest passages first",
        '(-scores).argsort(axis=1, kind="stable")',
        'scores.argsort(axis=1, kind="stable")',
        ("dense", "retriev"),
    ),
    Fault(
        "a report lets the texts of a run through as markup",
        "autoescape=True",
        "autoescape=False",
        ("hostile", "escape"),
    ),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME", help="the faults whose names hold this text")
    parser.add_argument("--list", action="store_true", help="print each fault with its place and tests, run nothing")
    parser.add_argument("--markdown", type=Path, help="write the table here too")
    asked = parser.parse_args()
    faults = [fault for fault in FAULTS if (asked.only or "").lower() in fault.name.lower()]
    if not faults:
        parser.error(f"no fault is named {asked.only!r}: --list prints all names")
    if problems := [problem for fault in faults for problem in problems_of(fault)]:
        sys.exit("\n".join(problems))
    if asked.list:
        for fault in faults:
            [place] = places(fault.old, REPOSITORY)
            print(f"{fault.name}\n    {place.relative_to(REPOSITORY)}\n    {' '.join(files_with(fault.tests))}")
        return
    check_without_faults(faults)
    lines = ["| fault | caught | by | seconds |", "|---|---|---|--:|"]
    print("\n".join(lines))
    num_caught, started = 0, time.monotonic()
    for fault in faults:
        start = time.monotonic()
        caught_by = try_fault(fault)
        num_caught += caught_by is not None
        told = "**missed** |" if caught_by is None else f"caught | {caught_by}"
        lines.append(f"| {fault.name} | {told} | {time.monotonic() - start:.0f} |")
        print(lines[-1], flush=True)
    lines.append(f"\n{num_caught} of {len(faults)} faults caught, in {time.monotonic() - started:.0f} seconds.")
    print(lines[-1])
    if asked.markdown:
        asked.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def problems_of(fault: Fault) -> list[str]:
    """Why a fault cannot be planted or has no tests."""
    found = places(fault.old, REPOSITORY)
    problems = [] if files_with(fault.tests) else [f"no test has one of these in its name: {', '.join(fault.tests)}"]
    if len(found) != 1:
        where = ", ".join(str(path.relative_to(REPOSITORY)) for path in found) or "nowhere"
        problems.append(
            f"this must occur in slmkit exactly once, but was found {len(found)} times ({where}): {fault.old!r}"
        )
    return [f"{fault.name}: {problem}" for problem in problems]


def places(text: str, root: Path) -> list[Path]:
    """The file of each place in the package where the text stands."""
    files = sorted((root / "slmkit").rglob("*.py"))
    return [path for path in files for _ in range(path.read_text(encoding="utf-8").count(text))]


def files_with(words: Sequence[str]) -> list[str]:
    """The files of tests that have one of the words in their names: importing all would take longer than the tests."""
    one = "|".join(words)
    in_name, in_text = re.compile(one), re.compile(rf"^\s*def test_\w*({one})", re.MULTILINE)
    files = sorted((REPOSITORY / "tests").rglob("test_*.py"))
    found = [path for path in files if in_name.search(path.stem) or in_text.search(path.read_text(encoding="utf-8"))]
    return [str(path.relative_to(REPOSITORY)) for path in found]


def check_without_faults(faults: Sequence[Fault]) -> None:
    """Ends the program where a test fails without any fault: it would catch everything."""
    print("running the tests without a fault", file=sys.stderr)
    words = list(dict.fromkeys(word for fault in faults for word in fault.tests))
    with tempfile.TemporaryDirectory() as folder:
        ended = run_tests(copied_to(Path(folder)), words)
    if ended.returncode != _PASSED:
        sys.exit(f"without any fault the tests do not pass:\n{ended.stdout}{ended.stderr}")


def try_fault(fault: Fault) -> str | None:
    """The test that failed with the fault planted; None where all passed."""
    with tempfile.TemporaryDirectory() as folder:
        root = copied_to(Path(folder))
        [place] = places(fault.old, root)
        place.write_text(place.read_text(encoding="utf-8").replace(fault.old, fault.new), encoding="utf-8")
        ended = run_tests(root, fault.tests, "-x")
    if ended.returncode == _PASSED:
        return None
    failed = re.search(r"^(?:FAILED|ERROR) [^\s:]+::(\w+)", ended.stdout, re.MULTILINE)
    if ended.returncode != _FAILED or failed is None:
        sys.exit(f"{fault.name}: the tests could not be run:\n{ended.stdout}{ended.stderr}")
    return failed[1]


def copied_to(folder: Path) -> Path:
    """A copy of the checkout, where nothing lies beside it that tests would read."""

    def ignored(inside: str, names: list[str]) -> set[str]:
        made = {"__pycache__", "runs"} if Path(inside) == REPOSITORY else {"__pycache__"}
        return {name for name in names if name.startswith(".") or name in made}

    return Path(shutil.copytree(REPOSITORY, folder / "copy", ignore=ignored))


def run_tests(root: Path, words: Sequence[str], *options: str) -> subprocess.CompletedProcess[str]:
    """Runs the tests with these words on a copy of the checkout, in a process that imports nothing of the checkout."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-p", "no:cacheprovider", *options]
    return subprocess.run(
        [*command, "-m", _QUICK, "-k", " or ".join(words), *files_with(words)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    main()
