"""Documents to token ids: as plain text for a base model, as chats for an instruct one, packed into rows.

Rows are drawn from (seed, step), so a resumed training sees what an uninterrupted one would have seen, and no corpus
file is kept. Each token has a weight in the loss: what the notes say first cannot be foreseen and counts little, what
is copied from them or known counts fully.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from slmkit.micro_world import families, skills
from slmkit.micro_world.engine import Doc, Split, Turn, belongs, rng
from slmkit.micro_world.tokenizer import BOS, END, THINK

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

Piece = tuple[str, float]  # text, weight in the loss
Row = tuple[list[int], list[float]]  # input_ids, weights

NOTES, QUESTION = 0.3, 0.1  # weights; answers count 1
DOCUMENTS: dict[str, Callable[[random.Random, Split], Doc]] = {
    "reading": families.reading, "binding": families.binding, "cards": families.cards, "rag": families.rag,
    "unanswerable": families.unanswerable, "canon": families.canon_fact, "canon_text": families.canon_text,
    "over_canon": families.over_canon, "skills": skills.skill, "pattern": skills.patterns, "say": skills.say_word,
    "chains": skills.chain, "tools": skills.tool_call, "talk": families.talk, "forks": families.fork,
}  # fmt: skip
# Shares of the documents of a row. "repeat" is spans of random ids said again, which reaches every id there is.
MIXES: dict[str, dict[str, float]] = {
    "copy": {"repeat": 45, "cards": 35, "binding": 20},
    "bind": {
        "binding": 38, "reading": 14, "rag": 12, "cards": 10, "repeat": 6, "skills": 8, "canon_text": 4, "talk": 4,
        "say": 4,
    },
    "full": {
        "binding": 12, "reading": 16, "rag": 17, "unanswerable": 5, "over_canon": 2, "skills": 15, "pattern": 4,
        "canon": 9, "canon_text": 6, "chains": 9, "talk": 4, "forks": 1, "repeat": 4, "cards": 4, "say": 2,
    },
    "chat": {
        "reading": 14, "binding": 5, "rag": 18, "unanswerable": 8, "over_canon": 3, "skills": 19, "pattern": 7,
        "canon": 6, "chains": 9, "tools": 6, "talk": 5, "say": 4,
    },
}  # fmt: skip
# How notes and a question stand together in a user's turn; {n} the notes, {q} the question.
FORMS = (
    "{n}\n{q}", "{n}\n{q}", "notes: {n}\nquestion: {q}", "notes:\n{n}\n\nquestion: {q}", "{q}\n{n}",
    "question: {q}\nnotes: {n}", "context:\n{n}\n\n{q}", "use the notes to answer.\n{n}\nquestion: {q}",
)  # fmt: skip

SYSTEMS = (
    "you are a kind helper.", "answer the question.", "use the notes.", "answer in one word.", "be short.",
    "answer the question and be polite.",
)  # fmt: skip


class Encoder:
    """The tokenizer with a memory of words: the same ids, fast enough to write a corpus while training on it."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = len(tokenizer)
        self._ids: dict[str, list[int]] = {
            token: [tokenizer.convert_tokens_to_ids(token)] for token in (*tokenizer.all_special_tokens, *THINK)
        }

    def __call__(self, text: str) -> list[int]:
        """The ids of a text of the world, which may hold special tokens."""
        ids: list[int] = []
        for word in _WORD.findall(text):
            if word not in self._ids:
                self._ids[word] = self.tokenizer(word, add_special_tokens=False)["input_ids"]
            ids += self._ids[word]
        return ids


# Special tokens (with the space that a thought mark eats), then the pieces a byte-level pre-tokenizer makes of ASCII.
_WORD = re.compile(
    r"<\|[a-z]+\|>| ?</?think>|'(?:[stmd]|re|ve|ll)| ?[a-zA-Z]+| ?[0-9]+| ?[^\sa-zA-Z0-9<]+| ?<|\s+(?!\S)|\s+"
)


def rows(encoder: Encoder, mix: str, *, seed: int, step: int, count: int, max_length: int) -> list[Row]:
    """`count` rows of max_length + 1 ids and weights, full to the last place."""
    shares = MIXES[mix]
    kinds, weights = list(shares), list(shares.values())
    found = []
    for number in range(count):
        r = rng("train", seed, mix, step, number)
        ids: list[int] = []
        row_weights: list[float] = []
        while len(ids) <= max_length:
            kind = r.choices(kinds, weights)[0]
            new_ids, new_weights = document(encoder, r, kind, "train", chat=mix == "chat")
            ids += new_ids
            row_weights += new_weights
        found.append((ids[: max_length + 1], row_weights[: max_length + 1]))
    return found


def chats(split: Split, count: int, *, seed: int) -> list[dict[str, object]]:
    """`count` chats of the instruct mix, as rows {"id", "messages"}."""
    shares = MIXES["chat"]
    found: list[dict[str, object]] = []
    for number in range(count):
        r = rng(split, seed, "chats", number)
        doc = _apart(r, r.choices(list(shares), list(shares.values()))[0], split)
        found.append({"id": f"{doc.family}-{number}", "messages": messages(r, doc)})
    return found


def texts(split: Split, count: int, *, seed: int) -> list[dict[str, object]]:
    """Documents of the base models' mix as rows of text: what continued pretraining reads."""
    shares = {kind: share for kind, share in MIXES["full"].items() if kind != "repeat"}
    found: list[dict[str, object]] = []
    for number in range(count):
        r = rng(split, seed, "texts", number)
        doc = _apart(r, r.choices(list(shares), list(shares.values()))[0], split)
        text = "".join(piece for piece, _ in text_pieces(doc) if piece not in (BOS, END))
        found.append({"id": f"{doc.family}-{number}", "text": text})
    return found


def document(encoder: Encoder, r: random.Random, kind: str, split: Split, *, chat: bool) -> Row:
    """One document of a kind, as ids and weights."""
    if kind == "repeat":
        return _repeat(encoder, r)
    doc = _apart(r, kind, split)
    ids: list[int] = []
    weights: list[float] = []
    for text, weight in chat_pieces(r, doc) if chat else text_pieces(doc):
        new = encoder(text)
        ids += new
        weights += [weight] * len(new)
    return ids, weights


def text_pieces(doc: Doc) -> Iterator[Piece]:
    """The document as text: notes, then lines "q: ..." and "a: ..."."""
    yield BOS, 0.0
    if doc.notes:
        yield _lines(doc.notes) + "\n", 1.0 if doc.family == "canon_text" else NOTES
    for turn in doc.turns:
        yield (" tool: " if turn.role == "tool" else " q: ") + turn.question + "\n a:", QUESTION
        yield f" {turn.steps}. so {turn.answer}\n" if turn.steps else f" {turn.answer}\n", 1.0
    yield END, 1.0


def chat_pieces(r: random.Random, doc: Doc) -> Iterator[Piece]:
    """The document as the chat template renders it; only what the assistant says counts in the loss."""
    yield BOS, 0.0
    for message in messages(r, doc):
        content = _lines(message["content"]) + END
        if message["role"] == "assistant":
            yield "<|assistant|>", 0.0
            yield content, 1.0
        else:
            yield f"<|{message['role']}|>" + content, 0.0


def messages(r: random.Random, doc: Doc) -> list[dict[str, str]]:
    """The document as messages; the notes stand in the first user turn, in one of several forms."""
    found = [{"role": "system", "content": r.choice(SYSTEMS)}] if r.random() < 0.15 else []
    for number, turn in enumerate(doc.turns):
        text = turn.question
        if number == 0 and doc.notes:
            text = r.choice(FORMS).replace("{q}", text).replace("{n}", _listed(r, doc.notes))
        found.append({"role": turn.role, "content": text})
        found.append({"role": "assistant", "content": answer_text(turn)})
    return found


def answer_text(turn: Turn) -> str:
    """What the assistant says: the thoughts where there are some, then the answer."""
    return f"{THINK[0]} {turn.steps} {THINK[1]} {turn.answer}" if turn.steps else turn.answer


def _apart(r: random.Random, kind: str, split: Split) -> Doc:
    """A document none of whose prompts can be one of gold: names keep most apart, chains and patterns have none."""
    doc = DOCUMENTS[kind](r, split)
    if doc.family == "chains" and not belongs(skills.operations(doc.turns[0].question), split):
        return _apart(r, kind, split)
    if doc.family == "pattern" and not all(belongs(turn.question, split) for turn in doc.turns):
        return _apart(r, kind, split)
    return doc


def _listed(r: random.Random, notes: str) -> str:
    """Notes of several lines as they are, or as a list."""
    lines = notes.split("\n")
    style = r.choice(("plain", "dash", "number")) if len(lines) > 1 else "plain"
    if style == "plain":
        return notes
    return "\n".join(f"- {line}" if style == "dash" else f"[{number}] {line}" for number, line in enumerate(lines, 1))


def _lines(text: str) -> str:
    """The text with a space before every line: the tokens of words begin with one."""
    return " " + text.replace("\n", "\n ")


def _repeat(encoder: Encoder, r: random.Random) -> Row:
    """A span of random ids, twice or three times: the second time can be foreseen, by copying alone."""
    span = [r.randrange(encoder.vocab_size) for _ in range(r.randint(3, 10))]
    times = r.randint(3, 6)
    return span * times, [QUESTION] * len(span) + [1.0] * len(span) * (times - 1)
