"""Command compare: run what is missing of a comparison, then show its table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from common.errors import UserError
from options import Resolved
from reports import ReportOptions, free_folder
from reports import report as make_report
from runs.command import Command
from runs.comparison.config import CompareConfig
from runs.comparison.execution import recorded_failure, run_all
from runs.comparison.options import CompareOptions
from runs.comparison.resolve import resolve_compare
from runs.screen import show_report


def _run(resolved: Resolved) -> int:
    config = CompareConfig.of(resolved)
    run, options = config.run, config.compare
    labels, outcomes, untuned = run_all(config)
    unreported = _tables(config, labels) if labels and not run.pilot else None
    for path, outcome in outcomes.items():
        print(f"  {path} ({outcome})")
        if outcome == "failed":
            print(f"    {recorded_failure(path)}")
    for search, error in untuned.items():
        print(f"  {search} (failed)\n    {error}")
    if unreported is not None:
        raise UserError(f"the runs above have no table: {unreported}")
    if "interrupted" in outcomes.values() or len(outcomes) + len(untuned) < len(config.runs):
        return 130
    if untuned or "failed" in outcomes.values():
        return 1
    if run.pilot:
        print("All runs work. There is no table, because the metrics of pilots mean nothing")
    elif options.closing_note:
        print(f"\n{options.closing_note.strip()}")
    return 0


def _tables(config: CompareConfig, labels: Mapping[str, str]) -> UserError | None:
    """Show and write the tables of the runs with results; returns why there are none, for example damaged files."""
    run, paths = config.run, tuple(labels)
    usual = Path(run.experiment_root) / (run.experiment_group or "") / "report"
    try:
        folder = free_folder(usual, map(Path, paths))
        report = make_report(
            paths,
            ReportOptions(
                experiments=paths,
                metrics=config.compare.metrics,
                order="given",
                report_folder=str(folder),
                formats=("markdown", "csv", "latex", "html"),
            ),
            labels,
        )
        show_report(report)
        report.write()
    except UserError as error:
        return error
    print(f"These tables as Markdown, CSV, LaTeX and a web page with charts: {folder}", end="")
    print(f" ({usual} has those of another comparison). The runs:" if folder != usual else ". The runs:")
    return None


COMPARE = Command(
    ("run", "compare"),
    _run,
    CompareOptions,
    resolve=resolve_compare,
    overrides_runs=True,
    description="train several models on several datasets, and show their table",
)
