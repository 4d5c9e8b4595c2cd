"""What is the same question: equal conversations only. Alike ones are never merged when their answers differ."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slmkit.data.canonical_row import CanonicalRow, user_and_assistant
from slmkit.data.cleaning.clean_rows import clean_rows
from slmkit.gold.freeze import freeze_once
from slmkit.text.identity import alike_key, alike_keys, exact, loose, question_in
from slmkit.types import Example

CALL = {"name": "find", "arguments": {"id": 7, "room": "b"}}
TOOL = {"type": "function", "function": {"name": "find", "parameters": {"type": "object", "properties": {}}}}


def user(text):
    return {"role": "user", "content": text}


def called(arguments, id="c1"):
    function = {"name": "find", "arguments": arguments}
    return {"role": "assistant", "content": "", "tool_calls": [{"id": id, "type": "function", "function": function}]}


def tool(text, id="c1"):
    return {"role": "tool", "tool_call_id": id, "content": text}


def row(messages, target, *, tools=(), line=1):
    values = {"messages": [*messages, {"role": "assistant", "content": target}], "tools": [*tools]}
    asked = [message["content"] for message in messages if message["role"] == "user"]
    return CanonicalRow(values, asked[-1], target, Path("rows.jsonl"), line)


DIFFERENT = {
    "signs": ("14 + 7 =", "14 - 7 ="),
    "a minus": ("what is 3 -2", "what is 3 2"),
    "another minus": ("what is \u22125 + 1", "what is 5 + 1"),
    "C and C++": ("Who made C?", "Who made C++?"),
    "C#": ("Who made C?", "Who made C#?"),
    "digits": ("order 1001 is late", "order 1002 is late"),
    "decimal point": ("convert 1.5 m", "convert 15 m"),
    "thousands": ("write 1,000 in words", "write 1.000 in words"),
    "times": ("wake me at 9:30", "wake me at 930"),
    "case": ("what is a US state", "what is a us state"),
    "case of a unit": ("how long is 5 Mm", "how long is 5 mm"),
    "chess": ("is Bc4 legal", "is bc4 legal"),
    "a comma": ("Let's eat, grandma", "Let's eat grandma"),
    "a question mark": ("You are done.", "You are done?"),
    "brackets": ("not ( True and False )", "( not True ) and False"),
    "a path": ("open docs/a_b", "open docs/a/b"),
    "a pattern": ("does ^a.c$ match abc", "does ^a.*c$ match abc"),
    "quotes": ("print 'a'", 'print "a"'),
    "indentation": ("if x:\n  y\nz", "if x:\n  y\n  z"),
    "emoji": ("great \U0001f600", "great \U0001f621"),
    "one Chinese character": ("我要改密码", "我要改号码"),
    "Chinese comma": ("小明说，他来", "小明说他来"),
    "Hindi vowel sign": ("कल मिला", "कल मिली"),
    "Arabic vowel": ("كَتَبَ", "كُتِبَ"),
    "full width": ("code １２", "code 12"),
    "dotless i": ("sınır", "sinir"),
    "sharp s": ("in Maßen", "in Massen"),
    "order": ("Ann owes Bob", "Bob owes Ann"),
}


@pytest.mark.parametrize("texts", DIFFERENT.values(), ids=DIFFERENT)
def test_texts_that_differ_in_any_character_are_two_questions(texts):
    a, b = ([user(text)] for text in texts)
    assert question_in(a) != question_in(b) and question_in(a).key != question_in(b).key
    rows = [row(a, "one"), row(b, "two", line=2)]
    assert clean_rows(rows, steps=["duplicates", "near_duplicates"], keep_targets=True).rows == rows


CONVERSATIONS = {
    "system turn": [[{"role": "system", "content": "Answer in French."}, user("hello")], [user("hello")]],
    "history": [
        [user("hi"), {"role": "assistant", "content": "yes?"}, user("which one")],
        [user("ho"), {"role": "assistant", "content": "yes?"}, user("which one")],
    ],
    "earlier answer": [
        [user("hi"), {"role": "assistant", "content": "yes?"}, user("which one")],
        [user("hi"), {"role": "assistant", "content": "no?"}, user("which one")],
    ],
    "tool result": [
        [user("find it"), called(CALL["arguments"]), tool("in room b")],
        [user("find it"), called(CALL["arguments"]), tool("in room c")],
    ],
    "arguments": [
        [user("find it"), called({"id": 7}), tool("in room b")],
        [user("find it"), called({"id": 8}), tool("in room b")],
    ],
    "role": [[user("find it"), tool("room b")], [user("find it"), user("room b")]],
}


@pytest.mark.parametrize("pair", CONVERSATIONS.values(), ids=CONVERSATIONS)
def test_conversations_that_differ_anywhere_are_two_questions(pair):
    a, b = pair
    assert question_in(a).key != question_in(b).key
    rows = [row(a, "same answer"), row(b, "same answer", line=2)]
    assert clean_rows(rows, steps=["duplicates", "near_duplicates"], keep_targets=True).rows == rows


def test_tools_are_part_of_the_question():
    assert question_in([user("find it")], [TOOL]).key != question_in([user("find it")]).key
    other = json.loads(json.dumps(TOOL).replace("find", "lose"))
    assert question_in([user("find it")], [TOOL]).key != question_in([user("find it")], [other]).key


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([user("caf\u00e9 ")], [user("  cafe\u0301\n")]),
        ([user("a"), called(CALL["arguments"], "x"), tool("r", "x")],
         [user("a"), called(dict(reversed(CALL["arguments"].items())), "y"), tool("r", "y")]),
        ([user("a"), {"role": "assistant", "content": "b", "weight": 0}, user("c")],
         [user("a"), {"role": "assistant", "content": "b"}, user("c")]),
    ],
    ids=["unicode form and outer space", "ids of tool calls and order of keys", "weights of the loss"],
)  # fmt: skip
def test_what_does_not_change_the_question(a, b):
    assert question_in(a).key == question_in(b).key
    done = clean_rows([row(a, "x"), row(b, "x", line=2)], steps=["duplicates"], keep_targets=True)
    assert [(one.reason, one.line) for one in done.dropped] == [("duplicate", 2)]


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30).filter(str.strip)


@given(TEXT, TEXT)
def test_no_two_texts_with_different_answers_are_merged_aliased_or_dropped(a, b):
    assume(exact(a) != exact(b))
    rows = [row([user(a)], "one"), row([user(b)], "two", line=2)]
    assert clean_rows(rows, steps=["duplicates", "near_duplicates"], keep_targets=True).rows == rows
    assert rows[0].question.key != rows[1].question.key


@given(st.lists(TEXT, min_size=3, max_size=3), st.integers(0, 2), TEXT)
def test_no_two_conversations_that_differ_in_one_turn_are_the_same(texts, turn, other):
    assume(exact(texts[turn]) != exact(other))
    roles = ("system", "user", "user")
    a = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    b = [message if i != turn else {**message, "content": other} for i, message in enumerate(a)]
    assert question_in(a).key != question_in(b).key
    rows = [row(a, "one"), row(b, "two", line=2)]
    assert clean_rows(rows, steps=["duplicates", "near_duplicates"], keep_targets=True).rows == rows


@given(TEXT)
def test_a_loose_form_ignores_case_space_and_order_of_application(text):
    assert loose(loose(text)) == loose(text)
    assert loose(f"  {text}\n") == loose(text)
    assert loose(text.lower()) == loose(text.lower().replace(" ", "  "))


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Where's my  CARD?", "wheres my card"),
        ("14 + 7 = ?", "14 + 7 ="),
        ("an e-mail - sent at 9:30, cost 4,50 €.", "an email sent at 9:30 cost 4,50 €"),
        ("“Où?”", "où"),
        ("我要，改密码。", "我 要 改 密 码"),
        ("?!", "?!"),
    ],
)
def test_the_loose_form(text, form):
    assert loose(text) == form


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_only_the_same_question_gives_gold_another_right_answer(tmp_path):
    sums = [{"prompt": f"{a} {sign} 7 =", "completion": str(a + 7 if sign == "+" else a * 7 if sign == "*" else a - 7)}
            for a in range(10, 30) for sign in "+-*"]  # fmt: skip
    again = [{"prompt": "10 + 7 =", "completion": "seventeen"}]
    path = write(tmp_path / "sums.jsonl", sums)
    notes: list[str] = []
    asked = write(tmp_path / "gold.jsonl", [*sums, *again])
    gold = freeze_once(path, gold=asked, folder=tmp_path / "gold", on_note=notes.append)
    assert any(note.startswith("1 question ") and "'10 + 7 ='" in note and "'seventeen'" in note for note in notes)
    assert len(gold.examples) == 60
    assert [(example.input, example.aliases) for example in gold.examples if example.aliases] == [
        ("10 + 7 =", ("seventeen",))
    ]


def test_a_frozen_chat_keeps_its_system_turn_its_history_and_its_tools(tmp_path):
    chats = [
        {"messages": [{"role": "system", "content": f"You are clerk {i}."}, user("Good morning"),
                      {"role": "assistant", "content": "Yes?"}, user("What do I pay?"),
                      {"role": "assistant", "content": f"{i} pounds"}], "tools": [TOOL]}
        for i in range(40)
    ]  # fmt: skip
    gold = freeze_once(write(tmp_path / "chats.jsonl", chats), folder=tmp_path / "gold")
    assert len(gold.examples) == 8 and gold.card["removed"] == {"duplicate": 0, "ambiguous": 0}
    example = gold.examples[0]
    assert (example.input, example.aliases) == ("What do I pay?", ())
    assert [message["role"] for message in example.conversation] == ["system", "user", "assistant", "user"]
    assert example.conversation[0]["content"].split()[-1][:-1] == example.target.split()[0]
    assert example.tools == (TOOL,)


def test_a_question_of_plain_text_has_no_messages_in_the_gold_file():
    assert "messages" not in Example("a", "why", "so").to_dict()
    assert Example("a", "why", "so").conversation == [user("why")]


NEAR = "near duplicate of a gold question"
GOLD = [Example("g", "Could I please have the price of the small lamp?", "9")]


@pytest.mark.parametrize(
    ("messages", "reason"),
    [
        (user_and_assistant("could i please have the price of the small lamp", "x")[:1], "in the gold set"),
        (user_and_assistant("Could I please have the price of the small lamps?", "x")[:1], NEAR),
        ([user("hi"), {"role": "assistant", "content": "yes?"}, user(GOLD[0].input)], "contains a gold question"),
        ([user(GOLD[0].input), {"role": "assistant", "content": "9"}, user("thanks")], "contains a gold question"),
        ([{"role": "system", "content": "Be kind."}, user(GOLD[0].input)], "contains a gold question"),
        ([user("Could I please have the price of the large and the red lamp in the shop?")], None),
    ],
)  # fmt: skip
def test_a_gold_question_anywhere_in_a_conversation_is_a_leak(messages, reason):
    rows = [row(messages, "7"), row([user("something else altogether")], "8", line=2)]
    done = clean_rows(rows, steps=[], keep_targets=True, gold=GOLD)
    assert [one.reason for one in done.dropped] == ([reason] if reason else [])
    assert all(one.repeats == GOLD[0].input for one in done.dropped)


def test_rows_that_differ_from_gold_in_the_numbers_alone_are_kept_and_said():
    gold = [Example("g", "What is 14 + 7?", "21")]
    notes: list[str] = []
    rows = [row([user("What is 15 + 7?")], "22"), row([user("What is 14 - 7?")], "7", line=2)]
    done = clean_rows(rows, steps=[], keep_targets=True, gold=gold, on_note=notes.append)
    assert done.rows == rows
    [note] = notes
    assert note.startswith("1 row ") and "'What is 15 + 7?'" in note and "'What is 14 + 7?'" in note


def test_every_user_turn_of_a_conversation_is_asked():
    chat = [{"role": "system", "content": "s"}, user("one"), {"role": "assistant", "content": "a"}, user("a b c d")]
    texts = {text for text, rest in alike_keys(chat) if rest == ""}
    assert texts == {"one", "a b c d"}


ROLES, TEXTS = st.sampled_from(["user", "assistant", "tool"]), TEXT | st.sampled_from(["\u0301a", "a b c d"])
TURNS = st.lists(st.tuples(ROLES, TEXTS))


@given(st.booleans(), TURNS)
def test_every_key_of_a_conversation_is_that_of_the_question_at_its_turn(has_system, turns):
    roles = [("system", "s"), *turns] if has_system else turns
    chat = [{"role": role, "content": text} for role, text in roles]
    expected = []
    for i, message in enumerate(chat):
        if message["role"] == "user":
            keys = [alike_key(question_in(part)) for part in (chat[: i + 1], chat[has_system : i + 1])]
            alone = keys[0][0]
            expected += [keys[0], keys[1]]
            expected += [(alone, "")] if alone.count(" ") >= 3 else []
    assert set(alike_keys(chat)) == set(expected)


def test_the_keys_of_two_thousand_turns_take_little_time():
    chat = [user("question of the day"), called({"id": 1})] * 1000
    start = time.process_time()
    assert len(list(alike_keys(chat))) == 1999
    assert time.process_time() - start < 1


def test_a_gold_question_with_tools_is_a_leak_without_them():
    gold = [Example("g", "find it", "so", tools=(TOOL,))]
    rows = [row([user("Find it!")], "7"), row([user("something else altogether")], "8", line=2)]
    assert [one.line for one in clean_rows(rows, steps=[], keep_targets=True, gold=gold).dropped] == [1]


def test_tibetan_syllables_are_words_and_other_unspaced_scripts_are_cut_as_words_cuts_them():
    assert loose("བོད་སྐད།") == "བོད སྐད"
    assert loose("〇三ㄅ ก") == "〇 三 ㄅ ก"  # every character of words.UNSPACED
