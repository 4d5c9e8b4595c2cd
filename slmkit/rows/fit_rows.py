"""Checks rows against a model before training: its chat template, the loss mask, and the length in tokens."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from slmkit.data.canonical_row import CanonicalRow
from slmkit.data.cleaning.steps import ChangedRow, CleanedRows, dropped_row
from slmkit.data.lengths import Lengths, OnOverflow, find_max_length, length_percentiles, rows_above_max_length
from slmkit.data.overflow import split_row
from slmkit.models.chat_template import with_system
from slmkit.models.embedding_norms import embedding_norms
from slmkit.models.model_folder import model_folder
from slmkit.rows.loss_mask import Chat
from slmkit.rows.template_check import TemplateReport, Thinking, check_template
from slmkit.types import ModelRef

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
    """The rows, chats or plain texts, that fit the model's template and length.

    Raises: RefusedError if training on them would fail: no loss, an end of turn without loss, too many long rows.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model_folder(model) or model.path))
    notes: list[str] = []
    report = None
    if "messages" in rows[0].values:
        chats = _chats(rows[:_TEMPLATE_ROWS], instruction)
        report = check_template(tokenizer, chats, thinking=thinking, embedding_norms=embedding_norms(model))
        for fault in report.faults:
            if fault.severity == "error" and fault.name not in _FIXED_BY_TRAINING:
                raise fault.as_refusal()
            notes.append(f"{fault.name}: {fault.text}. Fix: {fault.fix}")
        labelled = "".join(piece for piece, on in report.pieces if on)
        share = f"the loss covers {report.trained_share:.0%} of the tokens; in the first row these are {labelled!r}"
        notes.append(f"template {report.template_hash}: {share}")
    lengths = _count(tokenizer, [with_instruction(row.values, instruction) for row in rows])
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
    """The row's values, with the instruction as system message if it is a chat without one."""
    messages = values.get("messages")
    return {**values, "messages": with_system(messages, instruction)} if messages else dict(values)


def _chats(rows: Sequence[CanonicalRow], instruction: str) -> list[Chat]:
    return [Chat(row.id, row.where, with_instruction(row.values, instruction)["messages"]) for row in rows]


def _count(tokenizer: PreTrainedTokenizerBase, values: Sequence[Mapping[str, Any]]) -> list[int]:
    """The number of tokens per row, of chats as the template renders them; in batches, on all cores."""
    backend = tokenizer.backend_tokenizer  # its encoding releases the interpreter lock
    backend.no_truncation()  # a tokenizer.json may enable either, which would change the counts
    backend.no_padding()

    def count(start: int) -> list[int]:
        batch = values[start : start + _BATCH_ROWS]
        if "messages" in batch[0]:
            texts = tokenizer.apply_chat_template([one["messages"] for one in batch], tokenize=False)
        else:
            texts = [one["text"] for one in batch]
        return [len(encoding) for encoding in backend.encode_batch_fast(texts, add_special_tokens=False)]

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
            return _count(tokenizer, [with_instruction(values, instruction)])[0]

        long = [i for i, length in enumerate(lengths) if length > most]
        split = {i: pieces for i in long if (pieces := split_row(rows[i], most, count))}
    whole = [0 if i in split else length for i, length in enumerate(lengths)]
    gone = set(rows_above_max_length(whole, most, on_overflow, where=[row.where for row in rows]))
    kept = [piece for i, row in enumerate(rows) if i not in gone for piece in split.get(i, [row])]
    changed = [
        ChangedRow("split", str(rows[i].file), rows[i].line, f"{lengths[i]} tokens", f"{len(pieces)} rows")
        for i, pieces in split.items()
    ]
    return CleanedRows(kept, [dropped_row(rows[i], f"longer than {most} tokens") for i in sorted(gone)], changed)


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
