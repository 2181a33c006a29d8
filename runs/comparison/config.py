"""The configuration of a comparison."""

from __future__ import annotations

from dataclasses import dataclass

from options import Resolved
from runs.comparison.options import CompareOptions
from runs.config import ExperimentConfig
from runs.run_options import RunOptions
from runs.tuning.config import TuneConfig


@dataclass(frozen=True)
class CompareConfig:
    """A comparison: its own options, and the configuration of each run, or of the search that precedes it."""

    run: RunOptions
    compare: CompareOptions
    cells: tuple[ExperimentConfig | TuneConfig, ...]

    @classmethod
    def of(cls, resolved: Resolved) -> CompareConfig:
        """Build the configuration from resolved options."""
        cells = [TuneConfig.of(cell) if cell.mode == "tune" else ExperimentConfig.of(cell) for cell in resolved.cells]
        return cls(resolved.section("run", RunOptions), resolved.section("compare", CompareOptions), tuple(cells))
