"""The text of each token, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_MAX_TOKENS = 4  # of one character: UTF-8 writes it in at most four bytes


def token_texts(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> list[str]:
    """The text of each token. Of a character that is cut into several tokens, the last one has it, the others nothing.

    Example: "€" of three byte tokens -> ["", "", "€"].
    """
    texts: list[str] = []
    held: list[int] = []
    for position, id in enumerate(ids, 1):
        held.append(id)
        text = str(tokenizer.decode(held))
        is_cut = text.endswith("\ufffd") and len(held) < _MAX_TOKENS and position < len(ids)
        texts.append("" if is_cut else text)
        if not is_cut:
            held = []
    return texts
