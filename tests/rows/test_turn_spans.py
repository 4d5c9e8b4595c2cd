"""The words of each turn and the tool calls are found in what ten families of templates render."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

import slmkit
from slmkit.models.chat_template import render_text
from slmkit.models.template_traits import tool_traits
from slmkit.rows.loss_mask import IGNORED, Chat, label_chats
from slmkit.rows.template_check import check_template
from slmkit.rows.turn_spans import turn_spans

NANO = Path(slmkit.__file__).parent / "assets" / "nano"
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_stock",
            "description": "finds it",
            "parameters": {"type": "object", "properties": {"item": {"type": "string", "description": "what"}}},
        },
    }
]


def call(item, content=""):
    function = {"name": "find_stock", "arguments": {"item": item}}
    return {"role": "assistant", "content": content, "tool_calls": [{"type": "function", "function": function}]}


CHAT = [
    {"role": "user", "content": "Call find_stock for the lamp"},
    call("lamp"),
    {"role": "tool", "name": "find_stock", "content": '{"lamps": 2}'},
    {"role": "assistant", "content": "Two lamps."},
    {"role": "user", "content": "And a kettle?"},
    call("kettle", "Let me see."),
    {"role": "tool", "name": "find_stock", "content": '{"kettles": 0}'},
    {"role": "assistant", "content": "None."},
]
PLAIN = (
    "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}"
    "{% for m in messages %}<|{{ m.role }}|> {{ m.content }}{% for c in m.tool_calls or [] %}"
    "call {{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKED = (
    "{% for t in tools or [] %}{{ t.function.name }}{% endfor %}{% for m in messages %}<|{{ m.role }}|>"
    "{% if m.role == 'assistant' %}{% generation %} {{ m.content }}{% for c in m.tool_calls or [] %}"
    "call {{ c.function.name }} {{ c.function.arguments | tojson }}{% endfor %}<|end|>{% endgeneration %}"
    "{% else %} {{ m.content }}<|end|>{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer():
    from transformers import AutoTokenizer

    nano = AutoTokenizer.from_pretrained(NANO)

    def make(template, *, special=()):
        import trl

        made = copy.deepcopy(nano)
        file = Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja"
        made.chat_template = template if "{" in template else file.read_text()
        if special:
            made.add_special_tokens({"extra_special_tokens": list(special)})
        return made

    return make


def trained(made, row):
    return made.decode([label for label in row.labels if label != IGNORED])


@pytest.mark.parametrize(
    "template",
    ["qwen2_5", "qwen3", "qwen3_5_nothink", "llama3_1", "llama3_2", "glm4moe", "lfm2_2_5", "nemotron_3_nano", PLAIN],
)
def test_the_span_of_a_call_is_all_that_the_template_writes_for_it(tokenizer, template):
    made = tokenizer(template)
    assert tool_traits(made).shows_calls
    [text] = render_text(made, [CHAT], tools=[TOOLS], add_generation_prompt=False)
    said = [text[slice(*span)] if span else "" for span in turn_spans(made, CHAT, text, tools=TOOLS)]
    for turn, item in ((1, "lamp"), (5, "kettle")):
        assert "find_stock" in said[turn] and item in said[turn]
        assert "user" not in said[turn] and "stocks" not in said[turn] and '{"' + item + "s" not in said[turn]
    assert "Two lamps." in said[3] and said[7].strip() == "None."
    assert ("Let me see." in said[5]) == (not template.startswith("llama"))


def test_words_beside_a_call_that_a_template_leaves_out_are_said(tokenizer):
    made = tokenizer("llama3_1", special=["<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"])
    faults = check_template(made, [Chat("a", "a.jsonl:1", CHAT, TOOLS)]).faults
    assert ("warning", "lost words") in {(fault.severity, fault.name) for fault in faults}


@pytest.mark.parametrize("template", ["gemma4", "gptoss"])
def test_a_call_that_is_one_turn_with_its_result_has_no_span(tokenizer, template):
    made = tokenizer(template)
    [text] = render_text(made, [CHAT], tools=[TOOLS], add_generation_prompt=False)
    spans = turn_spans(made, CHAT, text, tools=TOOLS)
    for turn, result in ((1, '"lamps"'), (5, '"kettles"')):
        assert spans[turn] is None or result not in text[slice(*spans[turn])]


def test_a_call_carries_loss_with_marks_and_without(tokenizer):
    rows = []
    for template in (PLAIN, MARKED):
        made = tokenizer(template)
        [row] = label_chats(made, [Chat("a", "a.jsonl:1", CHAT, TOOLS)])
        rows.append(trained(made, row).replace(" ", ""))
        assert check_template(made, [Chat("a", "a.jsonl:1", CHAT, TOOLS)]).faults == []
    ends = ['callfind_stock{"item":"lamp"}', "Twolamps.", 'Letmesee.callfind_stock{"item":"kettle"}', "None."]
    assert rows[0] == rows[1] == "".join(f"{one}<|end|>" for one in ends)


@pytest.mark.parametrize("template", [PLAIN, MARKED])
@pytest.mark.parametrize("untrained", [(1,), (3,), (1, 5), (3, 7), (5, 7)])
def test_a_turn_of_weight_0_carries_no_loss_and_its_end_neither(tokenizer, template, untrained):
    made = tokenizer(template)
    chat = [turn | {"weight": 0} if i in untrained else turn for i, turn in enumerate(CHAT)]
    [row] = label_chats(made, [Chat("a", "a.jsonl:1", chat, TOOLS)])
    words = {1: '"lamp"', 3: "Two lamps.", 5: "Let me see.", 7: "None."}
    said = trained(made, row)
    assert [turn for turn, word in words.items() if word in said] == [turn for turn in words if turn not in untrained]
    assert said.count("<|end|>") == 4 - len(untrained)
    [whole] = label_chats(made, [Chat("a", "a.jsonl:1", CHAT, TOOLS)])
    assert row.input_ids == whole.input_ids
    assert check_template(made, [Chat("a", "a.jsonl:1", chat, TOOLS)]).faults == []


@pytest.mark.parametrize("template", [PLAIN, MARKED])
@pytest.mark.parametrize("bad", [1, 3])
def test_of_two_equal_answers_only_the_one_with_weight_carries_loss(tokenizer, template, bad):
    asked = {"role": "user", "content": "To the attic. Right?"}
    chat = [asked, {"role": "assistant", "content": "To the attic."}] * 2
    chat[bad] = chat[bad] | {"weight": 0}
    made = tokenizer(template)
    [row] = label_chats(made, [Chat("a", "a.jsonl:1", chat)])
    assert trained(made, row).replace(" ", "") == "Totheattic.<|end|>"
    start = next(i for i, label in enumerate(row.labels) if label != IGNORED)
    assert (start < len(row.labels) / 2) == (bad == 3)


def test_a_greeting_before_the_first_user_turn_is_an_answer_without_a_prompt(tokenizer):
    chat = [{"role": "assistant", "content": "Good day."}, *CHAT[:1], {"role": "assistant", "content": "Two."}]
    made = tokenizer(PLAIN)
    report = check_template(made, [Chat("a", "a.jsonl:1", chat)])
    assert [fault for fault in report.faults if fault.severity == "error"] == []
    assert made.decode(report.prompt_ids).endswith("<|assistant|>") and "lamp" in made.decode(report.prompt_ids)
