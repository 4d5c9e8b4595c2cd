"""The command line: runs one command, and turns what went wrong into three lines and an exit code.

slmkit loop data=my.csv            the whole loop on one file
slmkit train learning_rate=1e-4    recipes/loop/train.yaml with one value changed
slmkit run loop/compare --json     any recipe, the result as JSON on standard output
"""

from __future__ import annotations

import contextlib
import errno
import io
import json
import os
import re
import sys
import traceback

import typer
from typer.exceptions import TyperException

from slmkit.cli.app import app
from slmkit.cli.json_output import json_only
from slmkit.console import console
from slmkit.errors import EXIT_DONE, EXIT_FAILED, FailedError, SlmkitError, file_error

_KEY_VALUE_COMMANDS = ("learn", "loop", "pick", "prepare", "train", "eval", "compare", "run", "sweep")
_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def main() -> None:
    """Runs the command line and exits; a user's mistake prints three lines."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "true")  # looking for plugins reads every package: 25 ms
    arguments = sys.argv[1:]
    if arguments in ([], ["gold"]):
        sys.argv.append("--help")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that cannot show ✓ shows ? and the run continues
    as_json = "--json" in arguments and "--help" not in arguments
    try:
        with json_only() if as_json else contextlib.nullcontext():
            code = _run_command(as_json)
    except BrokenPipeError:  # `slmkit ls | head`
        sys.stderr.close()
        code = EXIT_DONE
    except OSError as error:
        if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
            raise
        code = EXIT_FAILED
        fix = "redirect the output to another disk"
        _print_error(FailedError(f"cannot write the output: {error.strerror}", fix=fix), as_json=False)
    sys.exit(code)


def _run_command(as_json: bool) -> int:
    """Runs the command, prints an error the user can fix, and returns the exit code."""
    try:
        return int(app(prog_name="slmkit", standalone_mode=False) or EXIT_DONE)
    except BrokenPipeError:
        raise
    except (Exception, KeyboardInterrupt) as error:
        message = _user_error(error)
        if message is None:
            if not as_json:
                raise  # a bug: the traceback is the message
            traceback.print_exc()
            message = FailedError(f"{type(error).__name__}: {error}", fix="the traceback is on standard error")
    _print_error(message, as_json=as_json)
    return message.exit_code


def _user_error(error: BaseException) -> SlmkitError | None:
    """What to tell the user about an exception; None for a bug."""
    if isinstance(error, SlmkitError):
        return error
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return FailedError("interrupted", fix="run the same command again to resume")
    if isinstance(error, TyperException):
        return _usage_error(error.format_message())
    return file_error(error) if isinstance(error, OSError) else None


def _usage_error(message: str) -> SlmkitError:
    """typer's message about the command line as what and fix; other tools spell recipe keys as options."""
    message = re.sub(r" \(Possible options: (.*)\)$", r" Did you mean \1?", message)
    what, _, suggestion = message.partition(" Did you mean ")
    option = re.match(r"No such option: --([a-z][\w-]*)", what)
    if suggestion:
        fix = f"did you mean {suggestion}"
    elif option and sys.argv[1] in _KEY_VALUE_COMMANDS:
        fix = f"to set a recipe key, write {option[1].replace('-', '_')}=VALUE"
    else:
        command = [word for word in sys.argv[1 : 3 if sys.argv[1] == "gold" else 2] if word.isalpha()]
        fix = f"see `{' '.join(['slmkit', *command, '--help'])}`"
    return SlmkitError(what[:1].lower() + what[1:].rstrip("."), where="command line", fix=fix)


def _print_error(error: SlmkitError, *, as_json: bool) -> None:
    if as_json:
        details = {"what": error.what, "where": error.where, "fix": error.fix}
        print(json.dumps({"error": details, "exit_code": error.exit_code}, ensure_ascii=False))
    else:
        console.quiet = False
        console.print(str(error), markup=False, style="red" if console.is_terminal else None)
