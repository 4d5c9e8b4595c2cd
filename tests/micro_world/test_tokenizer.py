"""The tokenizer and the chat template of the bundled models."""

from __future__ import annotations

import pytest

from slmkit.micro_world import vocabulary
from slmkit.micro_world.corpus import DOCUMENTS, Encoder, chat_pieces, messages, text_pieces
from slmkit.micro_world.engine import rng
from slmkit.micro_world.tokenizer import all_words, tokenizer


@pytest.fixture(scope="module")
def tok():
    return tokenizer()


def test_every_word_is_one_token_after_a_space(tok):
    assert [word for word in all_words() if len(tok(f" {word}")["input_ids"]) != 1] == []


def test_names_are_two_tokens_split_between_their_syllables(tok):
    names = [(first, second) for first in vocabulary.FIRST for second in vocabulary.SECOND]
    cut = sum(tok.tokenize(f" {a}{b}") == [f"Ġ{a}", b] for a, b in names)
    assert cut / len(names) >= 0.99, f"only {cut} of {len(names)}"


def test_pad_is_a_separate_token_and_the_end_of_a_turn_is_eos(tok):
    assert len({tok.pad_token_id, tok.eos_token_id, tok.bos_token_id}) == 3
    assert tok.eos_token == "<|end|>"


def test_every_line_and_turn_of_a_chat_starts_with_a_space(tok):
    chat = [{"role": "user", "content": "oak\noak"}, {"role": "assistant", "content": "oak"}]
    ids = tok.apply_chat_template(chat)["input_ids"]
    assert tok.convert_ids_to_tokens(ids).count("Ġoak" if "oak" in all_words() else "Ġo") == 3


def test_the_end_of_turn_token_is_trained(tok):
    chat = [{"role": "user", "content": "say lamp."}, {"role": "assistant", "content": "lamp"}]
    rendered = tok.apply_chat_template(chat, return_assistant_tokens_mask=True)
    trained = [i for i, mask in zip(rendered["input_ids"], rendered["assistant_masks"], strict=True) if mask]
    assert tok.convert_ids_to_tokens(trained) == ["Ġlamp", "<|end|>"]


def test_decoding_keeps_thoughts_and_removes_turn_tokens(tok):
    ids = tok("<|user|> hot<|end|><|assistant|> <think> 7, 12 </think> 4<|end|>")["input_ids"]
    assert tok.decode(ids, skip_special_tokens=True).split() == ["hot<think>", "7,", "12</think>", "4"]


def test_any_text_survives_a_round_trip(tok):
    text = "Ünïcode, 漢字, emoji 🦉, tabs\tand ctrl \x01; 3.14 {json: [1]}"
    assert tok.decode(tok(text)["input_ids"]) == text


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_the_fast_encoder_and_the_template_give_the_ids_of_the_tokenizer(tok, kind):
    encode = Encoder(tok)
    for number in range(10):
        doc = DOCUMENTS[kind](rng("test", number), "train")
        text = "".join(piece for piece, _ in text_pieces(doc))
        assert [i for piece, _ in text_pieces(doc) for i in encode(piece)] == tok(text)["input_ids"]
        chat = [i for piece, _ in chat_pieces(rng(number), doc) for i in encode(piece)]
        assert chat == tok.apply_chat_template(messages(rng(number), doc))["input_ids"]
