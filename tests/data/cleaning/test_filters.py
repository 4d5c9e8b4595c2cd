"""The filtering steps drop the right rows with a reason each, and keep undecidable ones."""

from collections import Counter
from pathlib import Path

import pytest

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.cleaning.filters import Filters, drop_reasons
from slmkit.data.cleaning.steps import apply_steps
from slmkit.errors import SlmkitError


def rows(*pairs):
    return [
        CanonicalRow({"messages": user_and_assistant(text, label)}, text, label, Path("a.csv"), i)
        for i, (text, label) in enumerate(pairs, 2)
    ]


def test_rows_in_another_language_are_dropped_and_unclear_ones_kept():
    table = rows(
        ("where is the card that you have sent to me", "a"),
        ("what is the rate for this and how do i get it", "a"),
        ("wo ist die karte, die sie mir mit der post zu mir", "a"),
        ("ok", "a"),
    )
    assert drop_reasons("language", table, Filters()) == {2: "language de"}
    assert drop_reasons("language", table, Filters(language="de")) == {0: "language en", 1: "language en"}


def test_rows_that_are_too_short_or_too_long_are_dropped():
    table = rows(("one", "x"), ("one two three", "x"), ("one two three four five", "x"))
    assert drop_reasons("length", table, Filters(min_words=3, max_words=5)) == {
        0: "fewer than 3 words",
        2: "more than 5 words",
    }


def test_the_length_of_a_chinese_row_is_not_one_word():
    table = rows(
        ("图书馆几点开门", "九点"), ("图书馆", "九点"), ("图书馆周一到周五早上九点开门，晚上八点关门", "九点")
    )
    assert drop_reasons("length", table, Filters(min_words=5, max_words=8)) == {
        1: "fewer than 5 words",
        2: "more than 8 words",
    }


def test_balance_keeps_the_same_rows_per_label_in_any_order():
    table = rows(*((f"text {i}", "ham" if i % 10 else "spam") for i in range(200)))
    kept = apply_steps(table, ["balance"], keep_targets=True, filters=Filters(max_per_label=15))
    assert Counter(row.target for row in kept.rows) == {"ham": 15, "spam": 15}
    assert Counter(row.reason for row in kept.dropped) == {"above 15 rows of its label": 170}
    reordered = apply_steps(table[::-1], ["balance"], keep_targets=True, filters=Filters(max_per_label=15))
    assert {row.id for row in reordered.rows} == {row.id for row in kept.rows}


def test_a_row_with_a_suspect_label_is_dropped_and_the_reason_names_the_likelier_one():
    table = rows(
        *((f"{word} number {i}", word) for word in ("apple", "bolt") for i in range(30)), ("apple pie", "bolt")
    )
    done = apply_steps(table, ["label_suspects"], keep_targets=True)
    (dropped,) = done.dropped
    assert dropped.input == "apple pie" and dropped.reason.endswith(" apple")


def test_steps_run_in_the_order_given():
    table = rows(("one two", "x"), ("one two", "x"), ("one two three", "x"))
    filters = Filters(max_per_label=2)
    orders = (["duplicates", "balance"], ["balance", "duplicates"])
    reasons = [
        [row.reason for row in apply_steps(table, order, keep_targets=True, filters=filters).dropped]
        for order in orders
    ]
    assert reasons[0] == ["duplicate"]
    assert reasons[1][0] == "above 2 rows of its label"


@pytest.mark.parametrize(
    ("filters", "steps", "kind", "value", "where"),
    [
        (Filters(min_words=3), ["duplicates"], None, "`length`", "with.min_words"),
        (Filters(language="en"), [], None, "`language`", "with.language"),
        (Filters(), ["length"], None, "`length`", "with.steps"),
        (Filters(), ["balance"], None, "`balance`", "with.steps"),
        (Filters(max_per_label=3), ["balance"], "generation", "`balance`", "with.steps"),
    ],
)
def test_an_option_without_its_step_and_a_step_without_its_option_are_refused(filters, steps, kind, value, where):
    with pytest.raises(SlmkitError, match=value) as caught:
        filters.check(steps, kind=kind)
    assert caught.value.where == where


@pytest.mark.parametrize(
    ("filters", "step", "extra"),
    [
        (Filters(language_engine="py3langid"), "language", "slmkit[language]"),
        (Filters(html_engine="trafilatura"), "clean_html", "slmkit[html]"),
    ],
)
def test_an_engine_needs_its_step_and_its_package(filters, step, extra, monkeypatch):
    with pytest.raises(SlmkitError, match=f"`{step}`"):
        filters.check([])
    monkeypatch.setattr("slmkit.data.cleaning.filters.find_spec", lambda name: None)
    with pytest.raises(SlmkitError) as caught:
        filters.check([step])
    assert extra in caught.value.fix


def test_the_engines_are_used_by_their_steps():
    pytest.importorskip("py3langid")
    pytest.importorskip("trafilatura")
    text = "The shop opens at nine in the morning on every day of the week."
    more = "It closes at six, except on Sundays."
    page = f"<html><body><nav>Home</nav><article><h1>Hours</h1><p>{text}</p><p>{more}</p></article></body></html>"
    table = rows(("Waar is mijn nieuwe kaart gebleven?", "a"), (page, "b"))
    filters = Filters(language="nl", language_engine="py3langid", html_engine="trafilatura")
    done = apply_steps(table, ["clean_html", "language"], keep_targets=True, filters=filters)
    assert [row.input for row in done.rows] == ["Waar is mijn nieuwe kaart gebleven?"]
    assert [(row.input, row.reason) for row in done.dropped] == [(f"Hours\n{text}\n{more}", "language en")]
