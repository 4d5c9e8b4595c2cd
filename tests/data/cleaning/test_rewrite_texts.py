"""Text steps reach every text of a row, and rows that say different things of an answer are no duplicates."""

from pathlib import Path

import pytest
from data_rows import rows

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.label_errors import contradictions
from slmkit.data.cleaning.steps import apply_steps, would_change
from slmkit.data.convert import convert
from slmkit.data.find_shape import find_shape

MAIL, MASK = "ann@site.org", "[EMAIL_ADDRESS]"
ASKED, SAID = {"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "Here."}


def canonical(*values):
    read = rows(*values)
    shape = find_shape(read)
    return [one for row in read for one in convert(row, shape)]


def call(to):
    calls = [{"type": "function", "function": {"name": "send", "arguments": {"mail": {"to": [to]}, "copies": 2}}}]
    return {"role": "assistant", "content": "", "tool_calls": calls}


CHATS = [
    [{"role": "system", "content": f"You serve {MAIL}."}, ASKED, SAID],
    [{"role": "user", "content": MAIL}, SAID, ASKED, SAID],
    [ASKED, {"role": "assistant", "content": MAIL}, ASKED, SAID],
    [ASKED, call(MAIL)],
    [ASKED, call("me"), {"role": "tool", "content": f'{{"from": "{MAIL}"}}'}, SAID],
]


@pytest.mark.parametrize("messages", CHATS)
def test_personal_data_is_masked_wherever_it_is_in_a_conversation(messages):
    [row] = canonical({"messages": messages})
    done = apply_steps([row], ["mask_pii"], keep_targets=False)
    [masked], [changed] = done.rows, done.changed
    assert MAIL not in str(masked) and MASK in str(masked.values)
    assert MAIL in changed.before and MASK in changed.after
    [again] = canonical(masked.values)
    assert (masked.input, masked.target) == (again.input, again.target)
    assert would_change([row], keep_targets=False)["mask_pii"] == 1


def test_both_answers_of_a_pair_are_masked_and_pairs_that_become_equal_are_dropped():
    pair = {"prompt": "Who?", "chosen": f"Ask {MAIL}", "rejected": f"No, {MAIL}"}
    equal = {"prompt": "Who?", "chosen": f"Ask {MAIL}", "rejected": "Ask bob@site.org"}
    done = apply_steps(canonical(pair, equal), ["mask_pii"], keep_targets=False)
    assert MAIL not in str(done.rows[0])
    assert [row.reason for row in done.dropped] == ["chosen equals rejected after mask_pii"]


def test_labels_stay_and_other_turns_of_the_assistant_change():
    history = [ASKED, {"role": "assistant", "content": "x &amp; y"}, ASKED]
    labelled = [*history, {"role": "assistant", "content": f"{MAIL}?"}, ASKED, history[1]]
    done = apply_steps(canonical({"messages": labelled}), ["clean_html", "mask_pii"], keep_targets=True)
    contents = [message["content"] for message in done.rows[0].values["messages"]]
    assert [contents[1], contents[3], contents[5]] == ["x &amp; y", f"{MASK}?", "x &amp; y"]
    assert would_change(canonical({"messages": [ASKED, history[1]]}), keep_targets=True)["clean_html"] == 0


def test_a_change_late_in_a_long_text_is_shown():
    row = CanonicalRow({"text": "word " * 100 + MAIL}, "word " * 100 + MAIL, "", Path("a.txt"), 1)
    [changed] = apply_steps([row], ["mask_pii"], keep_targets=False).changed
    assert (changed.before[-12:], changed.after[-15:]) == (MAIL, MASK)


PAIR = {"prompt": "Which of the two is the larger city?", "chosen": "good", "rejected": "bad"}
JUDGED = {"prompt": "Which of the two is the larger city?", "completion": "good", "label": True}


@pytest.mark.parametrize("step", ["duplicates", "near_duplicates"])
@pytest.mark.parametrize(("row", "other"), [(PAIR, {"rejected": "worse"}), (JUDGED, {"label": False})])
def test_rows_that_say_different_things_of_an_answer_are_no_duplicates(step, row, other):
    table = canonical(row, {**row, **other}, row)
    done = apply_steps(table, [step], keep_targets=False)
    assert done.rows == table[:2] and len(done.dropped) == 1
    assert len({row.id for row in done.rows}) == 2


@pytest.mark.parametrize(("row", "other"), [(PAIR, {"chosen": "bad", "rejected": "good"}), (JUDGED, {"label": False})])
def test_answers_judged_both_ways_are_reported(row, other):
    [found] = contradictions(canonical(row, {**row, **other}, row, {**row, **other}))
    assert found["lines"] == ["a.jsonl:1", "a.jsonl:2"]
    assert contradictions(canonical(row, row)) == []
