"""Decides what is the same question.

Two questions are the same if their whole conversations are: system turn, history, tools and last user turn, letter by
letter (Unicode NFC, outer white space aside). Only such rows are duplicates, and only they can be aliases.

Texts are alike if their loose forms are equal: letter case, white space and ordinary punctuation are ignored, but no
digit, sign or symbol, because these change what is asked: "14 + 7 =" and "14 - 7 =", "C" and "C#". Alike texts can be
a leak or a near duplicate, and they stay on the same side of a split; they are never the same question.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from slmkit.text.html_marks import unwrapped
from slmkit.text.markdown_marks import unmarked
from slmkit.text.words import UNSPACED, spelled_alike

_DROPPED = "!\"'`,.:;?"  # ordinary punctuation; a quote or comma says how a text is written, not what it asks
_MARKS = "*_~#> \t\n\r"  # of Markdown or spaces, in front of a text
_DROP = dict.fromkeys(map(ord, _DROPPED))
_BETWEEN_DIGITS = re.compile(r"(?<=\d)[.,:](?=\d)")  # 4.50, 1,000 and 9:30 are not 450, 1000 and 930
_BEFORE_DIGIT = re.compile(r"[.,:](?=\d)")  # a search for this alone is four times as fast
_MINUS = re.compile(r"-(?=\s*\d)")  # any other is a hyphen or a dash: "e-mail" is written "email" too
_KEPT = {".": "\x01", ",": "\x02", ":": "\x03"}  # control characters, while the others are dropped
_RESTORED = str.maketrans({mark: sign for sign, mark in _KEPT.items()})
_UNSPACED = re.compile(f"([{UNSPACED}])")  # each character is a word
_SYLLABLE_ENDS = "\u0f0b\u0f0c"  # Tibetan writes these between syllables, which are its words here


class Conversation(Protocol):
    """A question as it is asked: the messages up to the answer, and the tools that the model may call."""

    @property
    def conversation(self) -> Sequence[Mapping[str, Any]]: ...

    @property
    def tools(self) -> Sequence[Any]: ...


class Question(NamedTuple):
    """A question for comparison: the last user turn, and a hash of the rest of its conversation."""

    text: str
    rest: str = ""  # "" if there is nothing but the text

    @property
    def key(self) -> str:
        """16 hex digits that are equal for the same question, and for no other."""
        return text_hash(self.text, self.rest) if self.rest else text_hash(self.text)

    @property
    def split_key(self) -> str:
        """The text that decides on which side of a split the question is: alike questions are on the same side."""
        return f"{self.text} {self.rest}" if self.rest else self.text


def question_of(asked: Conversation) -> Question:
    """The question that a conversation asks."""
    return question_in(asked.conversation, asked.tools)


def questions_of(asked: Iterable[Conversation]) -> list[Question]:
    """The question of each conversation."""
    return [question_of(one) for one in asked]


def question_in(messages: Sequence[Mapping[str, Any]], tools: Sequence[Any] = ()) -> Question:
    """The question of some messages: the last user turn, and all others with the tools as its rest."""
    last = next((i for i in range(len(messages) - 1, -1, -1) if messages[i].get("role") == "user"), None)
    text = "" if last is None else str(messages[last].get("content") or "")
    if last == 0 and len(messages) == 1 and not tools:
        return Question(text)
    others = [_said(message) if i != last else ["user"] for i, message in enumerate(messages)]
    return Question(text, text_hash(_canonical([others, list(tools)])))


def alike_key(question: Question) -> tuple[str, str]:
    """What two alike questions have in common: the loose form of the text, and the rest of the conversation."""
    return loose(question.text), question.rest


def leak_question(asked: Conversation) -> Question:
    """The question without its tools, for the search for leaks.

    With other tools it is another question, and may have another answer. It is a leak all the same: a model trained on
    it has seen the words of the gold question and what came before them.
    """
    if asked.tools:
        return question_in(asked.conversation)
    return getattr(asked, "question", None) or question_of(asked)  # rows keep theirs


def leak_questions(asked: Iterable[Conversation]) -> list[Question]:
    """The leak_question of each conversation."""
    return list(map(leak_question, asked))


def leak_key(asked: Conversation) -> tuple[str, str]:
    """The alike_key of a gold question without its tools: asked with others or with none, it is in alike_keys too."""
    return alike_key(leak_question(asked))


def alike_keys(messages: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """The leak_key of every question in a conversation, which a model trained on it learns to answer.

    These are all its user turns with what comes before them, also without the system turn, since training adds one;
    and each text of four or more words alone, since a gold question can be asked in the middle of a conversation.
    Each message is hashed once, so a conversation of thousands of turns is fast.
    """
    has_system = bool(messages) and messages[0].get("role") == "system"
    whole, without_system = _Rest(), _Rest()
    for i, message in enumerate(messages):
        if message.get("role") == "user":
            text, rest = loose(str(message.get("content") or "")), whole.hash() if i else ""
            yield text, rest
            if has_system and i > 1:
                yield text, without_system.hash()
            if rest and (text.count(" ") >= 3 or (i == 1 and has_system)):
                yield text, ""
        whole.add(message)
        if i or not has_system:
            without_system.add(message)


class _Rest:
    """The rest of the question that some messages and one more user turn ask, as question_in gives it."""

    def __init__(self) -> None:
        self._sha256 = hashlib.sha256(b"[[")

    def add(self, message: Mapping[str, Any]) -> None:
        said = exact(_canonical(_said(message)))  # NFC of each is NFC of all: a list begins and ends with a bracket
        self._sha256.update(f"{said}, ".encode("utf-8", "surrogatepass"))

    def hash(self) -> str:
        sha256 = self._sha256.copy()
        sha256.update(b'["user"]], []]')
        return sha256.hexdigest()[:16]


def exact(text: str) -> str:
    """The text in Unicode NFC, without outer white space: two texts are the same if this form is."""
    return text.strip() if text.isascii() else unicodedata.normalize("NFC", text).strip()


def loose(text: str) -> str:
    """The text in lower case, as words with single spaces, without ordinary punctuation; signs and digits stay.

    Example: "Where's my  CARD?" -> "wheres my card"; "14 + 7 = ?" -> "14 + 7 ="; "C++" -> "c++".
    A text of punctuation only is unchanged: "?!" -> "?!". What many writers of a script omit goes too: vowel marks of
    Arabic, the dots of ё, Hindi's nukta (see slmkit.text.words); so do HTML tags around the text, and entities are
    decoded (see slmkit.text.html_marks), and marks of Markdown around it (see slmkit.text.markdown_marks), what is not
    shown, and letters of another script in a word that look like its own (see slmkit.text.look_alikes).
    """
    shown = unwrapped(text) if "&" in text or "<" in text else text
    plain = spelled_alike(unmarked(shown) if shown[:1] in _MARKS else shown)
    if "\u2212" in plain:
        plain = plain.replace("\u2212", "-")
    if "-" in plain:
        plain = _MINUS.sub("\x04", plain).replace("-", "").replace("\x04", "-")
    if _BEFORE_DIGIT.search(plain):
        plain = _BETWEEN_DIGITS.sub(lambda mark: _KEPT[mark[0]], plain)
        plain = _without_dropped(plain).translate(_RESTORED)
    else:
        plain = _without_dropped(plain)
    if not plain.isascii():
        plain = _UNSPACED.sub(r" \1 ", "".join(map(_without_punctuation, plain)))
    return " ".join(plain.split()) or " ".join(text.split())


def marks(words: Iterable[str]) -> list[str]:
    """The words with a digit or a sign, in order: texts that differ in these ask something else."""
    return [word for word in words if not word.isalpha() and not _is_spelled(word)]


def without_marks(words: Iterable[str]) -> list[str]:
    """The words without a digit or a sign."""
    return [word for word in words if word.isalpha() or _is_spelled(word)]


def text_hash(*texts: str) -> str:
    """16 hex digits that are the same for the same texts, on every machine."""
    return _hash(map(exact, texts))


def loose_hash(*texts: str) -> str:
    """16 hex digits that are the same for texts that are alike, on every machine."""
    return _hash(map(loose, texts))


def _hash(texts: Iterable[str]) -> str:
    return hashlib.sha256("\x1f".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _said(message: Mapping[str, Any]) -> list[Any]:
    """What a message says: role, text and tool calls, without ids and without marks for the loss."""
    content = message.get("content")
    said = [message.get("role"), exact(content) if isinstance(content, str) else content]
    if calls := message.get("tool_calls"):
        said.append([call.get("function", call) if isinstance(call, Mapping) else call for call in calls])
    if name := message.get("name"):
        said.append(name)
    return said


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)


def _without_dropped(text: str) -> str:
    if text.isascii():  # bytes are six times as fast
        return text.encode("ascii").translate(None, _DROPPED.encode("ascii")).decode("ascii")
    return text.translate(_DROP)


def _without_punctuation(character: str) -> str:
    """A character, or nothing if it is punctuation outside ASCII."""
    if character.isascii() or character.isalnum():
        return character
    if character in _SYLLABLE_ENDS:
        return " "
    return "" if unicodedata.category(character)[0] == "P" else character


def _is_spelled(word: str) -> bool:
    """Whether a word has letters and combining marks only, such as Hindi's vowel signs."""
    return all(character.isalpha() or unicodedata.category(character)[0] in "MC" for character in word)
