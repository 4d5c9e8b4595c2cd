"""Recognises training, validation and test splits by name: of files, folders, and the sections of one file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from slmkit.data.reading.open_file import stem_of

Split = Literal["train", "validation", "test"]

_WORDS = re.compile(r"[a-z]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_NAMES: dict[str, Split] = {
    **dict.fromkeys(("train", "training", "trainset", "traindata", "trn"), "train"),
    **dict.fromkeys(
        ("validation", "validate", "valid", "val", "validset", "valset", "dev", "devset", "development"), "validation"
    ),
    **dict.fromkeys(
        ("test", "tests", "testing", "testset", "testdata", "tst", "eval", "evaluation", "heldout"), "test"
    ),
}


def split_named(name: str) -> Split | None:
    """The split that a name states, by one of its words; None if it states none, or several.

    Example: "train-00000-of-00002" -> "train"; "in_domain_dev" -> "validation"; "latest" and "train_and_test" -> None.
    """
    words = _WORDS.findall(_CAMEL.sub(" ", name).lower())
    found = {_NAMES[word] for word in words if word in _NAMES}
    return found.pop() if len(found) == 1 else None


def split_of_file(file: Path, folder: Path) -> Split | None:
    """The split of a file: by its own name, otherwise by the nearest folder inside `folder` that states one."""
    inner = file.relative_to(folder)
    names = [stem_of(file), *reversed(inner.parts[:-1])]
    return next((split for name in names if (split := split_named(name))), None)
