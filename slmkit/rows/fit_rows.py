"""Checks rows against a model before training: its chat template, the loss mask, and the length in tokens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, overload

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.steps import ChangedRow, CleanedRows, dropped_row
from slmkit.data.lengths import Lengths, OnOverflow, find_max_length, length_percentiles, rows_above_max_length
from slmkit.data.overflow import split_row
from slmkit.errors import counted
from slmkit.models.chat_template import folding_note, render_text, with_system
from slmkit.models.embedding_norms import embedding_norms
from slmkit.models.load import local_folder
from slmkit.rows.loss_mask import Chat
from slmkit.rows.preference_rows import one_class
from slmkit.rows.template_check import TemplateReport, Thinking, check_template
from slmkit.types import Message, ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH_ROWS = 1_000  # encodings are much larger than ids: 200,000 chats at once took 10 GB
_TEMPLATE_ROWS = 200  # rows whose masks are checked; a template fault shows in the first row of its kind
_FIXED_BY_TRAINING = ("untrained token",)  # if modules_to_save has the embedding, which only the training stage knows
_NO_LIMIT = 1_000_000  # transformers writes 1e30 if a tokenizer has no limit


@dataclass(frozen=True)
class Fit:
    """The rows that fit a model, and what its template makes of them."""

    done: CleanedRows
    lengths: list[int]  # tokens per row, before any row was dropped
    max_length: int
    report: TemplateReport | None  # None for plain text, which has no template
    notes: list[str] = field(default_factory=list)

    @property
    def mask(self) -> list[dict[str, Any]]:
        """The first row's tokens: text, whether it is in the loss, and whether it is a special token."""
        return self.report.mask if self.report else []

    @property
    def faults(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.report.faults] if self.report else []

    @property
    def metrics(self) -> dict[str, float]:
        found = length_percentiles(self.lengths)
        trained = {"trained_share": self.report.trained_share} if self.report else {}
        lengths = {f"length_{name}": value for name, value in asdict(found).items()}
        return {**trained, **lengths, "max_length": self.max_length}


def fit_template(
    rows: Sequence[CanonicalRow],
    *,
    model: ModelRef,
    instruction: str,
    max_length: int | Literal["auto"],
    on_overflow: OnOverflow,
    thinking: Thinking | None,
) -> Fit:
    """The rows that fit the model's template and length: chats, pairs, judged answers or plain texts.

    Raises: RefusedError if training on them would fail: no loss, an end of turn without loss, too many long rows.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(local_folder(model, weights=False)))
    notes: list[str] = []
    report = None
    values = [with_instruction(row.values, instruction) for row in rows]
    if "text" not in values[0]:
        chats = [
            Chat(row.id, row.where, messages, tools=list(row.tools))
            for row, its_values in zip(rows[:_TEMPLATE_ROWS], values, strict=False)
            for messages in conversations(its_values)
        ]
        report = check_template(tokenizer, chats, thinking=thinking, embedding_norms=embedding_norms(model))
        for fault in report.faults:
            if fault.severity == "error" and fault.name not in _FIXED_BY_TRAINING:
                raise fault.as_refusal()
            notes.append(f"{fault.name}: {fault.text}. Fix: {fault.fix}")
        labelled = "".join(piece for piece, on in report.pieces if on)
        share = f"the loss covers {report.trained_share:.0%} of the tokens; in the first row these are {labelled!r}"
        notes.append(f"template {report.template_hash}: {share}")
        notes += _chat_notes(tokenizer, values)
    lengths = _count(tokenizer, values, _Places(rows))
    if report is None and max_length == "auto" and on_overflow != "split":
        notes.append(
            f"{length_percentiles(lengths)}; texts are kept whole (on_overflow=split cuts them to the model's context)"
        )
        return Fit(CleanedRows(list(rows)), lengths, max(lengths), report, notes)
    most = find_max_length(lengths, max_length, min(tokenizer.model_max_length, _NO_LIMIT))
    done = _overflowed(rows, lengths, most, on_overflow, tokenizer, instruction)
    notes.append(f"{_why(most, max_length, length_percentiles(lengths))}{_counted(done)}")
    return Fit(done, lengths, most, report, notes)


def with_instruction(values: Mapping[str, Any], instruction: str) -> dict[str, Any]:
    """The row's values, with the instruction as system message if it is a chat or a pair without one."""
    key = "messages" if "messages" in values else "prompt"
    return {**values, key: with_system(values[key], instruction)} if key in values else dict(values)


def conversations(values: Mapping[str, Any]) -> list[list[Message]]:
    """The chats that a row trains on: one, or a prompt with each of its answers, earlier answers without loss."""
    if "messages" in values:
        return [values["messages"]]
    prompt = [turn | {"weight": 0} if turn["role"] == "assistant" else turn for turn in values["prompt"]]
    return [[*prompt, *values[name]] for name in ("chosen", "rejected", "completion") if name in values]


def _chat_notes(tokenizer: PreTrainedTokenizerBase, values: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the user should know about the rows: folded system turns, answers without loss, a single class."""
    chats = [chat for one in values for chat in conversations(one)]
    notes = [folding_note(tokenizer, chats)]
    untrained = [sum(turn.get("weight") == 0 for turn in chat) for chat in chats] if "messages" in values[0] else []
    if any(untrained):
        rows = counted(sum(map(bool, untrained)), "row")
        notes.append(f"{counted(sum(untrained), 'answer')} in {rows} have weight 0: they are shown, without loss")
    if num_tools := sum("tools" in one for one in values):
        notes.append(f"{num_tools:,} of {counted(len(values), 'row')} offer tools, which are in the prompt")
    if "label" in values[0]:
        notes.append(one_class([one["label"] for one in values]))
    return [note for note in notes if note]


class _Places(Sequence[str]):
    """The file and line of each row, made where they are needed: for 200,000 rows they take 20 MB."""

    def __init__(self, rows: Sequence[CanonicalRow]) -> None:
        self._rows = rows

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [row.where for row in self._rows[index]]
        return self._rows[index].where


def _count(tokenizer: PreTrainedTokenizerBase, values: Sequence[Mapping[str, Any]], where: Sequence[str]) -> list[int]:
    """The number of tokens per row, as the template renders it, of a pair's longer answer; on all cores."""
    backend = tokenizer.backend_tokenizer  # its encoding releases the interpreter lock
    backend.no_truncation()  # a tokenizer.json may enable either, which would change the counts
    backend.no_padding()

    def encoded_lengths(texts: list[str]) -> list[int]:
        return [len(encoding) for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]

    def count(start: int) -> list[int]:
        batch = values[start : start + _BATCH_ROWS]
        if "text" in batch[0]:
            return encoded_lengths([one["text"] for one in batch])
        chats = [conversations(one) for one in batch]
        tools = [one.get("tools") or () for one, its in zip(batch, chats, strict=True) for _ in its]
        places = [place for place, its in zip(where[start : start + _BATCH_ROWS], chats, strict=True) for _ in its]
        flat = [chat for its in chats for chat in its]
        lengths = iter(
            encoded_lengths(render_text(tokenizer, flat, tools=tools, where=places, add_generation_prompt=False))
        )
        return [max(next(lengths) for _ in its) for its in chats]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [length for lengths in pool.map(count, range(0, len(values), _BATCH_ROWS)) for length in lengths]


def _overflowed(
    rows: Sequence[CanonicalRow],
    lengths: Sequence[int],
    most: int,
    on_overflow: OnOverflow,
    tokenizer: PreTrainedTokenizerBase,
    instruction: str,
) -> CleanedRows:
    """The rows, with those above `most` tokens split or dropped."""
    split: dict[int, list[CanonicalRow]] = {}
    if on_overflow == "split":

        def count(values: dict[str, Any]) -> int:
            return _count(tokenizer, [with_instruction(values, instruction)], [""])[0]

        long = [i for i, length in enumerate(lengths) if length > most]
        split = {i: pieces for i in long if (pieces := split_row(rows[i], most, count))}
    whole = [0 if i in split else length for i, length in enumerate(lengths)]
    context = min(tokenizer.model_max_length, _NO_LIMIT)
    places = _Places(rows)
    several = [_has_parts(row) for row in rows]
    gone = set(
        rows_above_max_length(whole, most, on_overflow, context_length=context, can_split=several, where=places)
    )
    kept = [piece for i, row in enumerate(rows) if i not in gone for piece in split.get(i, [row])]
    changed = [
        ChangedRow("split", str(rows[i].file), rows[i].line, f"{lengths[i]} tokens", f"{len(pieces)} rows")
        for i, pieces in split.items()
    ]
    return CleanedRows(kept, [dropped_row(rows[i], f"longer than {most} tokens") for i in sorted(gone)], changed)


def _has_parts(row: CanonicalRow) -> bool:
    """Whether a row may be split: a chat with several user turns, or a text."""
    messages = row.values.get("messages")
    return messages is None or sum(message["role"] == "user" for message in messages) > 1


def _why(most: int, asked: int | Literal["auto"], found: Lengths) -> str:
    if asked != "auto":
        return f"{found}; max_length={most}" + ("" if most == asked else ", the model's limit")
    if most < found.p99:
        return f"{found}; max_length={most}, the model's limit"
    covered = "the longest row" if most >= found.max else "99% of the rows (the longest is more than twice as long)"
    return f"{found}; max_length={most} covers {covered}"


def _counted(done: CleanedRows) -> str:
    dropped = f"; {len(done.dropped):,} longer rows dropped" if done.dropped else ""
    split = f"; {len(done.changed):,} longer rows split (changed.jsonl)" if done.changed else ""
    return dropped + split
