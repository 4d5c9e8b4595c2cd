"""The guard of training, prepare and gold check agree on what a leak is: the last question and its history."""

import json

import pytest

from slmkit.data.canonical_row import user_and_assistant
from slmkit.data.cleaning.clean_rows import drop_gold
from slmkit.data.read_canonical import read_canonical
from slmkit.errors import RefusedError
from slmkit.gold.add import add_to_gold
from slmkit.gold.freeze import freeze_gold
from slmkit.gold.guard import Questions, rows_in_gold
from slmkit.gold.leak_report import gold_leaks
from slmkit.text.identity import leak_key
from slmkit.types import Example, Task

ASKED = "Where is the nearest bus stop?"
SHOP = {"type": "function", "function": {"name": "shop", "parameters": {"type": "object", "properties": {}}}}
MAPS = {"type": "function", "function": {"name": "maps", "parameters": {"type": "object", "properties": {}}}}
HISTORY = user_and_assistant("I am in town.", "So am I.")


def chat(text, *, before=(), after=(), tools=None):
    messages = [*before, *user_and_assistant(text, "There."), *after]
    return {"messages": messages, **({"tools": tools} if tools else {})}


@pytest.fixture
def gold(project):
    examples = [
        Example("plain", ASKED, "left"),
        Example("tools", "Find me a shop.", "right", tools=(SHOP,)),
        Example("history", "And now?", "up", messages=(*HISTORY, {"role": "user", "content": "And now?"})),
    ]
    return freeze_gold(project / "gold" / "town", examples=examples, dev=[], task=Task("town"), source="here")


@pytest.mark.parametrize(
    ("row", "is_leak"),
    [
        (chat(ASKED), True),
        (chat(f"<p>{ASKED}</p>"), True),
        (chat("Where is the nearest bus stop&#63;"), True),
        (chat(f"> **{ASKED}**"), True),
        (chat(ASKED.replace("nearest", "near\u200best")), True),
        (chat(ASKED.replace("e", "\u0435", 3)), True),
        (chat(ASKED.replace("nearest", "ne\u0430rest")), True),
        (chat(ASKED, tools=[MAPS]), True),
        (chat("find me a shop", tools=[MAPS]), True),
        (chat("find me a shop"), True),
        (chat(ASKED, before=HISTORY, after=user_and_assistant("Thanks", "Bye")), True),
        (chat(ASKED, before=[{"role": "system", "content": "Be kind."}]), True),
        (chat("And now?", before=HISTORY, tools=[MAPS]), True),
        (chat("And now?"), False),
        (chat("Where is the farthest train station?"), False),
    ],
)
@pytest.mark.parametrize("ascii", [True, False])
def test_guard_prepare_and_gold_check_agree(project, gold, row, is_leak, ascii):
    rows = [chat("What time is it?"), row]
    file = project / "rows.jsonl"
    file.write_text("".join(json.dumps(one, ensure_ascii=ascii) + "\n" for one in rows), encoding="utf-8")
    questions = Questions({leak_key(example): "town" for example in gold.examples})
    guarded = [found.line for found in rows_in_gold(file, questions)]
    dropped = [one.line for one in drop_gold(read_canonical(file).rows, gold.examples).dropped]
    checked = [one for one in gold_leaks(gold, rows={"training": file}) if one.severity == "warning"]
    assert guarded == dropped == ([2] if is_leak else [])
    assert [one.where.rpartition(":")[2] for one in checked] == (["2"] if is_leak else [])


def test_a_question_with_other_tools_is_a_new_gold_example_unless_the_training_data_asks_it(project, gold):
    new, data = project / "new.jsonl", project / "data.jsonl"
    asked = [chat("Find me a shop.", tools=[MAPS]), chat("Where do we go now?")]
    trained = [
        chat("find me a shop", tools=[SHOP]),
        chat("Where do we go now?", before=HISTORY, after=user_and_assistant("Hm", "Yes")),
    ]
    for file, rows in ((new, asked), (data, trained)):
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(RefusedError, match="2 in the training data"):
        add_to_gold(gold.folder, new, data=data)
    assert len(add_to_gold(gold.folder, new).added) == 2
