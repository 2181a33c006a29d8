"""Mode status: the progress of a comparison's runs, and the time they still need. Changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from common.errors import UserError
from common.locks import is_locked
from common.schema import result_options
from options import Resolved
from runs.command import Command
from runs.comparison.cells import run_name
from runs.comparison.config import CompareConfig
from runs.comparison.options import CompareOptions
from runs.comparison.resolve import resolve_compare
from runs.config import ExperimentConfig
from runs.folders import run_folder
from runs.tuning.cells import found_before, tuning_folder
from runs.tuning.config import TuneConfig
from trainers.options import GenericTrainerOptions, TransferTrainerOptions
from trainers.progress import format_seconds

WIDTH = 120  # where there is no terminal
TO_DO = ("running", "interrupted", "missing")


@dataclass
class Cell:
    """One run of the comparison: its state (missing, running, interrupted, finished or failed) and its counters."""

    config: ExperimentConfig
    name: str
    state: str
    counters: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> dict[str, Any]:
        """Runs of the same kind differ by their seed only, so they take about equally long."""
        return {key: value for key, value in result_options(self.config.values()).items() if key != "seed"}

    @property
    def epochs(self) -> int:
        """Epochs done."""
        return int(self.counters.get("epoch") or 0)

    @property
    def seconds(self) -> float:
        """Time spent in training and validation."""
        return float(self.counters.get("seconds") or 0.0)


@dataclass(frozen=True)
class Estimate:
    """Seconds that a run still needs, exactly or as a bound (`sign`); None if nothing is known."""

    seconds: float | None = None
    sign: str = ""

    def __str__(self) -> str:
        return "unknown" if self.seconds is None else f"{self.sign}{format_seconds(self.seconds)}"


def _run(resolved: Resolved) -> int:
    """Print a row for each run of the comparison, and totals."""
    config = CompareConfig.of(resolved)
    options = config.compare
    cells = [look(cell) for cell in config.cells]
    left = [time_left(cell, cells) if cell.state in TO_DO else None for cell in cells]
    table = Table("run", "state", "epochs", "best", "minutes", "time left", title="The runs of the comparison")
    for cell, estimate in zip(cells, left, strict=True):
        best = cell.counters.get("best_value")
        table.add_row(
            cell.name,
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
    print(_totals(cells, [estimate for estimate in left if estimate is not None], options.max_parallel))
    return 0


def look(cell: ExperimentConfig | TuneConfig) -> Cell:
    """The state of a run, read from its folder."""
    if isinstance(cell, TuneConfig):
        found = found_before(cell)
        if found is None:
            return Cell(cell.experiment, str(tuning_folder(cell).path), "missing")
        cell = found
    folder = run_folder(cell)
    name = run_name(folder)
    try:
        counters = folder.status()
    except UserError as error:
        return Cell(cell, name, "failed", {"error": str(error)})
    held = is_locked(folder.path)
    state = str(counters.get("state", "missing"))
    if held:
        state = "running"
    elif state == "running" and held is not None:
        state = "interrupted"  # killed before it could record it
    return Cell(cell, name, state, counters)


def time_left(cell: Cell, cells: list[Cell]) -> Estimate:
    """Estimate from finished runs that differ by their seed only, or else from the limits in the options."""
    longest = _longest(cell)
    finished = [other.seconds for other in cells if other.kind == cell.kind and other.state == "finished"]
    if finished:
        about = max(mean(finished) - cell.seconds, 0.0)
        return Estimate(about if longest is None else min(about, longest), "~")
    if longest is not None:
        return Estimate(longest, "<= ")
    shortest = _shortest(cell)
    return Estimate() if shortest is None else Estimate(shortest, ">= ")


def _longest(cell: Cell) -> float | None:
    """Seconds until num_epochs or max_minutes ends the run."""
    options = cell.config.trainer
    limits = []
    if isinstance(options, GenericTrainerOptions):
        if options.num_epochs is not None and cell.epochs:
            limits.append((options.num_epochs - cell.epochs) * cell.seconds / cell.epochs)
        if options.max_minutes is not None:
            limits.append(options.max_minutes * 60 - cell.seconds)
    return max(min(limits), 0.0) if limits else None


def _shortest(cell: Cell) -> float | None:
    """Seconds until early stopping has ended every remaining stage, if no epoch improves on the best one."""
    options = cell.config.trainer
    if not isinstance(options, GenericTrainerOptions) or options.saturation_wait_epochs is None or not cell.epochs:
        return None
    stages = 1
    if isinstance(options, TransferTrainerOptions) and options.train_transfer:
        stages = int(cell.config.values()["max_len"]).bit_length()  # max_len, max_len // 2, ..., 1
    later = stages - 1 - int(cell.counters.get("stage") or 0)
    waited = cell.epochs - int(cell.counters.get("waiting_since") or 0)
    epochs = options.saturation_wait_epochs * (later + 1) - waited
    return max(epochs, 0) * cell.seconds / cell.epochs


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs"


def _totals(cells: list[Cell], left: list[Estimate], max_parallel: int | None) -> str:
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
