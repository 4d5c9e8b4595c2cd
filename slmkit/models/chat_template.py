"""Messages to token ids: the only place that applies a chat template, so training and inference render alike."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from slmkit.errors import SlmkitError
from slmkit.models.template_traits import takes_system, tool_traits
from slmkit.text.fold_system import fold_system
from slmkit.types import Message

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Messages = Sequence[Mapping[str, Any]]  # each {"role": "system" | "user" | "assistant" | "tool", "content": ...}
Tools = Sequence[Sequence[Any]]  # of each chat


def render(
    tokenizer: PreTrainedTokenizerBase,
    chats: Sequence[Messages],
    *,
    tools: Tools = (),
    where: Sequence[str] = (),
    add_generation_prompt: bool = True,
) -> list[list[int]]:
    """The token ids of each chat, ending where the assistant's turn starts.

    The template writes the special tokens, so the tokenizer adds none; a model that has a beginning-of-sequence token
    gets exactly one. Raises: SlmkitError for a tokenizer without a template, or a template that refuses the messages.
    """
    texts = render_text(tokenizer, chats, tools=tools, where=where, add_generation_prompt=add_generation_prompt)
    rows: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    bos = tokenizer.bos_token_id
    if any(len(ids) > 1 and ids[0] == ids[1] == bos is not None for ids in rows):
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} writes {tokenizer.bos_token} twice",
            fix="remove one from its chat_template.jinja: with two, every answer changes",
        )
    return rows


def render_text(
    tokenizer: PreTrainedTokenizerBase,
    chats: Sequence[Messages],
    *,
    tools: Tools = (),
    where: Sequence[str] = (),
    add_generation_prompt: bool = True,
) -> list[str]:
    """The chats as the text that the model sees.

    tools: those of each chat, or none at all. where: the place of each chat, for errors, or none at all.
    """
    rows = zip(chats, tools or itertools.repeat(()), where or itertools.repeat(""), strict=False)
    options = {"tokenize": False, "add_generation_prompt": add_generation_prompt}
    if chats and tokenizer.chat_template and not any(tools) and not any(map(_has_calls, chats)):
        has_system = takes_system(tokenizer)
        plain = [chat if _is_plain(chat, has_system) else _as_template_wants(tokenizer, chat) for chat in chats]
        try:
            return list(tokenizer.apply_chat_template(plain, **options))  # at once: a third faster
        except Exception:  # one of them: the loop below finds which
            pass
    return [
        apply_template(tokenizer, chat, tools=its_tools, where=place, **options) for chat, its_tools, place in rows
    ]


def apply_template(
    tokenizer: PreTrainedTokenizerBase, chat: Messages, *, tools: Sequence[Any] = (), where: str = "", **options: Any
) -> Any:
    """What the tokenizer's apply_chat_template returns for a chat, written as its template wants it.

    Raises: SlmkitError with the place `where` if the template fails, or shows the model no tools or no calls.
    """
    if not tokenizer.chat_template:
        raise SlmkitError(
            f"the tokenizer of {tokenizer.name_or_path} has no chat template",
            fix="use the instruct version of the model as `model`, or fine-tune this one first",
        )
    calls = [call for message in chat for call in message.get("tool_calls") or ()]
    if tools or calls:
        _check_tools(tokenizer, tools, calls, where)
    try:
        found = tokenizer.apply_chat_template(
            _as_template_wants(tokenizer, chat), tools=list(tools) or None, **options
        )
    except Exception as error:  # a template is a program that comes with the model: it can raise anything
        raise _refusal(tokenizer, error, where) from error
    if (tools or calls) and isinstance(found, str) and (lost := _lost(found, tools, calls)):
        raise SlmkitError(
            f"the chat template of {tokenizer.name_or_path} leaves out {lost}",
            where=where,
            fix="remove it from the row, or use a `model` whose template renders it",
        )
    return found


def fold_if_refused(tokenizer: PreTrainedTokenizerBase, chat: Messages) -> list[Message]:
    """The chat as it is or, for a template without a system turn, each system turn at the start of the user's."""
    has_system = any(message["role"] == "system" for message in chat)
    return fold_system(chat) if has_system and not takes_system(tokenizer) else [dict(message) for message in chat]


def folding_note(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Messages]) -> str:
    """A sentence on the system turns that fold_if_refused moves; "" if it moves none."""
    has_system = any(message["role"] == "system" for chat in chats for message in chat)
    if not has_system or not tokenizer.chat_template or takes_system(tokenizer):
        return ""
    return (
        f"the chat template of {tokenizer.name_or_path} has no system turn: its text is put at the start of the user "
        "turn after it, in training and in prompts alike"
    )


def with_system(messages: Messages, instruction: str) -> list[Mapping[str, Any]]:
    """The messages with the instruction as system message, unless they have one of their own."""
    if not instruction or not messages or messages[0]["role"] == "system":
        return list(messages)
    return [{"role": "system", "content": instruction}, *messages]


def template_hash(template: object) -> str:
    """The first 12 hex digits of a chat template's sha256; two scores are comparable only if it is the same."""
    return hashlib.sha256(str(template).encode()).hexdigest()[:12]


def _as_template_wants(tokenizer: PreTrainedTokenizerBase, chat: Messages) -> list[Message]:
    """The chat with its system turn, its calls' arguments and ids as the template takes them, without loss marks."""
    messages = fold_if_refused(tokenizer, chat)
    for message in messages:
        message.pop("weight", None)
    if not _has_calls(messages):
        return messages
    traits = tool_traits(tokenizer)
    ids: dict[str, str] = {}
    open_ids: list[str] = []
    for message in messages:
        if calls := message.get("tool_calls"):
            message["tool_calls"] = written = [_call(call, as_text=traits.text_arguments) for call in calls]
            if traits.nine_characters:
                for number, call in enumerate(written, len(ids) + 1):
                    given = str(call.get("id", f"#{number}"))
                    call["id"] = ids.setdefault(given, f"{number:09d}")
                    open_ids.append(call["id"])
        elif message["role"] == "tool" and traits.nine_characters:
            known = ids.get(str(message.get("tool_call_id")), open_ids[0] if open_ids else f"{0:09d}")
            open_ids = [id for id in open_ids if id != known]
            message["tool_call_id"] = known
    return messages


def _is_plain(chat: Messages, has_system: bool) -> bool:
    """Whether a chat is already as every template wants it: roles and texts, in thousands of rows nearly always."""
    return all(
        len(message) == 2 and "content" in message and (has_system or message["role"] != "system") for message in chat
    )


def _has_calls(chat: Messages) -> bool:
    return any("tool_calls" in message for message in chat)


def _call(call: Mapping[str, Any], *, as_text: bool) -> dict[str, Any]:
    """A tool call with its arguments as JSON text or as an object."""
    arguments = call["function"].get("arguments") or {}
    if as_text and not isinstance(arguments, str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    elif not as_text and isinstance(arguments, str):
        arguments = json.loads(arguments)
    return {**call, "function": {**call["function"], "arguments": arguments}}


def _check_tools(
    tokenizer: PreTrainedTokenizerBase, tools: Sequence[Any], calls: Sequence[Mapping[str, Any]], where: str
) -> None:
    """Raises SlmkitError if the template shows no tools or no calls at all."""
    traits = tool_traits(tokenizer)
    if tools and not traits.shows_tools:
        lost, fix = "tools: the model would not see which ones it may call", "remove `tools` from the rows"
    elif calls and not traits.shows_calls:
        lost, fix = "tool calls: the model would see empty answers", "remove these rows"
    else:
        return
    raise SlmkitError(
        f"the chat template of {tokenizer.name_or_path} does not render {lost}",
        where=where,
        fix=f"use a `model` whose chat template takes tools, such as Qwen2.5-0.5B-Instruct, or {fix}",
    )


def _lost(text: str, tools: Sequence[Any], calls: Sequence[Mapping[str, Any]]) -> str:
    """The first tool or call that is not in the rendered text, white space and escapes aside; "" if all are."""
    squeezed = "".join(text.split())
    for tool in tools:
        name = _name(tool)
        if name and name not in squeezed:
            return f"the tool {name!r}"
    for call in calls:
        words = [_name(call), *_words(_call(call, as_text=False)["function"]["arguments"])]
        if not all(_is_in(word, squeezed) for word in words):
            return f"the call of {_name(call)!r}, or a part of it"
    return ""


def _name(of: Any) -> str:
    function = of.get("function", of) if isinstance(of, Mapping) else {}
    return "".join(str(function.get("name", "")).split())


def _words(value: Any) -> list[str]:
    """The keys and texts in the arguments of a call; numbers can be written in several ways."""
    if isinstance(value, Mapping):
        return [*map(str, value), *(word for one in value.values() for word in _words(one))]
    if isinstance(value, list):
        return [word for one in value for word in _words(one)]
    return [value] if isinstance(value, str) else []


def _is_in(word: str, squeezed: str) -> bool:
    forms = (word, json.dumps(word, ensure_ascii=False)[1:-1], json.dumps(word)[1:-1])
    return any("".join(form.split()) in squeezed for form in forms)


def _refusal(tokenizer: PreTrainedTokenizerBase, error: Exception, where: str) -> SlmkitError:
    from jinja2.exceptions import TemplateError

    named = str(error) if isinstance(error, TemplateError) else f"{type(error).__name__}: {error}"
    return SlmkitError(
        f"the chat template of {tokenizer.name_or_path} refuses these messages: {named}",
        where=where,
        fix="give it only the roles, in the order, that it accepts, or use another `model`",
    )
