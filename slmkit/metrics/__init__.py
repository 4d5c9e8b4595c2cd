"""Metrics: each scores one answer against one example, in [0, 1] unless its docstring says otherwise.

They read what was said: that an answer with an error scores 0 is seen to by whoever calls them.
"""

from slmkit.metrics._load import load

__all__ = ["load"]
