"""Comparison tables from recorded runs. Imports only `common` and `evaluation`.

`report(paths, options)` reads the runs and gives a `Report`, which draws itself for a terminal and
as Markdown, CSV and LaTeX.
"""

from reports.collect import Run, collect, tidy_frame
from reports.options import ReportOptions
from reports.report import Report, report

__all__ = ["Report", "ReportOptions", "Run", "collect", "report", "tidy_frame"]
