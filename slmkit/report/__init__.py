"""HTML pages that work offline: one report per run, and an index of all runs.


They read only run directories, so a report can be regenerated at any time.
"""

from slmkit.report.index import write_index
from slmkit.report.page import write_report

__all__ = ["write_index", "write_report"]
