"""What a file holds that is not read, or not as meant, is said with what to do."""

import json

import pytest

from slmkit.data.read_canonical import read_canonical
from slmkit.errors import RefusedError, SlmkitError
from slmkit.gold.freeze import freeze_once


def noted(tmp_path, rows, **keys):
    path, notes = tmp_path / "a.jsonl", []
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return read_canonical(path, on_note=notes.append, **keys), " | ".join(notes)


def mixed(count):
    return [
        {"question": f"q{i}", "answer": f"a{i}"} if i % 2 else {"prompt": f"p{i}", "completion": f"c{i}"}
        for i in range(count)
    ]


def test_rows_with_other_columns_are_shown_and_half_of_them_are_refused(tmp_path):
    found, notes = noted(tmp_path, mixed(40))
    assert (len(found.rows), len(found.dropped)) == (20, 20)
    assert "20 rows with other columns (first: " in notes
    assert ": question, answer instead of prompt, completion" in notes
    with pytest.raises(RefusedError, match="20 of 40 rows are unusable"):
        freeze_once(tmp_path / "a.jsonl", folder=tmp_path / "gold" / "a")


def test_ratings_of_completions_are_warned_of(tmp_path):
    rows = [{"prompt": f"p{i}", "completion": f"c{i}", "label": i % 5 + 1} for i in range(40)]
    assert (
        "warning: 'label' (1, 2, 3, 4, 5) is not read, so all completions are trained on" in noted(tmp_path, rows)[1]
    )
    assert "warning" not in noted(tmp_path, [{**row, "label": None} for row in rows])[1]


def test_lists_in_other_orders_are_said_to_differ(tmp_path):
    rows = [{"text": f"t{i}", "labels": [["a", "b"], ["b", "a"], ["c"]][i % 3]} for i in range(30)]
    assert (
        "10 lists in 'labels' hold the items of another in a different order, and order counts"
        in noted(tmp_path, rows)[1]
    )
    assert "order counts" not in noted(tmp_path, [{**row, "labels": sorted(row["labels"])} for row in rows])[1]


def test_answers_that_are_all_empty_are_refused_unless_the_text_alone_is_wanted(tmp_path):
    rows = [{"input": f"some text {i}", "target": None} for i in range(30)]
    with pytest.raises(SlmkitError, match="the answers in 'target' are empty in every row"):
        noted(tmp_path, rows)
    assert len(noted(tmp_path, rows, text_as="text")[0].rows) == 30
