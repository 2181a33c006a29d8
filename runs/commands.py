"""What each mode does and shows; the work is in the other files of this folder."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from options.request import Request
from reports import Report, ReportOptions
from reports import report as make_report
from runs.build import run_options
from runs.compare import CompareOptions, run_cells
from runs.measure import measure
from runs.train import train as train_run
from trainers.evaluate import Phase


def train(request: Request) -> int:
    """Train one model."""
    written = train_run(request)
    _show(written["test"], f"{written['label']} on {written['data']['name']}, test")
    return 130 if written["stopped_by"] == "interrupted" else 0


def validate(request: Request) -> int:
    """Measure trained weights on the validation set."""
    return _measure(request, "validation")


def test(request: Request) -> int:
    """Measure trained weights on the test set."""
    return _measure(request, "test")


def compare(request: Request) -> int:
    """Do the runs that are missing, then show their table."""
    options = request.sections["compare"]
    assert isinstance(options, CompareOptions)
    folders, outcomes = run_cells(request)
    if folders:
        paths = tuple(str(folder.results) for folder in folders)
        run = run_options(request)
        tables = Path(run.experiment_root) / (run.experiment_group or "") / "report"
        shown = make_report(
            paths,
            ReportOptions(experiments=paths, metrics=options.metrics, order="given", report_folder=str(tables)),
        )
        _print(shown)
        shown.write()
        print(f"These tables as Markdown, CSV and LaTeX: {tables}. The runs:")
    for path, outcome in outcomes.items():
        print(f"  {path} ({outcome})")
    if "interrupted" in outcomes.values():
        return 130
    if "failed" in outcomes.values():
        return 1
    if options.afterword:
        print(f"\n{options.afterword.strip()}")
    return 0


def report(request: Request) -> int:
    """Show a table of recorded runs."""
    options = request.sections["report"]
    assert isinstance(options, ReportOptions)
    shown = make_report(list(options.experiments), options)
    _print(shown)
    for path in shown.write():
        print(path)
    return 0


def _print(shown: Report) -> None:
    console = Console()
    print(shown.terminal(console.width if console.is_terminal else None, colour=console.is_terminal))


def _measure(request: Request, phase: Phase) -> int:
    measured = measure(request, phase)
    _show(measured[phase], f"{measured['label']} on {measured['data']['name']}, {phase} ({measured['weights']})")
    return 0


def _show(metrics: dict[str, dict[str, float]], title: str) -> None:
    """A table with a row a metric and a column a kind of candidates."""
    table = Table("metric", *metrics, title=title)
    for name in dict.fromkeys(name for values in metrics.values() for name in values):
        table.add_row(name, *(f"{values[name]:.4f}" if name in values else "" for values in metrics.values()))
    Console().print(table)
