"""The errors a user can cause or mend: what is wrong, where, how to fix it, and the exit code that says which kind."""

EXIT_DONE, EXIT_FAILED, EXIT_NEGATIVE, EXIT_MISTAKE, EXIT_REFUSED = 0, 1, 2, 3, 4


class SlmkitError(Exception):
    """A mistake in the command, a recipe or a data file (exit code 3)."""

    exit_code = EXIT_MISTAKE

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what, self.where, self.fix = what, where, fix

    def __str__(self) -> str:
        """Three lines at most: what, where, fix."""
        lines = [f"error: {self.what}"]
        if self.where:
            lines.append(f"where: {self.where}")
        if self.fix:
            lines.append(f"fix:   {self.fix}")
        return "\n".join(lines)


class RefusedError(SlmkitError):
    """A pre-flight check refused before work was spent: a leak, an empty loss mask, a locked run (exit code 4)."""

    exit_code = EXIT_REFUSED


class FailedError(SlmkitError):
    """Something outside the recipe failed while running: full disk, out of memory, no network (exit code 1)."""

    exit_code = EXIT_FAILED
