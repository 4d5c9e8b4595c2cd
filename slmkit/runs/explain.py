"""What can go wrong outside our code, as errors a person can act on; and the lock that keeps two writers apart."""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Iterator
from pathlib import Path

from slmkit.errors import FailedError, RefusedError, SlmkitError, is_out_of_memory
from slmkit.files import write_atomically
from slmkit.report import write_report
from slmkit.runs.plan import Step

_AGAIN = "the same command resumes it"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Holds the run's lock; a second writer is refused at once. A kill frees it."""
    from filelock import FileLock, Timeout

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        fix = "wait for it: then the same command finds its result"
        raise RefusedError("another slmkit process is writing this run", where=str(folder), fix=fix) from None
    except OSError as error:
        fix = "run in a folder you can write to" if error.errno not in _DISK_FULL else "free some disk space"
        raise RefusedError(f"cannot write the run: {error.strerror}", where=str(folder), fix=fix) from None
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def readable_errors(step: Step) -> Iterator[None]:
    """Turns what can go wrong outside our code into an error a person can act on; keeps the traceback of the rest."""
    try:
        yield
    except KeyboardInterrupt:
        raise FailedError("stopped by Ctrl-C", where=str(step.dir), fix=_AGAIN) from None
    except SystemExit as error:  # of the user's own stage: it is no end of ours
        raise FailedError(f"the stage ended the program: {error.code}", where=str(step.dir), fix=_AGAIN) from error
    except Exception as error:
        told = _told(error, step)
        text = f"{told}\n" if isinstance(told, SlmkitError) else traceback.format_exc()
        with contextlib.suppress(OSError):  # the disk may be the very thing that failed
            write_atomically(step.dir / "error.txt", text)
            write_report(step.dir)
        if told is error:
            raise
        raise told from error


def _told(error: Exception, step: Step) -> Exception:
    """The error as a user is told it: what is outside our code becomes a FailedError, the rest stays as it is."""
    full = isinstance(error, OSError) and error.errno in _DISK_FULL
    if full or "No space left on device" in str(error):
        return FailedError("the disk is full", where=str(step.dir), fix=f"free some space; {_AGAIN}")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        where = str(error.filename or step.dir)
        return FailedError(f"cannot write: {error.strerror}", where=where, fix=f"make it writable; {_AGAIN}")
    if is_out_of_memory(error):
        fix = "lower per_device_train_batch_size, batch_size or max_length, or use --profile gpu_8gb"
        return FailedError("out of memory", where=f"{step.name}, {step.dir}", fix=fix)
    return error
