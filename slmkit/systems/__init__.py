"""Systems: everything that answers, one file each. A system is built cheaply, checks what it can, and loads late."""

from collections.abc import Callable

from slmkit.errors import SlmkitError
from slmkit.types import Answer, Example, SystemPart


class NotApplicable(SlmkitError):
    """This system cannot do this task, whatever its arguments: a classifier asked to write free text."""


def choose_by(part: SystemPart, metric: Callable[[Example, Answer], float]) -> None:
    """Gives a system that itself chooses by a metric the one it is judged by, where its `metric` is not set."""
    arguments = part.arguments
    if arguments.get("metric", metric) is None:
        arguments["metric"] = metric
