"""Systems: everything that answers questions. Building one only checks its options; models load on first use."""

from collections.abc import Callable

from slmkit.errors import SlmkitError
from slmkit.systems._chat import ChatOptions
from slmkit.systems._shots import FewShot
from slmkit.types import Answer, Example, SystemPart

__all__ = ["ChatOptions", "FewShot", "NotApplicable", "set_default_metric"]


class NotApplicable(SlmkitError):
    """This system cannot do this kind of task: a classifier cannot write free text."""


def set_default_metric(part: SystemPart, metric: Callable[[Example, Answer], float]) -> None:
    """Makes a system that selects by a metric (best_prompt) use the one that scores it, unless the recipe sets one."""
    arguments = part.arguments
    if arguments.get("metric", metric) is None:
        arguments["metric"] = metric
