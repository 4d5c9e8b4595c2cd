"""No training stage accepts a row of a frozen gold set in any spelling, unless the recipe allows it."""

import importlib
import inspect
import json
import random
import time

import pytest

from slmkit.errors import RefusedError
from slmkit.files import PACKAGE
from slmkit.gold.freeze import freeze_gold
from slmkit.gold.guard import Questions, refuse_gold, rows_in_gold
from slmkit.runs.run_folder import Run
from slmkit.training.config import Training
from slmkit.types import Example, ModelRef, Task

ASKED = "Where's my café card? It hasn't come, and I have waited for two weeks."


@pytest.fixture
def gold(project):
    examples = [Example("e1", "so", "yes"), Example("e2", ASKED, "card_arrival")]
    dev = [Example("d1", "is this one for development?", "yes")]
    return freeze_gold(project / "gold" / "bank", examples=examples, dev=dev, task=Task("bank"), source="here")


def chat(*turns, role="user"):
    messages = [{"role": role, "content": text} for text in turns]
    return {"messages": [*messages, {"role": "assistant", "content": "so"}]}


def refusal(project, *rows, file="train.jsonl", ascii=True):
    (project / "set").mkdir(exist_ok=True)
    path = project / "set" / file
    path.write_text("".join(json.dumps(row, ensure_ascii=ascii) + "\n" for row in rows), encoding="utf-8")
    try:
        refuse_gold(project / "set", None, project / "not made yet")
    except RefusedError as error:
        return error
    finally:
        path.unlink()


@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize(
    "row",
    [
        chat(ASKED),
        chat(f"  {ASKED.upper()}\n"),
        chat("«Where's» my cafe\u0301 - card: it hasn't come and I have  waited for two weeks"),
        chat("hello", f"{ASKED}?"),
        {"prompt": ASKED, "chosen": "a", "rejected": "b"},
        {"prompt": [{"role": "user", "content": ASKED}], "chosen": "a", "rejected": "b"},
        {"chosen": chat(ASKED)["messages"], "rejected": chat(ASKED)["messages"]},
        {"text": ASKED},
        chat("is this one for development?"),
    ],
)
def test_a_row_that_is_in_gold_is_refused_with_its_line_and_set(project, gold, row, ascii):
    error = refusal(project, chat("something else"), {"id": "r2", **row}, ascii=ascii)
    assert error.exit_code == 4
    assert error.what.startswith("1 row ") and "row r2" in error.what and "gold/bank" in error.what
    assert error.where.endswith("train.jsonl:2")
    assert "allow_gold" in error.fix


def in_parts(text):
    return [{"type": "text", "text": text}]


@pytest.mark.parametrize("ascii", [True, False])
@pytest.mark.parametrize(
    "row",
    [
        chat(in_parts(ASKED)),
        chat([ASKED]),
        chat(in_parts("Where's my café card?") + in_parts("It hasn't come, and I have waited for two weeks.")),
        chat(ASKED, role="human"),
        {"messages": [{"from": "human", "value": ASKED}, {"from": "gpt", "value": "so"}]},
        {"messages": json.dumps(chat(ASKED)["messages"])},
        {"messages": json.dumps([{"from": "human", "value": ASKED}, {"from": "gpt", "value": "so"}], indent=1)},
        {"prompt": {"role": "user", "content": in_parts(ASKED)}, "chosen": "a", "rejected": "b"},
        {"prompt": [{"from": "human", "value": ASKED}], "chosen": "a", "rejected": "b"},
        {"prompt": f"\n\nHuman: {ASKED}\n\nAssistant: hm", "chosen": "a", "rejected": "b"},
        {"chosen": f"\n\nHuman: {ASKED}\n\nAssistant: a", "rejected": f"\n\nHuman: {ASKED}\n\nAssistant: b"},
        {"prompt": 1234, "chosen": "a", "rejected": "b"},
        chat(1234),
    ],
)
def test_a_question_in_any_format_that_training_reads_is_refused(project, row, ascii):
    examples = [Example("e1", ASKED, "card_arrival"), Example("e2", "1234", "number")]
    freeze_gold(project / "gold" / "bank", examples=examples, dev=[], task=Task("bank"), source="here")
    assert "gold/bank" in refusal(project, row, ascii=ascii).what


FUNCTION = {"name": "find", "parameters": {"type": "object", "properties": {}}}
TOOL = {"type": "function", "function": FUNCTION}


def called(arguments, content=""):
    function = {"name": "find", "arguments": arguments}
    return {"role": "assistant", "content": content, "tool_calls": [{"type": "function", "function": function}]}


@pytest.mark.parametrize("call", [called({"id": 7}), called('{"id": 7}'), called({"id": 7}, None)])
@pytest.mark.parametrize(
    "tools", [{"tools": [TOOL]}, {"tools": json.dumps([TOOL])}, {"tools": [FUNCTION]}, {"functions": [FUNCTION]}, {}]
)
def test_a_question_with_tools_is_refused_with_its_tools_in_any_format_or_without(project, tools, call):
    before = [{"role": "user", "content": "open it"}, called({"id": 7}), {"role": "tool", "content": "open"}]
    turns = [*before, {"role": "user", "content": "and now"}]
    example = Example("e1", "and now", "close", messages=tuple(turns), tools=(TOOL,))
    freeze_gold(project / "gold" / "bank", examples=[example], dev=[], task=Task("bank"), source="here")
    answer = {"role": "assistant", "content": "close"}
    assert "'and now'" in refusal(project, {"messages": [before[0], call, *turns[2:], answer], **tools}).what


@pytest.mark.parametrize(
    ("asked", "spelled"),
    [
        ("كيف أدفع ثمن التذكرة في المحطة", "كيف أدفع ثمن التذكـــرة في المحطّة"),
        ("می خواهم بلیت بخرم لطفا", "مي خواهم بليت بخرم لطفا"),
        ("где мой счёт за март", "Где мой счет за март?"),
        ("我要改密码，请帮我", "我要改密码。请帮我！"),
    ],
)
def test_other_spellings_of_a_gold_question_are_refused_and_shown_as_they_are(project, asked, spelled):
    options = {"dev": [], "task": Task("bank"), "source": "here"}
    freeze_gold(project / "gold" / "bank", examples=[Example("e1", asked, "yes")], **options)
    assert repr(spelled[:60]) in refusal(project, chat(spelled), ascii=False).what


@pytest.mark.parametrize(
    "row", [chat("so what"), chat(ASKED[:-10]), chat("a word", "x" * 100), chat(ASKED, role="system"), chat(), "text"]
)
def test_a_row_that_only_resembles_gold_passes(project, gold, row):
    assert refusal(project, row) is None


def test_validation_rows_are_refused_too(project, gold):
    assert refusal(project, chat(ASKED), file="validation.jsonl").where.endswith("validation.jsonl:1")


def test_shipped_gold_sets_are_checked_except_those_marked_taught(project):
    assert "gold/tickets" in refusal(project, chat(first_of("tickets"))).what
    assert refusal(project, chat(first_of("say"))) is None


def test_gold_that_is_added_or_changed_later_counts(project):
    assert refusal(project, chat(ASKED)) is None
    options = {"dev": [], "task": Task("bank"), "source": "here"}
    folder = freeze_gold(project / "gold" / "bank", examples=[Example("e1", ASKED, "yes")], **options).folder
    assert refusal(project, chat(ASKED)).what.count("gold/bank")
    (folder / "examples.jsonl").write_text(json.dumps({"id": "e1", "input": "now another", "target": "no"}) + "\n")
    assert refusal(project, chat(ASKED)) is None
    assert refusal(project, chat("now another"))


def first_of(name):
    from slmkit.recipe.lookup import gold_folders

    with open(gold_folders()[name] / "examples.jsonl", encoding="utf-8") as file:
        return json.loads(file.readline())["input"]


ASSETS = PACKAGE / "assets"
STAGES = ("sft", "dpo", "kto", "orpo", "reward", "distill", "grpo")


@pytest.mark.parametrize("name", STAGES)
def test_every_training_stage_refuses_before_it_loads_a_model(project, gold, name, monkeypatch):
    stage = importlib.import_module(f"slmkit.stages.{name}")
    rows = {"messages": chat(ASKED)["messages"]}
    if name in ("dpo", "kto", "orpo", "reward"):
        rows = {"prompt": ASKED, "chosen": "card_arrival", "rejected": "so"}
    (project / "train.jsonl").write_text(json.dumps(rows) + "\n")
    more = {"distill": {"teacher": ModelRef("nano-base", str(ASSETS / "nano-base"))}, "grpo": {"rewards": [print]}}
    options = {"data": project / "train.jsonl", "model": ModelRef("nano", str(ASSETS / "nano")), **more.get(name, {})}
    with pytest.raises(RefusedError, match="gold/bank"):
        stage.check(**options, training=Training())
    stage.check(**options, training=Training(allow_gold=True))
    monkeypatch.setattr("slmkit.training.config.load_model", lambda *_, **__: pytest.fail("a model was loaded"))
    with pytest.raises(RefusedError, match="gold/bank"):
        getattr(stage, name)(Run(project / "run"), **options)


def test_every_stage_with_training_keys_is_tested_here():
    found = {p.stem for p in (PACKAGE / "stages").glob("[a-z]*.py") if "training: Keys[Training]" in p.read_text()}
    assert found == set(STAGES)
    assert "training" in inspect.signature(importlib.import_module("slmkit.stages.sft").sft).parameters


@pytest.mark.slow
def test_fifty_thousand_rows_cost_a_fraction_of_reading_them(tmp_path):
    rng = random.Random(0)
    words = ["my", "card", "is", "Where", "statement,", "why?", "please"]
    file = tmp_path / "rows.jsonl"
    with file.open("w") as out:
        for _ in range(50_000):
            out.write(json.dumps(chat(" ".join(rng.choices(words, k=70)))) + "\n")
    gold = {(" ".join(rng.choices(["my", "card", "lost", "why"], k=8)), ""): "bank" for _ in range(1000)}
    start = time.process_time()
    assert not list(rows_in_gold(file, Questions(gold)))
    mine = time.process_time() - start
    start = time.process_time()
    for line in file.read_text().splitlines():
        json.loads(line)
    assert mine < 3 * (time.process_time() - start)
