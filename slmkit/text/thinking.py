"""The thinking that a reasoning model writes before its answer, recognised by the tags around it.

Only what stands before the answer counts: tags inside an answer are part of it. A closing tag without an opening one
counts if the prompt opened the thinking, or if it begins or ends a line, as models write it.
"""

from __future__ import annotations

import re

_TAGS = [  # opening and closing, as the chat templates of the models write them; the last is of gpt-oss
    (r"<think>", r"</think>"),  # DeepSeek-R1, Qwen3, SmolLM3 and most others
    (r"<thinking>", r"</thinking>"),
    (r"<thought>", r"</thought>"),  # Gemini
    (r"<seed:think>", r"</seed:think>"),
    (r"\[THINK\]", r"\[/THINK\]"),  # Magistral
    (r"◁think▷", r"◁/think▷"),  # Kimi
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),  # Command A
    (r"<\|channel\|>analysis<\|message\|>", r"(?:<\|end\|><\|start\|>assistant)?<\|channel\|>final<\|message\|>"),
]
_OPENED = [(re.compile(rf"\s*{first}", re.IGNORECASE), re.compile(last, re.IGNORECASE)) for first, last in _TAGS]
_AT_END = [re.compile(rf"{first}\s*$", re.IGNORECASE) for first, _ in _TAGS]
# A template may put the opening tag into the prompt: the reply then has only the closing one.
_LAST = "|".join(last for _, last in _TAGS)
_CLOSED = re.compile(_LAST, re.IGNORECASE)
_CLOSED_AT_LINE = re.compile(rf"^[ \t]*+(?:{_LAST})|(?:{_LAST})(?=[ \t]*+\r?\n)", re.IGNORECASE | re.MULTILINE)
_OPENING = re.compile("|".join(first for first, _ in _TAGS), re.IGNORECASE)
_ANY = re.compile("|".join(tag for pair in _TAGS for tag in pair), re.IGNORECASE)

LONGEST_TAG = 16  # tokens, at most, of an opening tag and the line breaks after it


def split_thinking(text: str, *, opened: bool = False) -> tuple[str, str, bool]:
    """The answer, the thinking before it, and whether the text ends inside the thinking.

    Example: "<think>Barn?</think>the attic" -> ("the attic", "Barn?", False); "Barn?\\n</think>the attic" is the same;
    "<think>Barn" -> ("", "Barn", True). A text without thinking is returned as it is.
    opened: the prompt opened the thinking, so "Barn?</think>the attic" is the same too. To split an answer a second
    time would take tags of the answer for thinking.
    """
    found: list[str] = []
    rest = text
    while block := next(((last, match) for first, last in _OPENED if (match := first.match(rest))), None):
        last, opening = block
        closing = last.search(rest, opening.end())
        if closing is None:
            return "", "\n\n".join([*found, rest[opening.end() :].strip()]), True
        found.append(rest[opening.end() : closing.start()].strip())
        rest = rest[closing.end() :]
    closing = None if found else (_CLOSED if opened else _CLOSED_AT_LINE).search(rest)
    if closing and not _OPENING.search(rest, 0, closing.start()):
        found.append(rest[: closing.start()].strip())
        rest = rest[closing.end() :]
    if not found:
        return text, "", False
    return rest.strip(), "\n\n".join(part for part in found if part), False


def open_tag(prompt: str) -> str:
    """The tag at the end of a prompt that opens the thinking, as some chat templates write it, or ""."""
    return next((match.group() for tag in _AT_END if (match := tag.search(prompt))), "").strip()


def has_thinking_tags(text: str) -> bool:
    """Whether a text holds any such tag: a target with tags asks for the thinking too."""
    return _ANY.search(text) is not None
