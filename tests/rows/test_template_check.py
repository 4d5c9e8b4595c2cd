"""Loss masks are right on ten public template families, and every planted fault is caught by name."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest

import slmkit
from slmkit.models.chat_template import template_hash
from slmkit.rows.loss_mask import Chat
from slmkit.rows.template_check import check_template
from slmkit.rows.turn_spans import turn_spans

NANO = Path(slmkit.__file__).parent / "assets" / "nano"
TURNS = [
    {"role": "user", "content": "Is it open?"},
    {"role": "assistant", "content": "Yes, it is."},
    {"role": "user", "content": "Until when?"},
    {"role": "assistant", "content": "Until nine."},
]
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
SMOLLM2 = (
    "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\nYou are helpful.<|im_end|>\n' }}{% endif %}" + CHATML
)
ZEPHYR = (
    "{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content + eos_token + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"
)
OLMO = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m.role + '|>\n' + m.content }}"
    "{% if m.role == 'assistant' %}{{ eos_token }}{% endif %}{% if not loop.last %}{{ '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '\n<|assistant|>\n' }}{% endif %}"
)
MISTRAL = (
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}"
    "{% else %}{{ ' ' + m.content + eos_token }}{% endif %}{% endfor %}"
)
# template (a file name: one that TRL ships), special tokens, bos, eos; eos ends an answer
FAMILIES = {
    "llama3": ("llama3.jinja", ["<|start_header_id|>", "<|end_header_id|>"], "<|begin_of_text|>", "<|eot_id|>"),
    "qwen2.5": ("qwen2_5.jinja", ["<|im_start|>"], None, "<|im_end|>"),
    "qwen3": ("qwen3.jinja", ["<|im_start|>"], None, "<|im_end|>"),
    "gemma3": ("gemma3.jinja", ["<start_of_turn>"], "<bos>", "<end_of_turn>"),
    "phi3": ("phi3.jinja", ["<|user|>", "<|assistant|>", "<|endoftext|>"], None, "<|end|>"),
    "mistral": (MISTRAL, [], "<s>", "</s>"),
    "smollm2": (SMOLLM2, ["<|im_start|>"], None, "<|im_end|>"),
    "chatml": (CHATML, ["<|im_start|>"], None, "<|im_end|>"),
    "zephyr": (ZEPHYR, ["<|user|>", "<|assistant|>"], None, "</s>"),
    "olmo": (OLMO, ["<|user|>", "<|assistant|>"], "<|endoftext|>", "<|endoftext|>"),
}


@pytest.fixture(scope="module")
def nano():
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(NANO)


@pytest.fixture
def family(nano):
    """A tokenizer with the special tokens and the template of a family."""

    def make(name):
        import trl

        template, special, bos, eos = FAMILIES[name]
        if template.endswith(".jinja"):
            template = (Path(trl.__file__).parent / "chat_templates" / template).read_text()
        tokenizer = deepcopy(nano)
        tokenizer.add_special_tokens({"extra_special_tokens": [*special, eos, *([bos] if bos else [])]})
        tokenizer.add_tokens(["<think>", "</think>"])  # not special: Qwen3 registers them so
        tokenizer.bos_token, tokenizer.eos_token, tokenizer.chat_template = bos, eos, template
        return tokenizer

    return make


def chats(messages):
    return [Chat(id="a", where="train.jsonl:1", messages=messages)]


def errors(tokenizer, messages=TURNS, **options):
    report = check_template(tokenizer, chats(messages), **options)
    return {fault.name: fault for fault in report.faults if fault.severity == "error"}


@pytest.mark.parametrize("name", FAMILIES)
def test_the_mask_is_the_answers_and_their_end(family, name):
    tokenizer = family(name)
    report = check_template(tokenizer, chats(TURNS), thinking="off" if name == "qwen3" else None)
    eos = FAMILIES[name][3]
    trained = "".join(piece for piece, on in report.pieces if on)
    assert trained.replace(" ", "") == f"Yes,itis.{eos}Untilnine.{eos}"
    assert [fault for fault in report.faults if fault.severity == "error"] == []
    assert "".join(piece for piece, _ in report.pieces) == tokenizer.decode(
        tokenizer.apply_chat_template(TURNS, return_dict=True)["input_ids"]
    )


@pytest.mark.parametrize(("name", "said"), [("mistral", " Yes, it is."), ("qwen3", "Yes, it is.")])
def test_spaces_after_the_prompt_belong_to_the_answer_and_added_thoughts_do_not(family, name, said):
    tokenizer = family(name)
    text = tokenizer.apply_chat_template(TURNS[:2], tokenize=False)
    _, span = turn_spans(tokenizer, TURNS[:2], text)
    assert text[slice(*span)] == said


def test_thoughts_in_the_answers_carry_loss(family):
    turns = [TURNS[0], {"role": "assistant", "content": "<think>\nIt is noon.\n</think>\n\nYes."}]
    report = check_template(family("qwen3"), chats(turns), thinking="on")
    trained = "".join(piece for piece, on in report.pieces if on)
    assert trained.startswith("<think>")
    assert "It is noon" in trained
    assert not report.faults


def test_an_end_of_turn_without_loss_is_caught(family):
    tokenizer = family("chatml")
    tokenizer.chat_template = CHATML.replace("<|im_end|>\n", "\n")
    assert "row a" in errors(tokenizer)["refused"].where


def test_a_pad_token_that_ends_turns_is_learned_and_no_fault(family):
    tokenizer = family("chatml")
    tokenizer.pad_token = tokenizer.eos_token = "<|im_end|>"
    report = check_template(tokenizer, chats(TURNS))
    assert not report.faults
    ends = [on for piece, on in report.pieces if piece == "<|im_end|>"]
    assert ends == [False, True, False, True]


def test_a_template_other_than_in_training_is_caught(family):
    tokenizer = family("chatml")
    trained_with = template_hash(tokenizer.chat_template)
    assert not errors(tokenizer, expected_hash=trained_with)
    tokenizer.chat_template = tokenizer.chat_template.replace("\n", " ")
    assert "another template" in errors(tokenizer, expected_hash=trained_with)


def test_loss_on_nothing_is_caught(family):
    assert "row a" in errors(family("chatml"), TURNS[:1])["refused"].text
    long = [{"role": "user", "content": "word " * 3000}, {"role": "assistant", "content": "Yes."}]
    assert "little trained" in errors(family("chatml"), long)
    report = check_template(family("chatml"), chats(TURNS) * 2 + chats(long))  # one such row is tolerated
    assert "little trained" not in {fault.name for fault in report.faults}
    empty = family("chatml")
    empty.chat_template = CHATML.replace("{% endfor %}", "{% generation %}{% endgeneration %}{% endfor %}")
    assert errors(empty)


def test_loss_on_the_prompt_is_caught(family):
    tokenizer = family("chatml")
    tokenizer.chat_template = CHATML.replace(
        "{% for m in messages %}", "{% for m in messages %}{% generation %}"
    ).replace("{% endfor %}", "{% endgeneration %}{% endfor %}")
    assert "prompt trained" in errors(tokenizer)


def test_half_an_answer_without_loss_is_caught(family):
    tokenizer = family("chatml")
    tokenizer.chat_template = CHATML.replace(
        "m.content + '<|im_end|>\n' }}",
        "m.content[:4] }}{% generation %}{{ m.content[4:] + '<|im_end|>' }}{% endgeneration %}{{ '\n' }}",
    )
    assert "answer not trained" in errors(tokenizer, TURNS[:2])


def test_a_doubled_start_is_caught(family):
    tokenizer = family("olmo")
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    assert f"{tokenizer.bos_token} 2" in errors(tokenizer)["doubled start"].text


def test_markers_that_the_base_model_does_not_know_are_caught(nano, family):
    unknown = deepcopy(nano)
    unknown.chat_template = CHATML.replace("<|im_end|>", "<|end|>")
    assert "<|im_start|>" in errors(unknown)["unknown marker"].text
    tokenizer = family("chatml")
    norms = [1.0 + 0.01 * (i % 7) for i in range(len(tokenizer))]
    assert not errors(tokenizer, embedding_norms=norms)
    norms[tokenizer.convert_tokens_to_ids("<|im_end|>")] = 0.02
    found = errors(tokenizer, embedding_norms=norms)["untrained token"]
    assert "<|im_end|>" in found.text
    assert "modules_to_save" in found.fix


def test_undeclared_or_contradicted_thinking_is_caught(family):
    assert "thinking=off" in errors(family("qwen3"))["thinking undeclared"].fix
    assert "0 of 2" in errors(family("qwen3"), thinking="on")["thinking"].text


def test_empty_thoughts_of_a_template_with_marks_are_caught(family):
    import trl

    tokenizer = family("qwen3")
    tokenizer.chat_template = (Path(trl.__file__).parent / "chat_templates" / "qwen3_training.jinja").read_text()
    assert "thinking trained" in errors(tokenizer, thinking="off")


def test_a_template_that_refuses_the_messages_is_quoted(family):
    found = errors(family("gemma3"), [TURNS[0], TURNS[0], TURNS[1]])["refused"]
    assert "alternate" in found.text
    assert found.where.startswith("train.jsonl:1")


def test_the_shipped_model_has_no_fault(nano):
    system = {"role": "system", "content": "Answer in\ntwo lines."}
    report = check_template(nano, chats([system, *TURNS]))
    assert report.faults == []
    assert 0.1 < report.trained_share < 0.5
    assert nano.decode(report.prompt_ids).endswith("<|assistant|>")
