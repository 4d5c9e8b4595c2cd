"""Metrics: each scores one answer against one example, in [0, 1] unless its docstring says otherwise."""

from slmkit.metrics._load import load

__all__ = ["load"]
