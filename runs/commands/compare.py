"""Mode compare: run what is missing of a comparison, then show its table."""

from __future__ import annotations

from pathlib import Path

from options import Resolved
from reports import ReportOptions
from reports import report as make_report
from runs.command import Command
from runs.comparison.cells import recorded_failure, run_cells
from runs.comparison.config import CompareConfig
from runs.comparison.options import CompareOptions
from runs.comparison.resolve import resolve_compare
from runs.screen import show_report


def _run(resolved: Resolved) -> int:
    config = CompareConfig.of(resolved)
    run, options = config.run, config.compare
    folders, outcomes, untuned = run_cells(config)
    if folders and not run.pilot:
        paths = tuple(str(folder.results) for folder in folders)
        tables = Path(run.experiment_root) / (run.experiment_group or "") / "report"
        report = make_report(
            paths,
            ReportOptions(
                experiments=paths,
                metrics=options.metrics,
                order="given",
                report_folder=str(tables),
                formats=("markdown", "csv", "latex", "html"),
            ),
        )
        show_report(report)
        report.write()
        print(f"These tables as Markdown, CSV, LaTeX and a web page with charts: {tables}. The runs:")
    for path, outcome in outcomes.items():
        print(f"  {path} ({outcome})")
        if outcome == "failed":
            print(f"    {recorded_failure(path)}")
    for search, error in untuned.items():
        print(f"  {search} (failed)\n    {error}")
    if "interrupted" in outcomes.values() or len(outcomes) + len(untuned) < len(config.cells):
        return 130
    if untuned or "failed" in outcomes.values():
        return 1
    if run.pilot:
        print("All runs work. There is no table, because the metrics of pilots mean nothing")
    elif options.afterword:
        print(f"\n{options.afterword.strip()}")
    return 0


COMPARE = Command(
    ("run", "compare"),
    _run,
    CompareOptions,
    resolve=resolve_compare,
    overrides_runs=True,
    description="train several models on several datasets, and show their table",
)
