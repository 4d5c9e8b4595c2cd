"""The part of a run that training writes to, so that nothing in slmkit/training imports the run itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol


class Recorder(Protocol):
    """What training needs of a run; `slmkit.runs.run_folder.Run` has it."""

    dir: Path
    seed: int
    is_main: bool

    @property
    def checkpoint(self) -> Path | None: ...
    def path(self, name: str) -> Path: ...
    def log(self, step: int, **values: float) -> None: ...
    def note(self, text: str) -> None: ...
    def table(self, name: str, rows: Iterable[Mapping[str, Any]]) -> Path: ...
    def metric(self, **values: float) -> None: ...
    def progress(
        self, description: str, total: int | None = None, unit: str = "steps"
    ) -> AbstractContextManager[Any]: ...
