"""Reads data sets of the Hugging Face hub through `datasets`: their metadata and rows, with errors that name a fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from slmkit.data.reading.class_names import renamer
from slmkit.data.reading.plain_values import plain
from slmkit.errors import RefusedError, SlmkitError


@dataclass(frozen=True)
class HubSplit:
    """A split's metadata on the hub."""

    revision: str | None  # the commit
    num_rows: int | None
    notes: list[str]


def describe(dataset: str, *, config: str | None, split: str, revision: str | None) -> HubSplit:
    """The commit, size and licence of a split.

    Raises: RefusedError if the hub is unreachable and nothing is cached; SlmkitError for a wrong name.
    """
    from datasets import load_dataset_builder
    from datasets.exceptions import DatasetNotFoundError

    try:
        builder = load_dataset_builder(dataset, config, revision=revision)
    except DatasetNotFoundError as error:
        fix = "check the name on huggingface.co/datasets; for a gated data set run `hf auth login`"
        raise SlmkitError(
            f"data set {dataset!r} not found on the hub, or not accessible", where=str(error), fix=fix
        ) from None
    except ConnectionError as error:
        raise RefusedError(
            f"data set {dataset!r} is not in the local cache and the hub cannot be reached",
            where=str(error).splitlines()[0][:200],
            fix="connect to the network and run the command again, or use a local file: data=FILE",
        ) from None
    except ValueError as error:  # config missing or unknown; the library's message lists the available ones
        what = f"data set {dataset!r} has no config {config!r}" if config else f"{dataset!r} has several configs"
        raise SlmkitError(what, where=" ".join(str(error).split())[:300], fix="set config=NAME") from None
    splits = builder.info.splits or {}
    if splits and split not in splits:
        raise SlmkitError(f"no split {split!r}", where=dataset, fix=f"set split= to one of {', '.join(splits)}")
    commit = getattr(builder, "hash", None) or revision
    licence = builder.info.license or "not stated"
    num_rows = splits[split].num_examples if split in splits else None
    size = f"{num_rows:,} rows" if num_rows else "size unknown"
    return HubSplit(
        revision, num_rows, [f"{dataset} {split}: {size}, licence {licence}", f"{dataset}: commit {commit}"]
    )


def open_split(dataset: str, *, config: str | None, split: str, revision: str | None, streaming: bool) -> Any:
    """The split as a `datasets` data set; an iterable one if it is streamed."""
    from datasets import load_dataset

    return load_dataset(dataset, config, split=split, revision=revision, streaming=streaming)


def rows_of(
    dataset: Any,
    *,
    max_rows: int | None = None,
    on_row: Callable[[], object] | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """The rows as JSON values: class ids become class names, dates text. Images and sounds are left out and reported.

    Raises: SlmkitError naming the row and column of a value that JSON does not have.
    """
    features = dataset.features.to_dict() if dataset.features else {}
    media = [name for name, feature in features.items() if _is_media(feature)]
    if media and on_note:
        on_note(f"images, sounds and videos are not read: {', '.join(media)}")
    if media:
        dataset = dataset.remove_columns(media)  # otherwise each would be decoded
    named = {name: renamer(feature) for name, feature in features.items() if name not in media}
    for number, row in enumerate(islice(dataset, max_rows), 1):
        if on_row:
            on_row()
        values = {}
        for name, value in row.items():
            try:
                values[name] = named[name](plain(value)) if name in named else plain(value)
            except ValueError as error:
                fix = f"choose another config, or export the data set without the column {name!r}"
                raise SlmkitError(f"{name!r} holds {error}", where=f"row {number}", fix=fix) from None
        yield values


def _is_media(feature: Any) -> bool:
    """Whether a feature of `datasets` is an image, a sound, a video or a PDF, or a list of them."""
    if isinstance(feature, list):
        return any(map(_is_media, feature))
    if not isinstance(feature, dict):
        return False
    return feature.get("_type") in ("Image", "Audio", "Video", "Pdf") or _is_media(feature.get("feature"))
