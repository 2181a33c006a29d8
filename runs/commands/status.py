"""Mode status: the progress of a comparison's runs, and the time they still need. Changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from options import Resolved
from runs.command import Command
from runs.comparison.config import CompareConfig
from runs.comparison.options import CompareOptions
from runs.comparison.progress import TO_DO, Cell, Estimate, look_at_all, time_left
from runs.comparison.recorded_times import RecordedTimes
from runs.comparison.resolve import resolve_compare
from trainers.progress import format_seconds

WIDTH = 140  # where there is no terminal


def _run(resolved: Resolved) -> int:
    """Print a row for each run of the comparison, and totals."""
    config = CompareConfig.of(resolved)
    options = config.compare
    cells = look_at_all(config.cells)
    recorded = RecordedTimes(tuple({Path(cell.config.run.experiment_root): None for cell in cells}))
    left = [time_left(cell, cells, recorded) if cell.state in TO_DO else None for cell in cells]
    table = Table(
        "run", "dataset", "state", "epochs", "best", "minutes", "time left", title="The runs of the comparison"
    )
    for cell, estimate in zip(cells, left, strict=True):
        best = cell.counters.get("best_value")
        table.add_row(
            cell.name,
            cell.dataset,
            cell.state,
            str(cell.epochs) if cell.counters else "",
            ""
            if best is None
            else f"{cell.config.evaluation.best_metric} {best:.4f} ({cell.counters.get('best_epoch')})",
            f"{cell.seconds / 60:.1f}" if cell.counters else "",
            "" if estimate is None else str(estimate),
        )
    on_screen = Console().is_terminal
    Console(width=None if on_screen else WIDTH, markup=False, emoji=False).print(table)
    for cell in cells:
        if cell.state == "failed":
            print(f"{cell.name} failed: {cell.counters.get('error')}")
        if cell.renamed:
            print(f"{cell.name} was started under this label before; it counts, and is not started again")
    to_do = [estimate for estimate in left if estimate is not None]
    print(_totals(cells, to_do, options.max_parallel))
    if any(estimate.rough for estimate in to_do):
        print(
            "Where no run with the same options has finished, the time comes from recorded or finished runs of the "
            "same model, which may have other options, data or hardware: a rough guess."
        )
    return 0


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def _totals(cells: Sequence[Cell], left: Sequence[Estimate], max_parallel: int | None) -> str:
    """The number of runs in each state, the minutes spent, and the time left."""
    counts = Counter(cell.state for cell in cells)
    states = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
    spent = sum(cell.seconds for cell in cells) / 60
    known = [estimate.seconds for estimate in left if estimate.seconds is not None]
    at_once = max(counts["running"], min(max_parallel or 1, max(len(left), 1)))
    parts = [f"{_count(len(cells))}: {states}; {spent:.1f} minutes of training"]
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
