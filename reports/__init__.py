"""Comparison tables from recorded runs. Imports only `common` and `evaluation`.

`report(paths, options)` reads the runs and returns a `Report`, which renders to the terminal, Markdown, CSV, LaTeX,
PNG and one HTML page. `record_runs` copies runs into a results folder; `update_block` puts the tables into a Markdown
file; `draw_dataset_curves` draws the curves of `--mode stats`.
"""

from reports.block import block_difference, update_block
from reports.collect import Run, collect, read_run, tidy_frame
from reports.folder import check_folder, free_folder
from reports.options import ReportOptions, default_metrics
from reports.recording import record_runs
from reports.report import Report, report
from reports.stats_file import draw_dataset_curves

__all__ = [
    "Report",
    "ReportOptions",
    "Run",
    "block_difference",
    "check_folder",
    "collect",
    "default_metrics",
    "draw_dataset_curves",
    "free_folder",
    "read_run",
    "record_runs",
    "report",
    "tidy_frame",
    "update_block",
]
