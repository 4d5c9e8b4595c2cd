"""Characters of several tokens are shown whole."""

from project_files import REPOSITORY
from transformers import AutoTokenizer

from slmkit.rows.token_texts import token_texts


def test_a_character_of_several_tokens_is_the_text_of_its_last_token():
    tokenizer = AutoTokenizer.from_pretrained(REPOSITORY / "slmkit" / "assets" / "nano")
    text = "it costs 4,50 €, 昨天 <|end|>"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    texts = token_texts(tokenizer, ids)
    assert len(texts) == len(ids) and "".join(texts) == text and "\ufffd" not in "".join(texts)
    assert texts[-1] == "<|end|>"
    assert token_texts(tokenizer, ids[: texts.index("€") - 1])[-1] == "\ufffd"  # a text that ends inside a character
