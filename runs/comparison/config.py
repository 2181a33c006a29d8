"""The configuration of a comparison."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from options import Resolved
from runs.comparison.options import CompareOptions
from runs.config import ExperimentConfig
from runs.run_options import RunOptions
from runs.tuning.config import TuneConfig

log = logging.getLogger(__name__)
CellConfig = ExperimentConfig | TuneConfig


@dataclass(frozen=True)
class CompareConfig:
    """A comparison: its own options, and the configuration of each run, or of the search that precedes it."""

    run: RunOptions
    compare: CompareOptions
    cells: tuple[CellConfig, ...]

    @classmethod
    def of(cls, resolved: Resolved) -> CompareConfig:
        """Build the configuration from resolved options. A run whose results no seed changes is run with one seed."""
        cells = [TuneConfig.of(cell) if cell.mode == "tune" else ExperimentConfig.of(cell) for cell in resolved.cells]
        once = _each_result_once(cells)
        if len(once) < len(cells):
            labels = dict.fromkeys(
                experiment_of(cell).label for cell in once if not experiment_of(cell).depends_on_seed
            )
            log.info("run with one seed, because the seed changes nothing: %s", ", ".join(labels))
        return cls(resolved.section("run", RunOptions), resolved.section("compare", CompareOptions), tuple(once))


def experiment_of(cell: CellConfig) -> ExperimentConfig:
    """The configuration of the run itself, without that of its search."""
    return cell.experiment if isinstance(cell, TuneConfig) else cell


def _each_result_once(cells: Sequence[CellConfig]) -> list[CellConfig]:
    kept = []
    seen: dict[str, int] = {}  # the seed of a run that doesn't depend on it
    for cell in cells:
        experiment = experiment_of(cell)
        if not experiment.depends_on_seed:
            rest = {key: value for key, value in cell.values().items() if key != "seed"}
            first = seen.setdefault(json.dumps([experiment.label, rest], default=str), experiment.run.seed)
            if first != experiment.run.seed:
                continue
        kept.append(cell)
    return kept
