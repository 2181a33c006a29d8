"""Command status: the progress of a comparison's runs, and the time they still need. Changes nothing."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from options import Resolved
from runs.command import Command
from runs.comparison.config import CompareConfig
from runs.comparison.options import CompareOptions
from runs.comparison.progress import TO_DO, Estimate, RunProgress, progress_of_all, time_left
from runs.comparison.recorded_times import RecordedTimes
from runs.comparison.resolve import resolve_compare
from trainers.progress import format_seconds

WIDTH = 140  # where neither a terminal nor COLUMNS says it
WITH_LINES = 110  # from this width on, lines divide the columns


def _run(resolved: Resolved) -> int:
    """Print a row for each run of the comparison, and totals."""
    config = CompareConfig.of(resolved)
    options = config.compare
    runs = progress_of_all(config.runs)
    recorded = RecordedTimes(tuple({Path(run.config.run.experiment_root): None for run in runs}))
    left = [time_left(run, runs, recorded) if run.state in TO_DO else None for run in runs]
    on_screen = Console().is_terminal
    width = Console().width if on_screen else shutil.get_terminal_size((WIDTH, 24)).columns
    groups = {run.name.rpartition("/")[0] for run in runs}
    shared = f"{groups.pop()}/" if len(groups) == 1 else ""
    table = Table(
        *("run", "dataset", "state", "epochs", "best", "minutes", "time left"),
        title=f"The runs of the comparison{f', in {shared[:-1]}' if shared else ''}",
        box=box.HEAVY_HEAD if width >= WITH_LINES else box.SIMPLE_HEAD,
        pad_edge=width >= WITH_LINES,
    )
    for column in table.columns:
        column.overflow = "fold"
    for run, estimate in zip(runs, left, strict=True):
        best = run.counters.get("best_value")
        table.add_row(
            run.name.removeprefix(shared),
            run.dataset,
            run.state,
            str(run.epochs) if run.counters else "",
            ""
            if best is None
            else f"{run.config.evaluation.best_metric} {best:.4f} ({run.counters.get('best_epoch')})",
            f"{run.seconds / 60:.1f}" if run.counters else "",
            "" if estimate is None else str(estimate),
        )
    Console(width=width, markup=False, emoji=False).print(table)
    for run in runs:
        if run.state == "failed":
            print(f"{run.name} failed: {run.counters.get('error')}")
        if run.renamed:
            print(f"{run.name} was started under this earlier label; it is used, and not started again")
    to_do = [estimate for estimate in left if estimate is not None]
    print(_totals(runs, to_do, options.max_parallel))
    if any(estimate.rough for estimate in to_do):
        print(
            "Where no run with the same options has finished, the time comes from recorded or finished runs of the "
            "same model, which may have other options, data or hardware: a rough guess."
        )
    return 0


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def _totals(runs: Sequence[RunProgress], left: Sequence[Estimate], max_parallel: int | None) -> str:
    """The number of runs in each state, the minutes spent, and the time left."""
    counts = Counter(run.state for run in runs)
    states = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
    spent = sum(run.seconds for run in runs) / 60
    known = [estimate.seconds for estimate in left if estimate.seconds is not None]
    at_once = max(counts["running"], min(max_parallel or 1, max(len(left), 1)))
    parts = [f"{_count(len(runs))}: {states}; {spent:.1f} minutes of training"]
    if known:
        signs = {estimate.sign for estimate in left if estimate.seconds is not None}
        sign = signs.pop() if len(signs) == 1 else "~"
        parts.append(f"time left {sign}{format_seconds(sum(known) / at_once)} with {at_once} at once")
    if len(known) < len(left):
        parts.append(f"unknown for {_count(len(left) - len(known))}" if known else "time left unknown")
    return "; ".join(parts)


STATUS = Command(
    ("run", "compare"),
    _run,
    CompareOptions,
    resolve=resolve_compare,
    overrides_runs=True,
    needs_torch=False,
    description="show the progress of a comparison, and the time that it still needs",
)
