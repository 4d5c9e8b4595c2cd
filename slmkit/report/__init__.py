"""Pages a browser shows without a network: one a run, and an index of all runs.

They read run directories and nothing else, so a report can be written again at any time.
"""

from slmkit.report.index import write_index
from slmkit.report.page import write_report

__all__ = ["write_index", "write_report"]
