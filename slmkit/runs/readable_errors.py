"""Turns failures outside our code, such as a full disk or out of memory, into errors that a user can act on."""

from __future__ import annotations

import contextlib
import errno
import traceback
from collections.abc import Iterator

from slmkit.errors import FailedError, SlmkitError, is_out_of_memory
from slmkit.files import write_atomically
from slmkit.report import write_report
from slmkit.runs.plan import Step
from slmkit.runs.store import DISK_FULL

_RESUME = "run the same command again to resume"


@contextlib.contextmanager
def readable_errors(step: Step) -> Iterator[None]:
    """Raises a FailedError for failures outside our code and writes error.txt, with a traceback for our own faults."""
    try:
        yield
    except KeyboardInterrupt:
        raise FailedError("stopped by Ctrl-C", where=str(step.dir), fix=_RESUME) from None
    except SystemExit as error:  # raised by a user's stage; it must not end slmkit as if it had succeeded
        raise FailedError(f"the stage exited: {error.code}", where=str(step.dir), fix=_RESUME) from error
    except Exception as error:
        readable = _readable(error, step)
        text = f"{readable}\n" if isinstance(readable, SlmkitError) else traceback.format_exc()
        with contextlib.suppress(OSError):  # the disk itself may have failed
            write_atomically(step.dir / "error.txt", text)
            write_report(step.dir)
        if readable is error:
            raise
        raise readable from error


def _readable(error: Exception, step: Step) -> Exception:
    """A FailedError for a failure outside our code; any other error unchanged."""
    is_disk_full = isinstance(error, OSError) and error.errno in DISK_FULL
    if is_disk_full or "No space left on device" in str(error):
        return FailedError("the disk is full", where=str(step.dir), fix=f"free some disk space, then {_RESUME}")
    if isinstance(error, OSError) and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        where = str(error.filename or step.dir)
        return FailedError(f"cannot write: {error.strerror}", where=where, fix=f"make it writable, then {_RESUME}")
    if is_out_of_memory(error):
        fix = "lower per_device_train_batch_size, batch_size or max_length, or use --profile gpu_8gb"
        return FailedError("out of memory", where=f"{step.name}, {step.dir}", fix=fix)
    return error
