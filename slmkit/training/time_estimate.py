"""How long training will take, said before it starts, with what to change."""

from __future__ import annotations

LONG = 180.0  # seconds; of a shorter run nothing is said


def time_note(seconds: float, *, steps: int, on_cpu: bool) -> str | None:
    """What to say of a run whose `steps` will take `seconds`; None for a short one.

    Example: 840 s for 156 steps -> "about 14 min for 156 steps on this machine, by the trial step. max_steps=33 takes
    about 3 min; fewer rows take less too, or a GPU (--profile gpu)".
    """
    if seconds < LONG:
        return None
    fewer = max(1, int(steps * LONG / seconds))
    gpu = ", or a GPU (--profile gpu)" if on_cpu else ""
    less = f"max_steps={fewer} takes about {duration(seconds * fewer / steps)}; fewer rows take less too{gpu}"
    return f"about {duration(seconds)} for {steps:,} steps on this machine, by the trial step. {less}"


def duration(seconds: float) -> str:
    """ "14 min", "2.5 h"."""
    minutes = max(1, round(seconds / 60))
    return f"{minutes} min" if minutes < 90 else f"{seconds / 3600:,.1f} h"
