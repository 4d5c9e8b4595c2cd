"""The hub_dataset stage: a split of a Hugging Face data set as data.jsonl, streamed where only a part is wanted."""

from __future__ import annotations

from pathlib import Path

from slmkit.data.hub import describe, open_split, rows_of
from slmkit.errors import SlmkitError
from slmkit.runs.run import Run
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
    """Writes a split of a data set of the Hugging Face hub to data.jsonl, labels by their names.

    With max_rows the rows are streamed and no more are fetched. revision is a commit or branch; its commit is noted.
    """
    about = describe(dataset, config=config, split=split, revision=revision)
    for note in about.notes:
        run.note(note)
    found = open_split(dataset, config=config, split=split, revision=about.revision, streaming=max_rows is not None)
    with run.progress(f"read {dataset}", max_rows or about.num_rows, "rows") as bar:
        run.table("data", rows_of(found, max_rows=max_rows, on_row=bar.advance))
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
    """Asks the hub for the data set, so that a wrong name, config or split, or no network, shows at once."""
    if Path(dataset).exists():
        fix = f"name it as data: data={dataset}; of a folder with splits data={dataset}/{split}"
        raise SlmkitError(f"{dataset!r} is a file or folder here", where="with.dataset", fix=fix)
    describe(dataset, config=config, split=split, revision=revision)
