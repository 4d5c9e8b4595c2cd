"""Rows held against a model before an hour is spent: its chat template, the loss mask, and their length in tokens."""

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
from slmkit.models.embedding_norms import embedding_norms
from slmkit.models.model_folder import model_folder
from slmkit.rows.loss_mask import Chat
from slmkit.rows.template_check import TemplateReport, Thinking, check_template
from slmkit.types import ModelRef

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_BATCH_ROWS = 1_000  # an encoding holds far more than ids: 200,000 chats at once took 10 GB
_TEMPLATE_ROWS = 200  # rows whose masks are checked; template faults show on the first of a kind
_MENDED_BY_TRAINING = ("untrained token",)  # where modules_to_save names the embedding, which only training knows
_NO_LIMIT = 1_000_000  # transformers writes 1e30 where a tokenizer names none


@dataclass(frozen=True)
class Fit:
    """What a model makes of some rows, and the rows that fit it."""

    done: CleanedRows
    lengths: list[int]  # tokens of each row, before anything was left out
    max_length: int
    report: TemplateReport | None  # None for plain text, which has no template
    notes: list[str] = field(default_factory=list)

    @property
    def mask(self) -> list[dict[str, Any]]:
        """The first row a token a line: its text, whether it carries loss, and whether it is a special token."""
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
    """The rows that fit the model's template and length, chats or plain texts.

    Raises: RefusedError where training on them would be spoilt: no loss, an end that is not learnt, too many too long.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(model_folder(model) or model.path))
    notes: list[str] = []
    report = None
    if "messages" in rows[0].values:
        chats = _chats(rows[:_TEMPLATE_ROWS], instruction)
        report = check_template(tokenizer, chats, thinking=thinking, embedding_norms=embedding_norms(model))
        for fault in report.faults:
            if fault.severity == "error" and fault.name not in _MENDED_BY_TRAINING:
                raise fault.as_refusal()
            notes.append(f"{fault.name}: {fault.text}; {fault.fix}")
        trained = "".join(piece for piece, on in report.pieces if on)
        share = f"{report.trained_share:.0%} of the tokens carry loss, first {trained!r}"
        notes.append(f"template {report.template_hash}: {share}")
    lengths = _count(tokenizer, [with_instruction(row.values, instruction) for row in rows])
    if report is None and max_length == "auto" and on_overflow != "split":
        notes.append(
            f"{length_percentiles(lengths)}; texts stay whole (on_overflow=split cuts them to the model's context)"
        )
        return Fit(CleanedRows(list(rows)), lengths, max(lengths), report, notes)
    most = find_max_length(lengths, max_length, min(tokenizer.model_max_length, _NO_LIMIT))
    done = _overflowed(rows, lengths, most, on_overflow, tokenizer, instruction)
    notes.append(f"{_why(most, max_length, length_percentiles(lengths))}{_counted(done)}")
    return Fit(done, lengths, most, report, notes)


def with_instruction(values: Mapping[str, Any], instruction: str) -> dict[str, Any]:
    """The values of a row with the instruction as system message, where it is a chat that has none."""
    messages = values.get("messages")
    if instruction and messages and messages[0]["role"] != "system":
        return {**values, "messages": [{"role": "system", "content": instruction}, *messages]}
    return dict(values)


def _chats(rows: Sequence[CanonicalRow], instruction: str) -> list[Chat]:
    return [Chat(row.id, row.where, with_instruction(row.values, instruction)["messages"]) for row in rows]


def _count(tokenizer: PreTrainedTokenizerBase, values: Sequence[Mapping[str, Any]]) -> list[int]:
    """The tokens of each row, chats as the template renders them; some rows at a time, on all cores."""
    backend = tokenizer.backend_tokenizer  # its encoding lets go of the interpreter lock
    backend.no_truncation()  # a tokenizer.json may hold either, and it would count
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
    """The rows with those above `most` tokens split or left out, as asked."""
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
        return f"{found}; max_length={most}" + ("" if most == asked else ", all that the model takes")
    if most < found.p99:
        return f"{found}; max_length={most}, all that the model takes"
    reason = "the longest row" if most >= found.max else "99 % of the rows: the longest is more than twice as long"
    return f"{found}; max_length={most} holds {reason}"


def _counted(done: CleanedRows) -> str:
    left = f"; leaves out {len(done.dropped):,} rows" if done.dropped else ""
    split = f"; {len(done.changed):,} longer rows were split (changed.jsonl)" if done.changed else ""
    return left + split
