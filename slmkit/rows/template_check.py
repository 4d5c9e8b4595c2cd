"""Shows what a chat template makes of training rows, and finds the faults that ruin a training run silently.

The loss masks of training (loss_mask.py) are compared with an independent truth: the position of each message's words
in the rendered text. The loss must include the assistant's words and the token that ends its turn, and nothing else.
The faults are those that users have met.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from slmkit.errors import RefusedError, SlmkitError
from slmkit.models.chat_template import fold_if_refused, render_text, template_hash
from slmkit.rows.loss_mask import IGNORED, Chat, is_trained, label_chats
from slmkit.rows.token_texts import token_texts
from slmkit.rows.turn_spans import turn_spans

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Thinking = Literal["off", "on", "mixed"]
_MARKER = re.compile(r"<\|[^\s<>|]{1,40}\|>|<(?:start|end)_of_turn>|\[/?INST\]")  # meant to be one token
_MIN_TRAINED_SHARE = 0.01


@dataclass(frozen=True)
class Fault:
    """A fault of a template; an error is refused before training starts."""

    severity: Literal["error", "warning"]
    name: str
    text: str
    where: str
    fix: str

    def as_refusal(self) -> RefusedError:
        return RefusedError(self.text, where=self.where, fix=self.fix)


@dataclass(frozen=True)
class TemplateReport:
    """The rows as training would see them, and the faults found."""

    faults: list[Fault]
    template_hash: str
    pieces: list[tuple[str, bool]]  # the first row's tokens as text, and whether each is in the loss
    lengths: list[int]  # tokens per row
    trained: list[int]  # labelled tokens per row
    prompt_ids: list[int] = field(default_factory=list)  # of the first row, to compare with where it is served
    specials: list[bool] = field(default_factory=list)  # which of the pieces are special tokens

    @property
    def mask(self) -> list[dict[str, str | bool]]:
        """The pieces as rows of a table."""
        return [
            {"token": piece, "trained": on, "special": special}
            for (piece, on), special in zip(self.pieces, self.specials, strict=True)
        ]

    @property
    def trained_share(self) -> float:
        return sum(self.trained) / max(1, sum(self.lengths))


def check_template(
    tokenizer: PreTrainedTokenizerBase,
    chats: Sequence[Chat],
    *,
    thinking: Thinking | None = None,
    expected_hash: str | None = None,
    embedding_norms: Sequence[float] | None = None,
) -> TemplateReport:
    """The faults of a tokenizer's template on these chats, errors first; a hundred chats are enough.

    `thinking` declares, for a reasoning template, whether the answers contain thoughts. `expected_hash` is the hash of
    the template used in training. `embedding_norms`, one per token, reveal special tokens that the base never learned.
    """
    faults: list[Fault] = []
    if not tokenizer.chat_template:
        where = str(tokenizer.name_or_path)
        fix = "use the instruct version of the model, or add a chat_template.jinja to the tokenizer's folder"
        text = "the tokenizer has no chat template"
        return TemplateReport([Fault("error", "no template", text, where, fix)], "", [], [], [])
    found_hash = template_hash(tokenizer.chat_template)
    if expected_hash and expected_hash != found_hash:
        text = f"the chat template is {found_hash}, but training used {expected_hash}"
        fix = "use the tokenizer that was saved with the trained model"
        faults.append(Fault("error", "another template", text, str(tokenizer.name_or_path), fix))
    faults += _thinking(tokenizer, chats, thinking)
    chats = [replace(chat, messages=fold_if_refused(tokenizer, chat.messages)) for chat in chats]
    pieces: list[tuple[str, bool]] = []
    specials: list[bool] = []
    lengths, trained, used = [], [], set()
    for chat in chats:
        try:
            text = _text(tokenizer, chat)
            (row,) = label_chats(tokenizer, [chat])
        except SlmkitError as error:
            faults.append(Fault("error", "refused", error.what, error.where or chat.where, error.fix))
            continue
        on = [label != IGNORED for label in row.labels]
        faults += _mask_faults(tokenizer, chat, text, row.input_ids, on)
        faults += _start_faults(tokenizer, chat, row.input_ids)
        lengths.append(len(row.input_ids))
        trained.append(sum(on))
        used.update(row.input_ids)
        if not pieces:
            first = chat
            pieces = list(zip(token_texts(tokenizer, row.input_ids), on, strict=True))
            specials = [i in tokenizer.all_special_ids for i in row.input_ids]
    median = statistics.median(on / whole for on, whole in zip(trained, lengths, strict=True)) if lengths else 1.0
    if median < _MIN_TRAINED_SHARE:  # per row: over all tokens, one huge row would decide
        text = f"in half the rows, at most {median:.2%} of the tokens are included in the loss"
        fix = "shorten the prompts: most of the compute would go to tokens outside the loss"
        faults.append(Fault("error", "little trained", text, chats[0].where, fix))
    if pieces:
        faults += _token_faults(tokenizer, first, used, embedding_norms)
    prompt_ids = _prompt_ids(tokenizer, first) if pieces else []
    return TemplateReport(_merged(faults), found_hash, pieces, lengths, trained, prompt_ids, specials)


def _mask_faults(
    tokenizer: PreTrainedTokenizerBase, chat: Chat, text: str, input_ids: list[int], on: list[bool]
) -> list[Fault]:
    """Where the loss mask differs from the assistant's words and the token that ends its turn."""
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    if encoded["input_ids"] != input_ids:
        fix = "let the template write every special token, and tokenize its text with add_special_tokens=False"
        text_ = "tokenizing the rendered text gives other tokens than the template"
        return [Fault("error", "rendering", text_, chat.where, fix)]
    spans = turn_spans(tokenizer, chat.messages, text, tools=chat.tools)
    faults = []
    owner: list[int | None] = [None] * len(text)  # which message each character of the text belongs to
    for turn, span in enumerate(spans):
        if chat.messages[turn].get("tool_calls"):
            if span is None:
                return []  # rendered differently, as gpt-oss does: nothing to compare with
            if "".join(chat.messages[turn]["content"].split()) not in "".join(text[slice(*span)].split()):
                fix = "remove these words, or accept that the model sees and learns the call alone"
                text_ = "the words beside a tool call are missing from the rendered text"
                faults.append(Fault("warning", "lost words", text_, chat.where, fix))
        if span is None:
            name = chat.messages[turn]["role"]
            fix = "inspect the rendered text: the template changes or drops this turn's content"
            text_ = f"the {name} turn is missing from the rendered text"
            faults.append(Fault("warning", "lost turn", text_, chat.where, fix))
            continue
        owner[span[0] : span[1]] = [turn] * (span[1] - span[0])
    special = set(tokenizer.all_special_ids)
    offsets = encoded["offset_mapping"]
    ended: dict[int, bool] = {}  # assistant turn -> whether the token that ends it is in the loss
    last: int | None = None
    for i, (start, stop) in enumerate(offsets):
        said_by = next((turn for turn in owner[start:stop] if turn is not None), None)
        if said_by is not None:
            last = said_by
            is_answer = is_trained(chat.messages[said_by])
            if on[i] and not is_answer:
                fix = "mark only the assistant's words with {% generation %} in the template"
                faults.append(Fault("error", "prompt trained", "loss falls on the prompt", chat.where, fix))
            elif not on[i] and is_answer and text[start:stop].strip():
                fix = "put {% generation %} marks around the assistant's words in the template"
                faults.append(
                    Fault("error", "answer not trained", "an answer is not included in the loss", chat.where, fix)
                )
        elif input_ids[i] in special and last is not None and chat.messages[last]["role"] == "assistant":
            ended.setdefault(last, on[i])
        elif on[i] and text[start:stop].strip():
            faults.append(_template_trained(chat, text[start:stop], text))
    for turn, message in enumerate(chat.messages):
        if is_trained(message) and spans[turn] is not None and not ended.get(turn, False):
            fix = "put the end-of-turn token inside {% generation %}, or set another eos_token"
            text_ = "an answer's end-of-turn token is not included in the loss, so the model would not learn to stop"
            faults.append(Fault("error", "end not learned", text_, chat.where, fix))
    return faults


def _template_trained(chat: Chat, piece: str, text: str) -> Fault:
    if "<think>" in text and ("think" in piece or piece in ("<", ">", "</")):
        fix = "add thoughts to the rows and set thinking=on, or use a template that writes none"
        return Fault(
            "error", "thinking trained", "the template adds thoughts that are not in the answers", chat.where, fix
        )
    fix = "move the template's own text out of {% generation %}"
    return Fault("warning", "template trained", f"loss falls on the template's own {piece!r}", chat.where, fix)


def _start_faults(tokenizer: PreTrainedTokenizerBase, chat: Chat, input_ids: list[int]) -> list[Fault]:
    bos = tokenizer.bos_token_id
    if bos is None:
        return []
    count = 0
    while count < len(input_ids) and input_ids[count] == bos:
        count += 1
    if count > 1:
        fix = "remove one from the chat template: with two, every answer changes"
        text = f"the row starts with {tokenizer.bos_token} {count} times"
        return [Fault("error", "doubled start", text, chat.where, fix)]
    if count == 0 and tokenizer("a")["input_ids"][0] == bos:
        fix = "start the chat template with {{ bos_token }}"
        return [Fault("warning", "no start", f"{tokenizer.bos_token} is missing at the start", chat.where, fix)]
    return []


def _thinking(tokenizer: PreTrainedTokenizerBase, chats: Sequence[Chat], thinking: Thinking | None) -> list[Fault]:
    if "<think>" not in str(tokenizer.chat_template):
        return []
    turns = [message for chat in chats for message in chat.messages if message["role"] == "assistant"]
    num_thinking = sum("<think>" in str(turn.get("content")) or bool(turn.get("reasoning_content")) for turn in turns)
    where = chats[0].where if chats else str(tokenizer.name_or_path)
    seen = "on" if num_thinking == len(turns) else "mixed" if num_thinking else "off"
    if thinking is None:
        text = f"reasoning template: {num_thinking} of {len(turns)} answers contain thoughts"
        return [Fault("error", "thinking undeclared", text, where, f"set thinking={seen} if that is intended")]
    if thinking != seen:
        text = f"thinking={thinking}, but {num_thinking} of {len(turns)} answers contain thoughts"
        return [Fault("error", "thinking", text, where, f"set thinking={seen}, or change the rows")]
    return []


def _token_faults(
    tokenizer: PreTrainedTokenizerBase,
    chat: Chat,
    used: set[int],
    embedding_norms: Sequence[float] | None,
) -> list[Fault]:
    """Markers that are not one token, and special tokens that the base never learned.

    A pad token that is also the end token is none: padding is masked by its place, and the mask was checked above.
    """
    faults = []
    where = str(tokenizer.name_or_path)
    text = _text(tokenizer, chat)
    said = f"{chat.messages} {chat.tools}"
    for marker in dict.fromkeys(_MARKER.findall(text)):
        ids = tokenizer(marker, add_special_tokens=False)["input_ids"]
        if len(ids) > 1 and marker not in said and not marker.endswith("INST]"):
            fix = "use the tokenizer of this template, or the template of this tokenizer"
            text_ = f"the template's {marker} is {len(ids)} tokens, not one, so the base model does not know it"
            faults.append(Fault("error", "unknown marker", text_, where, fix))
    if embedding_norms is not None:
        ordered = sorted(embedding_norms)
        low = ordered[len(ordered) // 2] * 0.25
        for i in sorted(used & set(tokenizer.all_special_ids)):
            if i >= len(embedding_norms) or embedding_norms[i] < low:
                token = tokenizer.convert_ids_to_tokens(i)
                fix = 'train it too: lora: {modules_to_save: ["embed_tokens", "lm_head"]}, or use the instruct model'
                text_ = f"the base model never learned {token}: its embedding is far shorter than the others"
                faults.append(Fault("error", "untrained token", text_, where, fix))
    return faults


def _prompt_ids(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> list[int]:
    """The prompt of the first answer that has one; a chat may begin with a greeting."""
    messages = chat.messages
    answers = [i for i, message in enumerate(messages) if message["role"] == "assistant" and i]
    (text,) = render_text(tokenizer, [messages[: answers[0] if answers else len(messages)]], tools=[chat.tools])
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def _text(tokenizer: PreTrainedTokenizerBase, chat: Chat) -> str:
    (text,) = render_text(
        tokenizer, [chat.messages], tools=[chat.tools], where=[chat.place], add_generation_prompt=False
    )
    return text


def _merged(faults: Sequence[Fault]) -> list[Fault]:
    """Equal faults merged into the first, with the number of rows; errors first."""
    rows: dict[tuple[str, str], set[str]] = {}
    first: dict[tuple[str, str], Fault] = {}
    for fault in faults:
        key = (fault.name, fault.text)
        first.setdefault(key, fault)
        rows.setdefault(key, set()).add(fault.where)
    merged = [
        replace(fault, text=f"{fault.text} ({len(rows[key]):,} rows)") if len(rows[key]) > 1 else fault
        for key, fault in first.items()
    ]
    return sorted(merged, key=lambda fault: fault.severity != "error")
