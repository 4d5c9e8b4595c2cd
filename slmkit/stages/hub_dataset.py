"""The hub_dataset stage: downloads a split of a Hugging Face data set as data.jsonl."""

from __future__ import annotations

from pathlib import Path

from slmkit.data.hub import describe, open_split, rows_of
from slmkit.errors import SlmkitError
from slmkit.runs.run_folder import Run
from slmkit.types import PositiveInt


def hub_dataset(
    run: Run,
    *,
    dataset: str,
    config: str | None = None,
    split: str = "train",
    revision: str | None = None,
    max_rows: PositiveInt | None = None,
) -> None:
    """Writes a split of a Hugging Face data set to data.jsonl, with class names as labels.

    With max_rows, only these rows are streamed. revision is a commit or a branch; the commit is recorded in the notes.
    """
    about = describe(dataset, config=config, split=split, revision=revision)
    for note in about.notes:
        run.note(note)
    found = open_split(dataset, config=config, split=split, revision=about.revision, streaming=max_rows is not None)
    with run.progress(f"read {dataset}", max_rows or about.num_rows, "rows") as bar:
        run.table("data", rows_of(found, max_rows=max_rows, on_row=bar.advance, on_note=run.note))
    with open(run.path("data.jsonl"), "rb") as file:
        run.metric(num_rows=sum(1 for _ in file))


def check(
    *,
    dataset: str,
    config: str | None = None,
    split: str = "train",
    revision: str | None = None,
    **_: object,
) -> None:
    """Looks the data set up on the hub, so that a wrong name, config or split, or no network, is reported at once."""
    if Path(dataset).exists():
        fix = f"use data={dataset}, or for a folder with splits data={dataset}/{split}"
        raise SlmkitError(f"{dataset!r} is a local file or folder, not a hub data set", where="with.dataset", fix=fix)
    describe(dataset, config=config, split=split, revision=revision)
