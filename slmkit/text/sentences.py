"""Cuts a paragraph into sentences, by the signs that end them in many scripts."""

from __future__ import annotations

import re

from slmkit.text.words import ALPHABETS, CJK

_CLOSING = "\"'”’)\\]」』）】》〉〕»"
_OPENING = "\"'“‘(\\[「『（【《〈〔«¿¡"
_END = re.compile(  # a run of signs is tried once, from its start (?<!…) and whole (++): time linear in the text
    rf"(?<![.!?…؟])[.!?…؟]++[{_CLOSING}]*+(?=\s+[{_OPENING}]*(?P<next>[^\W_]))"  # a capital, a digit, or no case
    rf"|[。！？｡]+(?:[{_CLOSING}]+(?![ぁ-ゖ])|(?![{_CLOSING}]))"  # no space follows; 「はい。」と is one sentence
    rf"|(?<=[{CJK}])[!?]++[{_CLOSING}]*+(?=[{_OPENING}]*[{CJK}])"
    rf"|[।॥۔։።፧។៕။།༎]+[{_CLOSING}]*"  # Hindi, Urdu, Armenian, Amharic, Khmer, Burmese, Tibetan
    rf"|(?<=[{ALPHABETS}])(?=\s+[{ALPHABETS}])"  # Thai has no such sign: a space ends a clause
)


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph.

    Each ends at a full stop, ? or ! before a capital letter, a digit, or a letter of a script without capitals; at the
    signs that other scripts use instead, such as 。 and ।; in Thai, Lao, Khmer and Burmese at a space.
    "It is 2.5 m, e.g. here. 他说：“好。”我走了。" -> "It is 2.5 m, e.g. here.", "他说：“好。”", "我走了。"
    """
    ends = [match.end() for match in _END.finditer(text) if not (match["next"] or "").islower()]
    parts = (text[start:end].strip() for start, end in zip([0, *ends], [*ends, len(text)], strict=True))
    return [part for part in parts if part]
