"""A gold set keeps every way in which its columns were named, and other files are read in the same way."""

import json

import pytest

from slmkit.data.read_canonical import read_canonical
from slmkit.errors import SlmkitError
from slmkit.gold.freeze import freeze_once
from slmkit.gold.frozen_from import frozen_columns
from slmkit.gold.gold_set import read_gold


@pytest.mark.parametrize(
    ("row", "columns"),
    [
        (lambda i: [f"wake me at {i}", f"alarm{i % 2}"], {"text_column": 0, "label_column": 1}),
        (
            lambda i: {"utt": f"wake me at {i}", "room": "hall", "scenario": "alarm", "intent": f"set{i % 3}"},
            {"text_column": "{room}: {utt}", "label_column": ["scenario", "intent"]},
        ),
        (
            lambda i: {"page": f"page {i // 2}", "ask": {"q": f"what is on line {i}?"}, "output": ["a", f"b{i}"]},
            {
                "text_column": "ask.q",
                "label_column": "output",
                "passage_column": "page",
                "answers_are": "alternatives",
            },
        ),
    ],
)
def test_a_gold_set_keeps_how_its_columns_were_named(tmp_path, row, columns):
    data = tmp_path / "rows.json"
    data.write_text(json.dumps([row(i) for i in range(60)]))
    folder = tmp_path / "gold" / "mine"
    frozen = freeze_once(data, folder=folder, **columns)
    assert frozen.card["columns"] == columns
    as_frozen = frozen_columns(read_gold(folder), data, {})
    assert {key: value for key, value in as_frozen.items() if value is not None and key != "encoding"} == columns
    rows = {one.input: (one.target, one.aliases) for one in read_canonical(data, **as_frozen).rows}
    assert all(rows[one.input] == (one.target, one.aliases) for one in frozen.examples)
    assert freeze_once(data, folder=folder, **columns).sha256 == frozen.sha256  # the same words: the same set
    others = {**columns, "text_column": columns["label_column"], "label_column": columns["text_column"]}
    with pytest.raises(SlmkitError):
        freeze_once(data, folder=folder, **others)


def test_alternatives_and_the_passage_reach_the_gold_set(tmp_path):
    data = tmp_path / "rows.jsonl"
    lines = [{"page": f"page {i}", "q": f"what is on line {i}?", "output": [f"a{i}", f"b{i}"]} for i in range(60)]
    data.write_text("".join(json.dumps(line) + "\n" for line in lines))
    columns = {"text_column": "q", "label_column": "output", "passage_column": "page"}
    as_list = freeze_once(data, folder=tmp_path / "gold" / "a", **columns)
    several = freeze_once(data, folder=tmp_path / "gold" / "b", answers_are="alternatives", **columns)
    assert (as_list.task.kind, as_list.examples[0].aliases) == ("extraction", ())
    assert json.loads(as_list.examples[0].target)[0] == several.examples[0].target
    assert len(several.examples[0].aliases) == 1 and len(several.examples[0].relevant) == 1
