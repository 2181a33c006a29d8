"""Command report: show a table of recorded runs, and write it where the options say."""

from __future__ import annotations

from pathlib import Path

from common.errors import UserError
from options import Resolved
from reports import Report, ReportOptions, block_difference, check_folder, record_runs, update_block
from reports import report as make_report
from runs.command import Command
from runs.run_options import RunOptions
from runs.screen import show_report


def _run(resolved: Resolved) -> int:
    """Returns 1 if a block that is only checked differs from the tables."""
    options = resolved.section("report", ReportOptions)
    if options.markdown_block is None and (options.check_block or options.block_name is not None):
        raise UserError("check_block and block_name need a file with a block: give --markdown_block FILE as well")
    overwrite = resolved.section("run", RunOptions).overwrite
    report = make_report(list(options.experiments), options)
    if options.report_folder is not None and not overwrite:
        check_folder(Path(options.report_folder), [run.path for run in report.runs])
    show_report(report)
    written = report.write()
    if options.record_folder is not None:
        written += record_runs(report.reported, options.record_folder, overwrite)
    for path in written:
        print(path)
    return 0 if options.markdown_block is None else _update_block(report, options.markdown_block, options)


def _update_block(report: Report, path: Path, options: ReportOptions) -> int:
    """Check a file's block, or replace it."""
    if not options.check_block:
        changed = update_block(path, options.block_name, report.block())
        print(f"{path}: {'the tables were updated' if changed else 'the tables were up to date'}")
        return 0
    difference = block_difference(path, options.block_name, report.block())
    print(difference or f"{path}: the tables are up to date")
    return 1 if difference else 0


REPORT = Command(
    ("run", "report"),
    _run,
    ReportOptions,
    needs_torch=False,
    description="show recorded runs as tables, figures and a web page",
)
