"""Errors a user can fix: what is wrong, where, how to fix it, and the exit code of each kind."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

EXIT_DONE, EXIT_FAILED, EXIT_NEGATIVE, EXIT_MISTAKE, EXIT_REFUSED = 0, 1, 2, 3, 4


class SlmkitError(Exception):
    """A mistake in the command, a recipe or a data file (exit code 3)."""

    exit_code = EXIT_MISTAKE

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        """At most three lines: what, where, fix."""
        lines = [f"error: {self.what}"]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.fix:
            lines.append(f"fix:   {self.fix}")
        return "\n".join(lines)


class RefusedError(SlmkitError):
    """A check refused before any work started: a leak, an empty loss mask, a locked run (exit code 4)."""

    exit_code = EXIT_REFUSED


class FailedError(SlmkitError):
    """Something outside the recipe failed during a run: full disk, out of memory, no network (exit code 1)."""

    exit_code = EXIT_FAILED


def file_error(error: OSError) -> FailedError | None:
    """The message for an operating-system error about a file; None if the user cannot fix it."""
    if error.filename is None or error.errno not in _FIXES:
        return None
    name = os.fsdecode(error.filename)
    what = f"cannot read or write {name}: {os.strerror(error.errno)}"
    return FailedError(what, where=str(Path(name).absolute()), fix=_FIXES[error.errno])


_FIXES = {
    **dict.fromkeys((errno.EACCES, errno.EPERM), "change its permissions; `ls -l` shows its owner"),
    errno.EROFS: "work in a writable folder",
    **dict.fromkeys((errno.ENOTDIR, errno.EEXIST), "a file is where a folder is needed: move or rename it"),
    errno.EISDIR: "this is a folder: use the path of a file",
    errno.ENAMETOOLONG: "use a shorter name",
    errno.ELOOP: "the symbolic link points to itself: replace it",
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free disk space"),
}


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out, on a GPU or on the CPU; torch is not imported to tell.

    torch.OutOfMemoryError, MemoryError, and the RuntimeErrors that drivers, cuBLAS and torch's CPU allocator raise.
    "an illegal memory access" is a bug in a kernel: a smaller batch would only hide it.
    """
    if isinstance(error, MemoryError) or any(base.__name__ == "OutOfMemoryError" for base in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)


_OUT_OF_MEMORY = (
    "out of memory",  # "CUDA error: out of memory", where the driver and not torch's allocator ran out
    "_STATUS_ALLOC_FAILED",  # cuBLAS, cuDNN
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",  # on Windows
)


def out_of_memory(task: str, fix: str) -> FailedError:
    """The error for memory that ran out during a task ("loading 'nano'"), with the parameter to change."""
    return FailedError(f"out of memory while {task}", fix=fix)


def counted(number: int, noun: str) -> str:
    """ "1 row", "2,000 rows"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Iterable[str], *, most: int = 12) -> str:
    """The first names for a message: "id, text, label and 4 more"."""
    found = list(names)
    return ", ".join(found[:most]) + (f" and {len(found) - most} more" if len(found) > most else "")


def all_quoted(names: Sequence[str]) -> str:
    """All names for a sentence: "'id', 'text' and 'label'"."""
    quoted = list(map(repr, names))
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}" if len(quoted) > 1 else quoted[0]


def shown(path: Path) -> str:
    """A path for messages: relative to the working directory if it is inside."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)
