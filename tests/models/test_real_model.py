"""SmolLM2-135M-Instruct, read from the GGUF file of a package, is the model that it should be: `make test-real`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from slmkit.inference.generate import generate
from slmkit.models.chat_template import render
from slmkit.models.convert_gguf import read_origin
from slmkit.models.load import load_model, load_tokenizer, shared_model
from slmkit.models.model_folder import model_folder
from slmkit.models.model_hashes import identity
from slmkit.types import ModelRef

pytestmark = pytest.mark.real

PROMPTS = (
    "What is the capital of France?",
    "Write one sentence about the sea.",
    "What is 12 plus 30? Answer with a number.",
    "Name three colours.",
    "Translate to French: good morning",
)


def folder_of(ref: ModelRef) -> Path:
    folder = model_folder(ref)
    assert folder is not None
    return folder


def test_greedy_answers_equal_plain_transformers(smollm2: ModelRef) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    loaded = shared_model(smollm2, device="cpu", dtype="float32")
    asked = [[{"role": "user", "content": prompt}] for prompt in PROMPTS]
    answers = [answer.text for answer in generate(loaded, render(loaded.tokenizer, asked), max_new_tokens=24)]
    assert answers[0] == "The capital of France is Paris."

    folder = str(folder_of(smollm2))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    for messages, answer in zip(asked, answers, strict=True):
        ids = tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
        )
        with torch.inference_mode():
            found = model.generate(**ids, max_new_tokens=24, do_sample=False)
        text = tokenizer.decode(found[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        assert answer == text.strip(), messages


def test_token_ids_equal_those_of_llama_cpp(smollm2: ModelRef) -> None:
    """The ids are those of llama-server's /tokenize (Debian's llama.cpp 0.7.0) on the package's file.

    240 tricky strings (code, numbers, scripts, control characters, special tokens) and 100 random ones. Without the
    split of digits, 24 of them differ.
    """
    tokenizer = load_tokenizer(smollm2)
    rows = [json.loads(line) for line in (Path(__file__).parent / "smollm2_tokens.jsonl").read_text().splitlines()]
    assert len(rows) == 340
    assert [text for text, ids in rows if tokenizer(text, add_special_tokens=False).input_ids != ids] == []


def test_the_template_is_the_published_one(smollm2: ModelRef) -> None:
    tokenizer = load_tokenizer(smollm2)
    system = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    [ids] = render(tokenizer, [[{"role": "user", "content": "Hi"}]])
    assert tokenizer.decode(ids) == f"{system}<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    own = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    [ids] = render(tokenizer, [own])
    assert tokenizer.decode(ids).startswith(
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
    )


def test_the_end_of_a_turn_and_the_origin_are_known(smollm2: ModelRef) -> None:
    loaded = load_model(smollm2, device="cpu")
    assert loaded.tokenizer.eos_token == "<|im_end|>"
    assert loaded.model.generation_config.eos_token_id == loaded.tokenizer.eos_token_id == 2
    assert loaded.context_length == loaded.tokenizer.model_max_length == 8192
    origin = read_origin(folder_of(smollm2))
    if origin is None:  # the hub's own weights, which nobody rounded
        assert "revision" in identity(loaded)
    else:
        assert origin["sha256"].startswith("b179c9523d0e")
        assert "rounded to Q4_1 once" in identity(loaded)["origin"]
