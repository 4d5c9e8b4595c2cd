"""The records of Parquet and Arrow files, with their row numbers, as values that JSON has."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slmkit.data.reading.class_names import class_features, class_note, renamer
from slmkit.data.reading.find_files import OnNote
from slmkit.data.reading.open_file import suffix_of
from slmkit.data.reading.place import Record
from slmkit.data.reading.plain_values import plain
from slmkit.errors import SlmkitError

if TYPE_CHECKING:
    import pyarrow

Change = Callable[[Any], Any]  # a column's value to the one that JSON has

_BATCH = 1024  # rows
_UNCONVERTIBLE = (ValueError, OverflowError, NotImplementedError)  # those of pyarrow are among them


def arrow_rows(file: Path, root: Path, *, on_note: OnNote) -> Iterator[tuple[dict[str, Any], int]]:
    """The records, with dates as text, bytes decoded, NaN missing, and class ids replaced by their names.

    Whole numbers in a column of floats with missing values, as pandas writes them, are integers again. Images and
    sounds are left out. Each of these is reported.
    """
    import pyarrow

    number = 0
    try:
        schema, batches = _open(file)
        _check_names(file, schema)
        media = [field.name for field in schema if _is_media(field.type)]
        if media:
            on_note(f"{file.name}: images and sounds are not read: {', '.join(media)}")
        whole = _whole_numbers(file, schema)
        if whole:
            names = ", ".join(map(repr, whole))
            on_note(f"{file.name}: {names}: floats with missing values, all whole numbers, read as integers")
        classes = class_features(file, root, schema.metadata)
        if named := {name: feature for name, feature in classes.items() if name in schema.names}:
            on_note(class_note(file.name, named))
        change = {field.name: step for field in schema if (step := _change(field, whole, named))}
        for batch in batches:
            kept = batch.drop_columns(media) if media else batch
            for values in _as_objects(kept, file, number):
                number += 1
                if change:
                    _apply(change, values, file, number)
                yield values, Record(number)
    except pyarrow.ArrowNotImplementedError as error:
        raise SlmkitError(
            f"pyarrow does not support a type or codec of this file: {str(error).splitlines()[0]}",
            where=str(file),
            fix="export the file again with plain columns, or as .jsonl",
        ) from None
    except (pyarrow.ArrowInvalid, OSError) as error:
        kind = suffix_of(file)[1:].title()
        raise SlmkitError(
            f"not a valid {kind} file: {str(error).splitlines()[0]}",
            where=f"{file}:{Record(number + 1)}",
            fix="export the file again",
        ) from None


def _check_names(file: Path, schema: pyarrow.Schema) -> None:
    """Refuses two columns of one name, of which a row could hold only one."""
    name, count = max(Counter(schema.names).items(), key=lambda item: item[1], default=("", 0))
    if count > 1:
        raise SlmkitError(
            f"{count} columns are named {name!r}", where=str(file), fix="export the file again with a name for each"
        )


def _apply(change: Mapping[str, Change], values: dict[str, Any], file: Path, number: int) -> None:
    for name, step in change.items():
        try:
            values[name] = step(values[name])
        except ValueError as error:
            fix = f"correct the column {name!r}, or export the file without it"
            where = f"{file}:{Record(number)}"
            raise SlmkitError(f"{name!r} holds {error}", where=where, fix=fix) from None


def _open(file: Path, columns: list[str] | None = None) -> tuple[pyarrow.Schema, Iterator[pyarrow.RecordBatch]]:
    """The schema and the records of a Parquet file, an Arrow stream as `datasets` writes it, or an Arrow file."""
    import pyarrow
    import pyarrow.parquet

    if suffix_of(file) == ".parquet":
        parquet = pyarrow.parquet.ParquetFile(file)
        return parquet.schema_arrow, parquet.iter_batches(batch_size=_BATCH, columns=columns)
    source = pyarrow.memory_map(str(file))
    if bytes(source.read(6)) == b"ARROW1":
        table = pyarrow.ipc.open_file(source)
        batches = (table.get_batch(i) for i in range(table.num_record_batches))
    else:
        source.seek(0)
        table = pyarrow.ipc.open_stream(source)
        batches = iter(table)
    return table.schema, (batch.select(columns) if columns else batch for batch in batches)


def _change(field: pyarrow.Field, whole: list[str], classes: dict[str, Any]) -> Change | None:
    """What makes a column's values those that JSON has; None for most columns."""
    if field.name in classes:
        return renamer(classes[field.name])
    if _is_media(field.type):
        return None
    if field.name in whole:
        return lambda value: None if value is None or math.isnan(value) else int(value)
    if _has_map(field.type):
        return lambda value: plain(_with_dicts(value))
    return plain if _is_odd(field.type) else None


def _is_odd(type: pyarrow.DataType) -> bool:
    """Whether values of the type may be other than texts, integers, booleans, lists and records of them."""
    import pyarrow.types as is_a

    if is_a.is_dictionary(type):
        return _is_odd(type.value_type)
    if is_a.is_nested(type):
        return any(_is_odd(type.field(i).type) for i in range(type.num_fields))
    return not (
        is_a.is_string(type)
        or is_a.is_large_string(type)
        or is_a.is_string_view(type)
        or is_a.is_integer(type)
        or is_a.is_boolean(type)
        or is_a.is_null(type)
    )


def _has_map(type: pyarrow.DataType) -> bool:
    import pyarrow.types as is_a

    return is_a.is_map(type) or (
        is_a.is_nested(type) and any(_has_map(type.field(i).type) for i in range(type.num_fields))
    )


def _with_dicts(value: Any) -> Any:
    """A map, which arrives as a list of pairs, as an object."""
    if isinstance(value, list):
        if value and all(isinstance(pair, tuple) and len(pair) == 2 for pair in value):
            return {key: _with_dicts(part) for key, part in value}
        return [_with_dicts(part) for part in value]
    if isinstance(value, dict):
        return {key: _with_dicts(part) for key, part in value.items()}
    return value


def _is_media(type: pyarrow.DataType) -> bool:
    """Whether a column holds images or sounds as `datasets` stores them."""
    import pyarrow.types as is_a

    if not is_a.is_struct(type):
        return is_a.is_list(type) and _is_media(type.value_type)
    names = {type.field(i).name for i in range(type.num_fields)}
    return names == {"bytes", "path"} and "binary" in str(type.field("bytes").type)


def _as_objects(batch: pyarrow.RecordBatch, file: Path, before: int) -> list[dict[str, Any]]:
    """The records as Python objects. Raises SlmkitError naming the column that Python has no values for."""
    try:
        found: list[dict[str, Any]] = _readable(batch).to_pylist()
        return found
    except _UNCONVERTIBLE:
        for i, field in enumerate(batch.schema):
            for row in range(batch.num_rows):
                try:
                    _readable(batch.slice(row, 1).select([i])).to_pylist()
                except _UNCONVERTIBLE as error:
                    raise SlmkitError(
                        f"{field.name!r} is a {field.type} that cannot be converted: {str(error).splitlines()[0]}",
                        where=f"{file}:{Record(before + row + 1)}",
                        fix=f"export the file again without {field.name!r}, or with it as text",
                    ) from None
        raise


def _readable(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """The batch with its times in microseconds: Python's times have no nanoseconds."""
    import pyarrow
    import pyarrow.types as is_a

    for i, field in enumerate(batch.schema):
        nano = is_a.is_timestamp(field.type) or is_a.is_duration(field.type) or is_a.is_time64(field.type)
        if nano and field.type.unit == "ns":
            if is_a.is_timestamp(field.type):
                micro = pyarrow.timestamp("us", tz=field.type.tz)
            else:
                micro = pyarrow.duration("us") if is_a.is_duration(field.type) else pyarrow.time64("us")
            batch = batch.set_column(i, field.name, batch.column(i).cast(micro, safe=False))
    return batch


def _whole_numbers(file: Path, schema: pyarrow.Schema) -> list[str]:
    """The columns of floats that are whole numbers but for missing values."""
    import pyarrow.compute as pc
    import pyarrow.types as is_a

    floats = [field.name for field in schema if is_a.is_floating(field.type)]
    has_missing: set[str] = set()
    has_number: set[str] = set()
    for batch in _open(file, floats)[1] if floats else ():
        for name in list(floats):
            column = batch.column(name).cast("float64")  # of half floats, pyarrow computes little
            numbers = column.filter(pc.is_finite(column))
            if len(numbers) < len(column):
                has_missing.add(name)
            if len(numbers):
                has_number.add(name)
            if pc.any(pc.is_inf(column)).as_py() or pc.all(pc.equal(pc.floor(numbers), numbers)).as_py() is False:
                floats.remove(name)
        if not floats:
            break
    return [name for name in floats if name in has_missing and name in has_number]
