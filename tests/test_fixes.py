"""The fix of an error is followed to the letter, each way it names, and the error is gone.

A way is a command in backticks, a key=value, a "did you mean", an option, or something to remove; words in capitals
(FILE, NAME) are what only the user knows, so nothing can be followed there.
"""

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
from project_files import Finished, write

Slmkit = Callable[..., Finished]
WORDS = ["pay", "card", "lost", "fee", "cash", "bank", "send", "late", "app", "code"]
ROWS = "text,label\n" + "".join(f"my {WORDS[i % 10]} thing {i} is {WORDS[i // 10]},kind {i % 4}\n" for i in range(100))
OTHER = ROWS.replace("thing", "matter")
LONG = "question,answer\n" + "".join(
    f"what of {WORDS[i % 10]} {i}?,{f'it is lost {i} again and again ' * (200 if i < 9 else 9)}\n" for i in range(40)
)
UNUSABLE = "text,label\n" + "".join(
    f"text {i} of {WORDS[i % 10]},{'' if i % 3 else f'kind {i % 2}'}\n" for i in range(90)
)
ENDPOINT = "system={use: openai_endpoint, url: 'http://localhost:9/v1/chat/completions', model_name: x}"

# The command, the commands before it, and the error it ends with; the project holds the files of _files.
CASES: list[tuple[str, list[str], str]] = [
    ("train learning_ratee=1e-4", [], "learning_ratee"),
    ("train lr=1e-4", [], "'lr'"),
    ("train lora_r=4", [], "lora_r"),
    ("train learning_rate=5", [], "learning_rate"),
    ("train --profile tinyy", [], "tinyy"),
    ("train seed=3", [], "'seed'"),
    ("train model=nanoo", [], "nanoo"),
    ("train dtype=float15", [], "float15"),
    ("train packing=maybe", [], "maybe"),
    ("trian --dry-run", [], "trian"),
    ("run loop/trian", [], "loop/trian"),
    ("loop mail.csv", [], "mail.csv"),
    ("loop data=mial.csv", [], "mial.csv"),
    ("loop data=world/tickts", [], "tickts"),
    ("loop data=mail.csv gold=own-tickts", ["gold freeze data=tickets.csv"], "own-tickts"),
    ("loop data=mail.csv label_column=lable", [], "lable"),
    ("loop data=two", [], "several formats"),
    ("loop data=other/mail.csv", ["gold freeze data=mail.csv"], "frozen from mail.csv"),
    ("loop data=mail.csv gold=questions.csv", ["gold freeze data=mail.csv"], "not from questions.csv"),
    ("loop data=topics.csv label_column=mood", ["gold freeze data=topics.csv label_column=topic"], "was frozen as"),
    ("gold freeze data=mail.csv name=tickets", [], "ships with slmkit"),
    ("gold freeze data=mail.csv gold=gold/mail", ["gold freeze data=mail.csv"], "already a frozen gold set"),
    ("gold freeze dta=mail.csv", [], "'dta'"),
    ("gold freeze data=unusable.csv", [], "rows are unusable"),
    ("gold diff tickets skils", [], "skils"),
    ("prepare data=unusable.csv", [], "rows are unusable"),
    ("prepare data=repeats.csv", [], "rows were dropped"),
    ("prepare data=long.csv model=nano", [], "longer than max_length=1024"),
    ("prepare data=long.csv model=nano max_length=90", [], "longer than max_length=90"),
    ("prepare data=mail.csv model=nano max_length=32", [], "longer than max_length=32"),
    ("prepare data=mail.csv validation_size=0.9", [], "validation_size"),
    ("prepare data=mail.csv leaks=none", [], "'none'"),
    ("prepare data=mail.csv on_overflow=cut", [], "'cut'"),
    ("prepare data=mail.csv steps=[duplicates,balance]", [], "balance"),
    ("prepare data=mail.csv documents=other chunk_overlap=200", [], "chunk_overlap"),
    ("train data=copy.csv steps=[] --dry-run", ["gold freeze data=mail.csv", "gold freeze data=copy.csv",
     "prepare data=copy.csv steps=[]"], "frozen gold set"),
    ("compare reference=rag", [], "'rag'"),
    ("compare ladder=true", [], "ladder"),
    ("compare metric=exact_macth", [], "exact_macth"),
    ("eval bar=90", [], "bar"),
    ("eval 'system={use: prompt, num_shots: 4}'", [], "num_shots is 4"),
    ("eval 'system={use: retrieval_only}'", [], "retrieval_only"),
    ("eval system=retrieval_only", [], "nothing to search"),
    ("eval system=majority", [], "'train'"),
    ("eval system.use=majority", [], "'train'"),
    ("eval 'system={use: majority}' gold=tickets", [], "'train'"),
    (f'eval "{ENDPOINT}"', [], "path that slmkit adds"),
    ("eval loop/train", [], "not a recipe of the stage"),
    ("eval gold=tickts", [], "tickts"),
    ("show exact_macth", [], "exact_macth"),
    ("show bm25 k1=2", [], "takes no values"),
    ("schema sftt", [], "sftt"),
    ("new mine data=mail.csv label_colum=label", [], "label_colum"),
]  # fmt: skip


@pytest.fixture
def _files(project: Path) -> None:
    names = {"mail": ROWS, "tickets": ROWS, "questions": OTHER, "long": LONG, "unusable": UNUSABLE}
    for name, text in names.items():
        write(project / f"{name}.csv", text)
    write(project / "other/mail.csv", OTHER)
    write(project / "copy.csv", "\n".join([ROWS.splitlines()[0], *ROWS.splitlines()[21:]]) + "\n")
    write(project / "two/a.csv", ROWS)
    write(project / "two/b.tsv", OTHER.replace(",", "\t"))
    write(project / "repeats.csv", "text,label\n" + "the same text every time,kind 1\n" * 60 + "another text,kind 2\n")
    topics = [f"{line},mood {i % 3}" for i, line in enumerate(ROWS.splitlines()[1:])]
    write(project / "topics.csv", "text,topic,mood\n" + "\n".join(topics) + "\n")


@pytest.mark.usefixtures("_files")
@pytest.mark.parametrize(("command", "before", "error"), CASES, ids=[command for command, *_ in CASES])
def test_a_fix_that_is_followed_ends_the_error(
    slmkit: Slmkit, project: Path, command: str, before: list[str], error: str
) -> None:
    for earlier in before:
        assert slmkit(*shlex.split(earlier)).code == 0, earlier
    words = shlex.split(command)
    if words[0] in ("train", "loop", "compare", "eval", "run"):
        words.append("--dry-run")
    found = _error(slmkit(*words, "--json"))
    assert found and error in found["what"], found
    ways = _ways(words, found)
    assert ways, f"nothing to follow in {found['fix']!r}"
    for number, way in enumerate(ways):
        for step in way:
            done = slmkit(*step, "--json")
            assert done.code in (0, 2), (number, step, found["fix"], _error(done))


def _error(finished: Finished) -> dict[str, str] | None:
    try:
        error: dict[str, str] | None = json.loads(finished.out.strip().splitlines()[-1]).get("error")
    except (ValueError, IndexError, AttributeError):
        return None
    return error


def _ways(words: list[str], error: dict[str, str]) -> list[list[list[str]]]:
    """The commands to run in each way that a fix names."""
    fix = error["fix"]
    ways: list[list[list[str]]] = []
    for command, then in re.findall(r"`slmkit ([^`]+)`(?:, then add (\S+))?", fix):
        if not re.search(r"\b(FILE|NAME|VALUE|KEY|FOLDER)\b", command):
            freeze = shlex.split(command)
            dry = ["--dry-run"] if freeze[0] in ("run", "eval", "loop") else []
            ways.append([[*freeze, *dry], *([_with(words, then)] if then else [])])
    rest = re.sub(r"`slmkit [^`]+`(, then add \S+)?", "", fix)
    bad = re.search(r"'([^']+)'", error["what"])
    if near := re.search(r"did you mean '?([\w./=-]+)'?\?", rest):
        if "=" in near[1]:
            ways.append([_with(words, near[1])])
        elif bad and any(bad[1] in word for word in words):
            ways.append([[word.replace(bad[1], near[1]) for word in words]])
        return ways
    if option := re.search(r"the option (--\w+) (\S+)", rest):
        return [*ways, [[*(w for w in words if not w.startswith(option[1][2:] + "=")), option[1], option[2]]]]
    for pair in re.findall(r"(?<![\w.])(?:[a-z][\w.]*)=(?:\[[^\]]*\]|[^\s,;()]+)", rest):
        value = pair.partition("=")[2].rstrip(".")
        if value.isupper():
            continue
        if re.search(rf"(remove|omit) {re.escape(pair)}", rest):
            ways.append([[word for word in words if word != pair]])
        elif "." not in pair.partition("=")[0] and bad and any(bad[1] in word and bad[1] != word for word in words):
            # inside a mapping
            ways.append([[word.replace(bad[1], value) for word in words]])
        else:
            ways.append([_with(words, pair.rstrip("."))])
    for keys in re.findall(r"omit (\w+(?: and \w+)*) to", rest):
        ways.append([[word for word in words if "=" not in word or word.partition("=")[0] not in keys.split(" and ")]])
    if not ways and (key := re.search(r"with\.(\w+)", error.get("where", ""))):
        value = re.search(r"use (?:less than |at most )?'?([\w.-]+)'?(?:.*or '(auto)')?", rest)
        if value:
            ways.append([_with(words, f"{key[1]}={value[2] or value[1]}")])
    return ways


def _with(words: list[str], pair: str) -> list[str]:
    """The command with a key set; a value given before is replaced."""
    key = pair.partition("=")[0]
    first = [word for word in words if word.partition("=")[0] != key and word != pair.partition("=")[2]]
    return [*first, pair]
