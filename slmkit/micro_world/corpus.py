"""Turns documents into token ids, as plain text for base models and as chats for instruct models, packed into rows.

Rows are drawn from (seed, step): a resumed run sees the same rows as an uninterrupted one, and no corpus file is
stored. Each token has a loss weight: the first mention of a fact cannot be predicted and has a low weight; copied or
known facts have full weight.
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
# Relative frequencies of document kinds. "repeat" documents are repeated spans of random ids, which cover every id.
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
# Layouts of a user turn; {n} is the notes, {q} the question.
FORMS = (
    "{n}\n{q}", "{n}\n{q}", "notes: {n}\nquestion: {q}", "notes:\n{n}\n\nquestion: {q}", "{q}\n{n}",
    "question: {q}\nnotes: {n}", "context:\n{n}\n\n{q}", "use the notes to answer.\n{n}\nquestion: {q}",
)  # fmt: skip

SYSTEMS = (
    "you are a kind helper.", "answer the question.", "use the notes.", "answer in one word.", "be short.",
    "answer the question and be polite.",
)  # fmt: skip


class Encoder:
    """The tokenizer with a cache of words: the same ids, fast enough to generate the corpus during training."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self.tokenizer = tokenizer
        self.vocab_size = len(tokenizer)
        self._ids: dict[str, list[int]] = {
            token: [tokenizer.convert_tokens_to_ids(token)] for token in (*tokenizer.all_special_tokens, *THINK)
        }

    def __call__(self, text: str) -> list[int]:
        """The ids of a text of the micro-world, which may contain special tokens."""
        ids: list[int] = []
        for word in _WORD.findall(text):
            if word not in self._ids:
                self._ids[word] = self.tokenizer(word, add_special_tokens=False)["input_ids"]
            ids += self._ids[word]
        return ids


# Special tokens (a think tag absorbs the space before it), then the pieces of a byte-level pre-tokenizer for ASCII.
_WORD = re.compile(
    r"<\|[a-z]+\|>| ?</?think>|'(?:[stmd]|re|ve|ll)| ?[a-zA-Z]+| ?[0-9]+| ?[^\sa-zA-Z0-9<]+| ?<|\s+(?!\S)|\s+"
)


def rows(encoder: Encoder, mix: str, *, seed: int, step: int, count: int, max_length: int) -> list[Row]:
    """`count` full rows of max_length + 1 ids and weights."""
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
    """`count` documents of the base models' mix, as rows of text for continued pretraining."""
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
    """The document as rendered by the chat template; only assistant turns have a loss weight."""
    yield BOS, 0.0
    for message in messages(r, doc):
        content = _lines(message["content"]) + END
        if message["role"] == "assistant":
            yield "<|assistant|>", 0.0
            yield content, 1.0
        else:
            yield f"<|{message['role']}|>" + content, 0.0


def messages(r: random.Random, doc: Doc) -> list[dict[str, str]]:
    """The document as messages; the notes are part of the first user turn, in one of several layouts."""
    found = [{"role": "system", "content": r.choice(SYSTEMS)}] if r.random() < 0.15 else []
    for number, turn in enumerate(doc.turns):
        text = turn.question
        if number == 0 and doc.notes:
            text = r.choice(FORMS).replace("{q}", text).replace("{n}", _listed(r, doc.notes))
        found.append({"role": turn.role, "content": text})
        found.append({"role": "assistant", "content": answer_text(turn)})
    return found


def answer_text(turn: Turn) -> str:
    """The assistant turn: the thoughts, if any, and the answer."""
    return f"{THINK[0]} {turn.steps} {THINK[1]} {turn.answer}" if turn.steps else turn.answer


def _apart(r: random.Random, kind: str, split: Split) -> Doc:
    """A document none of whose prompts can be in a gold set.

    Most prompts contain a name, and names are split. Chains and patterns do not, so the hash of the prompt decides.
    """
    doc = DOCUMENTS[kind](r, split)
    if doc.family == "chains" and not belongs(skills.operations(doc.turns[0].question), split):
        return _apart(r, kind, split)
    if doc.family == "pattern" and not all(belongs(turn.question, split) for turn in doc.turns):
        return _apart(r, kind, split)
    return doc


def _listed(r: random.Random, notes: str) -> str:
    """Notes of several lines as plain lines, a bulleted list or a numbered list."""
    lines = notes.split("\n")
    style = r.choice(("plain", "dash", "number")) if len(lines) > 1 else "plain"
    if style == "plain":
        return notes
    return "\n".join(f"- {line}" if style == "dash" else f"[{number}] {line}" for number, line in enumerate(lines, 1))


def _lines(text: str) -> str:
    """The text with a space before every line, because word tokens begin with a space."""
    return " " + text.replace("\n", "\n ")


def _repeat(encoder: Encoder, r: random.Random) -> Row:
    """A span of random ids, three to six times: after the first time it can be predicted by copying."""
    span = [r.randrange(encoder.vocab_size) for _ in range(r.randint(3, 10))]
    times = r.randint(3, 6)
    return span * times, [QUESTION] * len(span) + [1.0] * len(span) * (times - 1)
