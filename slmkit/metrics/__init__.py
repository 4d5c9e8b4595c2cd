"""Metrics: each scores one answer against one example, in [0, 1] unless its docstring says otherwise.

They score the text of an answer; the caller gives 0 to an answer with an error.
"""

from slmkit.metrics._load import load

__all__ = ["load"]
