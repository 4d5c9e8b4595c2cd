"""The same rows in six languages give the same counts: duplicates, near duplicates, conflicts, leaks and alarms."""

import importlib.util
import json
import sys

import pytest
from project_files import REPOSITORY

from slmkit.data.cleaning.clean_rows import clean_rows
from slmkit.data.cleaning.label_errors import conflicts
from slmkit.data.read_canonical import read_canonical
from slmkit.gold.freeze import example_of
from slmkit.retrievers.bm25 import bm25
from slmkit.text.edit_distance import edits_between
from slmkit.text.identity import loose
from slmkit.types import Passage

PATH = REPOSITORY / "benchmarks" / "languages.py"
LANGUAGES = ("english", "chinese", "japanese", "russian", "arabic", "hindi")


@pytest.fixture(scope="module")
def languages():
    spec = importlib.util.spec_from_file_location("languages_benchmark", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def _read(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return read_canonical(path).rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_rows_give_the_same_counts_in_every_language(languages, tmp_path, language):
    rows = languages.labelled_rows(language)
    gold = [example_of(row) for row in _read(tmp_path / "gold.jsonl", rows.gold)]
    read = _read(tmp_path / "train.jsonl", rows.train)
    done = clean_rows(read, steps=["duplicates", "near_duplicates"], keep_targets=True, gold=gold)
    dropped = {row.line: row.reason for row in done.dropped}
    counts = {name: sum(line in dropped for line in lines) for name, lines in rows.planted.items()}
    assert counts == {
        "own": 0, "exact duplicates": 10, "near duplicates": 10, "conflicts": 0,
        "exact leaks": 7, "respelled leaks": 7, "leaks with a word changed": 6,
    }  # fmt: skip
    assert {dropped[line] for line in rows.planted["respelled leaks"]} == {"in the gold set"}
    assert len(conflicts(done.rows)) == 10


@pytest.mark.parametrize(
    ("one", "other", "edits"),
    [
        ("我正坐在火车里没带文件，请尽快回复", "我正坐在办公室里没带文件，请尽快回复", 1),
        ("我正坐在火车里没带文件，请尽快回复", "她正坐在火车里没带书，请尽快回复", None),  # two places, two words
        ("我正坐在火车里没带文件，请尽快回复", "我正坐在火车里没带文件，请尽快回复", 0),
        ("งดจอดรถหน้าห้องสมุดทุกวันจันทร์เพราะล้างถนน", "งดจอดรถหน้าห้องสมุดทุกวันศุกร์เพราะล้างถนน", 1),
    ],
)
def test_an_edit_of_a_text_without_spaces_is_a_word(one, other, edits):
    assert edits_between(loose(one).split(), loose(other).split()) == edits


@pytest.mark.parametrize(("language", "least"), zip(LANGUAGES, (80, 80, 79, 74, 75, 80), strict=True))
def test_the_passages_of_eighty_questions_are_found(languages, language, least):
    """Russian and Hindi inflect words, which are not stemmed; in Arabic "who" and "of" are spelled alike."""
    rows = languages.asked_rows(language)
    passages = [Passage(row["passage"], row["passage"]) for row in rows[::2]]
    found = bm25(passages).search([row["question"] for row in rows], top_k=1)
    best = [hits[0].passage.id if hits else "" for hits in found]
    assert sum(one == row["passage"] for one, row in zip(best, rows, strict=True)) >= least
