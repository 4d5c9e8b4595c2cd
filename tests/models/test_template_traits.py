"""What the templates of public model families can render is found by probing them; all but three ship with TRL."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest

from slmkit.errors import SlmkitError
from slmkit.models.chat_template import fold_if_refused, folding_note, render_text
from slmkit.models.template_traits import takes_system, tool_traits
from slmkit.recipe import lookup

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
ASKED = {"role": "user", "content": "Is there a kettle?"}
# Mistral's: the ids of calls have nine characters, and a result follows its call.
MISTRAL = (
    "{{ bos_token }}{% if tools %}[AVAILABLE_TOOLS]{{ tools | tojson }}[/AVAILABLE_TOOLS]{% endif %}"
    "{% for m in messages %}{% if m.role == 'user' %}[INST]{{ m.content }}[/INST]"
    "{% elif m.tool_calls is defined and m.tool_calls %}[TOOL_CALLS][{% for c in m.tool_calls %}"
    "{% if c.id is undefined or c.id | length != 9 %}{{ raise_exception('ids have nine characters') }}{% endif %}"
    '{"name": "{{ c.function.name }}", "arguments": {{ c.function.arguments | tojson }}, "id": "{{ c.id }}"}'
    "{% endfor %}]{{ eos_token }}"
    "{% elif m.role == 'tool' %}"
    "{% if not messages[loop.index0 - 1].tool_calls %}{{ raise_exception('a result without a call') }}{% endif %}"
    "[TOOL_RESULTS]{{ m.tool_call_id }}:{{ m.content }}[/TOOL_RESULTS]"
    "{% else %}{{ m.content }}{{ eos_token }}{% endif %}{% endfor %}"
)
ITEMS = (  # fails on arguments that are text
    "{% for t in tools or [] %}{{ t.function.name }} {% endfor %}"
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }}"
    "{% for k, v in c.function.arguments | items %} {{ k }}={{ v }}{% endfor %}{% endfor %}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
DROPS_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer():
    """A tokenizer with a template: its text, or the name of one that ships with TRL."""
    from transformers import AutoTokenizer

    nano = AutoTokenizer.from_pretrained(lookup.PACKAGE / "assets" / "nano")

    def make(template):
        import trl

        made = copy.deepcopy(nano)
        file = Path(trl.__file__).parent / "chat_templates" / f"{template}.jinja"
        made.chat_template = template if "{" in template else file.read_text()
        return made

    return make


def called(arguments, **keys):
    return {"role": "assistant", "content": "", "tool_calls": [
        {"type": "function", "function": {"name": "find_stock", "arguments": arguments}, **keys}]}  # fmt: skip


@pytest.mark.parametrize(
    ("template", "system", "tools", "calls", "as_text", "nine"),
    [
        ("qwen2_5", True, True, True, False, False),
        ("qwen3", True, True, True, False, False),
        ("llama3_2", True, True, True, False, False),
        ("lfm2", True, True, False, False, False),  # shows tools, but no calls
        ("gemma", False, False, False, False, False),
        ("gemma3", True, False, False, False, False),
        ("phi3", True, False, False, False, False),
        ("deepseekv3", True, False, True, True, False),  # adds text and arguments
        (MISTRAL, True, True, True, False, True),
        (ITEMS, True, True, True, False, False),
        (DROPS_SYSTEM, False, False, False, False, False),
    ],
)
def test_the_traits_of_a_template_are_found(tokenizer, template, system, tools, calls, as_text, nine):
    made = tokenizer(template)
    assert takes_system(made) == system
    traits = tool_traits(made)
    assert (traits.shows_tools, traits.shows_calls) == (tools, calls)
    assert (traits.text_arguments, traits.nine_characters) == (as_text, nine)


@pytest.mark.parametrize("template", ["gemma", DROPS_SYSTEM])
def test_a_system_turn_that_a_template_refuses_or_leaves_out_is_in_the_user_turn(tokenizer, template):
    made = tokenizer(template)
    system = {"role": "system", "content": "Be brief."}
    [text] = render_text(made, [[system, ASKED]])
    assert text == render_text(made, [[{"role": "user", "content": "Be brief.\n\nIs there a kettle?"}]])[0]
    assert "no system turn" in folding_note(made, [[ASKED], [system, ASKED]])
    assert folding_note(made, [[ASKED]]) == ""
    assert fold_if_refused(tokenizer("qwen2_5"), [system, ASKED]) == [system, ASKED]
    assert folding_note(tokenizer("qwen2_5"), [[system, ASKED]]) == ""


@pytest.mark.parametrize("template", ["qwen2_5", "llama3_2", "deepseekv3", MISTRAL, ITEMS])
@pytest.mark.parametrize("arguments", [{"item": 'a "red" one'}, '{"item": "a \\"red\\" one"}'])
def test_arguments_are_rendered_as_the_template_wants_them(tokenizer, template, arguments):
    made = tokenizer(template)
    chat = [ASKED, called(arguments), {"role": "tool", "content": "1"}, {"role": "assistant", "content": "Yes."}]
    [text] = render_text(made, [chat], tools=[TOOLS] if tool_traits(made).shows_tools else ())
    assert ('a \\"red\\" one' if template != ITEMS else 'item=a "red" one') in text
    assert '\\\\"' not in text and "{'item'" not in text


def test_ids_are_made_for_a_template_that_wants_nine_characters(tokenizer):
    chat = [ASKED, called({"item": "a"}, id="call_abc"), {"role": "tool", "tool_call_id": "call_abc", "content": "1"},
            {"role": "assistant", "content": "One."}, ASKED, called({"item": "b"}), {"role": "tool", "content": "2"},
            {"role": "assistant", "content": "Two."}]  # fmt: skip
    [text] = render_text(tokenizer(MISTRAL), [chat], tools=[TOOLS])
    assert text.count("000000001") == text.count("000000002") == 2


@pytest.mark.parametrize(
    ("template", "chat", "tools", "wrong"),
    [
        ("gemma3", [ASKED], TOOLS, "does not render tools"),
        ("lfm2", [{**ASKED, "content": "Is find_stock there?"}, called({"item": "kettle"})], TOOLS, "tool calls"),
        ("qwen2_5", [{**ASKED, "role": "usr"}, called({})], TOOLS[:0], ""),
        ("gemma", [ASKED, ASKED], (), "must alternate"),
        ("{{ messages[0].content | int / 0 }}", [ASKED], (), "ZeroDivisionError"),
        ("{{ messages[0].content + 1 }}", [ASKED], (), "TypeError"),
        ("{{ messages[9].content.x }}", [ASKED], (), "undefined|no element"),
        ("{{ messages[0]['content'] }}{{ messages[0].keys().nothing() }}", [ASKED], (), "no attribute"),
    ],
)
def test_whatever_a_template_cannot_do_is_an_error_with_the_row(tokenizer, template, chat, tools, wrong):
    made = tokenizer(template)
    if not wrong:  # a role that a template simply writes is its own affair
        assert render_text(made, [chat], tools=[tools])
        return
    with pytest.raises(SlmkitError, match=wrong) as refused:
        render_text(made, [[ASKED], chat], tools=[(), tools], where=["a.jsonl:1", "a.jsonl:2 (row b)"])
    assert refused.value.where in ("a.jsonl:2 (row b)", "a.jsonl:1")
    assert refused.value.fix


def test_a_call_that_is_left_out_of_one_row_is_an_error(tokenizer):
    first_only = (
        "{% for m in messages %}{{ m.content }}"
        "{% if m.tool_calls %}{{ m.tool_calls[0].function | tojson }}{% endif %}{% endfor %}"
    )
    two = called({"item": "cup"})
    two["tool_calls"] += called({"item": "pan"})["tool_calls"]
    with pytest.raises(SlmkitError, match="leaves out the call of 'find_stock'"):
        render_text(tokenizer(first_only), [[ASKED, two]])
    text = 'a\nb\t"c" \\ é 你 </tool_call>'
    chat = [ASKED, called({"item": text, "n": [1, {"deep": text}]})]
    [rendered] = render_text(tokenizer("qwen2_5"), [chat], tools=[TOOLS])
    assert json.dumps(text, ensure_ascii=False) in rendered


def test_marks_for_the_loss_do_not_reach_the_template(tokenizer):
    shows_all = tokenizer("{% for m in messages %}{{ m | tojson }}{% endfor %}")
    assert "weight" not in render_text(shows_all, [[ASKED, {"role": "assistant", "content": "Yes.", "weight": 0}]])[0]
