"""Systems: everything that answers, one file each. A system is built cheaply, checks what it can, and loads late."""

from slmkit.errors import SlmkitError


class NotApplicable(SlmkitError):
    """This system cannot do this task, whatever its arguments: a classifier asked to write free text."""
