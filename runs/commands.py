"""What each mode does and shows; the work is in the other files of this folder."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.errors import UserError
from evaluation.evaluator import Phase
from options.request import Request
from reports import Report, ReportOptions, block_difference, record_runs, update_block
from reports import report as make_report
from runs.build import run_options
from runs.compare import CompareOptions, recorded_failure, run_cells
from runs.export import export as write_export
from runs.measure import measure
from runs.recommend import RecommendOptions
from runs.recommend import recommend as write_recommendations
from runs.train import train as train_run

WIDE = 200  # characters of a line, where nobody's screen is known


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
    if folders and not run_options(request).pilot:
        paths = tuple(str(folder.results) for folder in folders)
        run = run_options(request)
        tables = Path(run.experiment_root) / (run.experiment_group or "") / "report"
        shown = make_report(
            paths,
            ReportOptions(
                experiments=paths,
                metrics=options.metrics,
                order="given",
                report_folder=str(tables),
                formats=("markdown", "csv", "latex", "html"),
            ),
        )
        _print(shown)
        shown.write()
        print(f"These tables as Markdown, CSV, LaTeX and a page with pictures: {tables}. The runs:")
    for path, outcome in outcomes.items():
        print(f"  {path} ({outcome})")
        if outcome == "failed":
            print(f"    {recorded_failure(path)}")
    if "interrupted" in outcomes.values() or len(outcomes) < len(request.cells):
        return 130
    if "failed" in outcomes.values():
        return 1
    if run_options(request).pilot:
        print("All of the runs work. They were pilots, whose numbers mean nothing: there is no table of them")
    elif options.afterword:
        print(f"\n{options.afterword.strip()}")
    return 0


def tune(request: Request) -> int:
    """Search for better options, show the trials and where the winner is."""
    from runs.tuning.search import search  # noqa: PLC0415  (it imports optuna, which nothing else needs)

    found = search(request)
    head, *rows = found.table
    table = Table(*head, title=f"{found.metric} on validation")
    table.columns[-1].max_width = 60
    for row in rows:
        style = "bold" if row[0] == str(found.best) else None
        table.add_row(*map(escape, [row[0], row[1], f"{float(row[2]):.4f}" if row[2] else "", *row[3:]]), style=style)
    on_screen = Console().is_terminal
    Console(width=None if on_screen else WIDE).print(table)
    for path in found.files:
        print(path)
    if found.best is not None:
        print(f"train and test the winner: python main.py --templates {quote(str(found.files[-1]))}")
    return 130 if found.interrupted else 0


def recommend(request: Request) -> int:
    """Write the best items of users, or of new histories."""
    written = write_recommendations(request)
    options = request.sections["recommend"]
    assert isinstance(options, RecommendOptions)
    served = written.users - (written.empty if options.empty_histories == "nothing" else 0)
    print(
        f"{written.label}: {written.rows:,} rows for {served:,} of {written.users:,} users in {written.output} "
        f"({written.users / written.seconds:,.0f} users a second)"
    )
    return 0


def export(request: Request) -> int:
    """Write a trained model for other programs."""
    written = write_export(request)
    script = quote(str(written.folder / "serve.py"))
    print(
        f"{written.label}: {written.folder}, for histories of {written.length} length; its scores are the harness's "
        f"(largest difference {written.difference:.0e}). Try it: python {script} ITEM ..."
    )
    return 0


def report(request: Request) -> int:
    """Show a table of recorded runs, and leave it where the options say; 1 if a block that is checked differs."""
    options = request.sections["report"]
    assert isinstance(options, ReportOptions)
    if options.markdown_block is None and (options.check_block or options.block_name is not None):
        raise UserError("check_block and block_name are about a block of a file: give --markdown_block FILE as well")
    shown = make_report(list(options.experiments), options)
    _print(shown)
    written = shown.write()
    if options.record_folder is not None:
        written += record_runs(shown.reported, options.record_folder, run_options(request).overwrite)
    for path in written:
        print(path)
    return 0 if options.markdown_block is None else _block(shown, options.markdown_block, options)


def _block(shown: Report, path: Path, options: ReportOptions) -> int:
    """Check a file's block, or replace it."""
    if not options.check_block:
        changed = update_block(path, options.block_name, shown.block())
        print(f"{path}: {'the tables are new' if changed else 'the tables were up to date'}")
        return 0
    difference = block_difference(path, options.block_name, shown.block())
    print(difference or f"{path}: the tables are up to date")
    return 1 if difference else 0


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
    Console(markup=False, emoji=False).print(table)
