"""Mode status: how far the runs of a comparison are, and how long they may still take. It changes nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table

from common.errors import UserError
from evaluation.options import EvaluationOptions
from options.request import Request
from runs.build import run_options
from runs.compare import CompareOptions, run_name
from runs.folders import is_held, label_of, run_folder
from runs.tuning.cells import found_before, tuning_folder
from trainers.options import GenericTrainerOptions, TransferTrainerOptions
from trainers.progress import format_seconds

WIDTH = 120  # where there is no terminal
TO_DO = ("running", "interrupted", "missing")


@dataclass
class Cell:
    """One run of the comparison: missing, running, interrupted (or killed), finished or failed; and its counters."""

    request: Request
    name: str
    state: str
    counters: dict[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> tuple[str, str, str]:
        """What runs that take about as long have in common: all but the seed."""
        run = run_options(self.request)
        return label_of(self.request), run.dataset_code, self.request.sections["dataset"].model_dump_json()

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
    """Seconds that a run still takes: about, at least, or at most so many; None = nothing to estimate from."""

    seconds: float | None = None
    sign: str = ""

    def __str__(self) -> str:
        return "unknown" if self.seconds is None else f"{self.sign}{format_seconds(self.seconds)}"


def status(request: Request) -> int:
    """Show a row for each run of the comparison, and what they come to together."""
    options = request.sections["compare"]
    assert isinstance(options, CompareOptions)
    cells = [look(cell) for cell in request.cells]
    left = {cell.name: time_left(cell, cells) for cell in cells if cell.state in TO_DO}
    table = Table("run", "state", "epochs", "best", "minutes", "time left", title="The runs of the comparison")
    for cell in cells:
        best = cell.counters.get("best_value")
        table.add_row(
            cell.name,
            cell.state,
            str(cell.epochs) if cell.counters else "",
            "" if best is None else f"{_metric(cell.request)} {best:.4f} ({cell.counters.get('best_epoch')})",
            f"{cell.seconds / 60:.1f}" if cell.counters else "",
            str(left.get(cell.name, "")),
        )
    on_screen = Console().is_terminal
    Console(width=None if on_screen else WIDTH, markup=False, emoji=False).print(table)
    for cell in cells:
        if cell.state == "failed":
            print(f"{cell.name} failed: {cell.counters.get('error')}")
    print(_totals(cells, list(left.values()), options.max_parallel))
    return 0


def look(request: Request) -> Cell:
    """What a run's folder says of it."""
    if request.mode == "tune":
        found = found_before(request)
        if found is None:
            return Cell(request, str(tuning_folder(request).path), "missing")
        request = found
    folder = run_folder(request)
    name = run_name(folder)
    try:
        counters = folder.status()
    except UserError as error:
        return Cell(request, name, "failed", {"error": str(error)})
    held = is_held(folder)
    state = str(counters.get("state", "missing"))
    if held:
        state = "running"
    elif state == "running" and held is not None:
        state = "interrupted"  # by something that left it no time to say so
    return Cell(request, name, state, counters)


def time_left(cell: Cell, cells: list[Cell]) -> Estimate:
    """What runs that differ by their seed alone took, where some are finished; else what the options allow."""
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
    """Seconds until the last epoch or the last minute that the options allow."""
    options = cell.request.sections["trainer"]
    limits = []
    if isinstance(options, GenericTrainerOptions):
        if options.num_epochs is not None and cell.epochs:
            limits.append((options.num_epochs - cell.epochs) * cell.seconds / cell.epochs)
        if options.max_minutes is not None:
            limits.append(options.max_minutes * 60 - cell.seconds)
    return max(min(limits), 0.0) if limits else None


def _shortest(cell: Cell) -> float | None:
    """Seconds until every stage that is left is saturated, if no epoch is better than the best so far."""
    options = cell.request.sections["trainer"]
    if not isinstance(options, GenericTrainerOptions) or options.saturation_wait_epochs is None or not cell.epochs:
        return None
    stages = 1
    if isinstance(options, TransferTrainerOptions) and options.train_transfer:
        stages = int(cell.request.values["max_len"]).bit_length()  # max_len, max_len // 2, ..., 1
    later = stages - 1 - int(cell.counters.get("stage") or 0)
    waited = cell.epochs - int(cell.counters.get("waiting_since") or 0)
    epochs = options.saturation_wait_epochs * (later + 1) - waited
    return max(epochs, 0) * cell.seconds / cell.epochs


def _metric(request: Request) -> str:
    options = request.sections["evaluation"]
    assert isinstance(options, EvaluationOptions)
    return options.best_metric


def _totals(cells: list[Cell], left: list[Estimate], max_parallel: int | None) -> str:
    """How many runs are in which state, the minutes spent, and the time until all are done."""
    counts = Counter(cell.state for cell in cells)
    states = ", ".join(f"{counts[state]} {state}" for state in sorted(counts))
    spent = sum(cell.seconds for cell in cells) / 60
    known = [estimate.seconds for estimate in left if estimate.seconds is not None]
    at_once = max(counts["running"], min(max_parallel or 1, max(len(left), 1)))
    parts = [f"{len(cells)} runs: {states}; {spent:.1f} minutes of training"]
    if known:
        signs = {estimate.sign for estimate in left if estimate.seconds is not None}
        sign = signs.pop() if len(signs) == 1 else "~"
        parts.append(f"time left {sign}{format_seconds(sum(known) / at_once)} with {at_once} at once")
    if len(known) < len(left):
        parts.append(f"unknown for {len(left) - len(known)} runs" if known else "time left unknown")
    return "; ".join(parts)
