"""Filtering steps leave out what they are asked to, each row with its reason, and keep what cannot be told."""

from collections import Counter
from pathlib import Path

import pytest

from slmkit.data.cleaning.filters import Filters, reasons
from slmkit.data.cleaning.steps import apply_steps
from slmkit.data.convert import Canonical
from slmkit.errors import SlmkitError


def rows(*pairs):
    return [Canonical({}, text, label, Path("a.csv"), i) for i, (text, label) in enumerate(pairs, 2)]


def test_rows_clearly_in_another_language_go_and_unclear_ones_stay():
    table = rows(
        ("where is the card that you have sent to me", "a"),
        ("what is the rate for this and how do i get it", "a"),
        ("wo ist die karte, die sie mir mit der post zu mir", "a"),
        ("ok", "a"),
    )
    assert reasons("language", table, Filters()) == {2: "language de"}
    assert reasons("language", table, Filters(language="de")) == {0: "language en", 1: "language en"}


def test_rows_too_short_or_too_long_go():
    table = rows(("one", "x"), ("one two three", "x"), ("one two three four five", "x"))
    assert reasons("length", table, Filters(min_words=3, max_words=5)) == {
        0: "fewer than 3 words",
        2: "more than 5 words",
    }


def test_balance_keeps_a_stable_choice_of_each_label():
    table = rows(*((f"text {i}", "ham" if i % 10 else "spam") for i in range(200)))
    kept = apply_steps(table, ["balance"], keep_targets=True, filters=Filters(max_per_label=15))
    assert Counter(row.target for row in kept.rows) == {"ham": 15, "spam": 15}
    assert Counter(row.reason for row in kept.dropped) == {"above 15 rows of its label": 170}
    turned = apply_steps(table[::-1], ["balance"], keep_targets=True, filters=Filters(max_per_label=15))
    assert {row.id for row in turned.rows} == {row.id for row in kept.rows}


def test_a_label_that_does_not_fit_its_text_is_left_out_with_the_likelier_one():
    table = rows(
        *((f"{word} number {i}", word) for word in ("apple", "bolt") for i in range(30)), ("apple pie", "bolt")
    )
    done = apply_steps(table, ["label_suspects"], keep_targets=True)
    assert [(row.input, row.reason) for row in done.dropped] == [("apple pie", "label suspect: likelier apple")]


def test_steps_run_in_the_order_given():
    table = rows(("one two", "x"), ("one two", "x"), ("one two three", "x"))
    filters = Filters(max_per_label=2)
    orders = (["duplicates", "balance"], ["balance", "duplicates"])
    left = [
        [row.reason for row in apply_steps(table, order, keep_targets=True, filters=filters).dropped]
        for order in orders
    ]
    assert left[0] == ["duplicate"]
    assert left[1][0] == "above 2 rows of its label"


@pytest.mark.parametrize(
    ("filters", "steps", "kind", "words"),
    [
        (Filters(min_words=3), ["duplicates"], None, "the step 'length' is left out"),
        (Filters(language="en"), [], None, "the step 'language' is left out"),
        (Filters(), ["length"], None, "no bound"),
        (Filters(), ["balance"], None, "no bound"),
        (Filters(max_per_label=3), ["balance"], "generation", "for labels"),
    ],
)
def test_a_value_without_its_step_and_a_step_without_its_value_are_refused(filters, steps, kind, words):
    with pytest.raises(SlmkitError, match=words):
        filters.check(steps, kind=kind)
