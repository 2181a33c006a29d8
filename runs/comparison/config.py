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
RunConfig = ExperimentConfig | TuneConfig


@dataclass(frozen=True)
class CompareConfig:
    """A comparison: its own options, and the configuration of each run, or of the search that precedes it."""

    run: RunOptions
    compare: CompareOptions
    runs: tuple[RunConfig, ...]

    @classmethod
    def of(cls, resolved: Resolved) -> CompareConfig:
        """Build the configuration from resolved options. A run whose results no seed changes is run with one seed."""
        runs = [TuneConfig.of(run) if run.command == "tune" else ExperimentConfig.of(run) for run in resolved.runs]
        once = _each_result_once(runs)
        if len(once) < len(runs):
            labels = dict.fromkeys(experiment_of(run).label for run in once if not experiment_of(run).depends_on_seed)
            log.info("run with one seed, because the seed changes nothing: %s", ", ".join(labels))
        return cls(resolved.section("run", RunOptions), resolved.section("compare", CompareOptions), tuple(once))


def experiment_of(run: RunConfig) -> ExperimentConfig:
    """The configuration of the run itself, without that of its search."""
    return run.experiment if isinstance(run, TuneConfig) else run


def _each_result_once(runs: Sequence[RunConfig]) -> list[RunConfig]:
    kept = []
    seen: dict[str, int] = {}  # the seed of a run that doesn't depend on it
    for run in runs:
        experiment = experiment_of(run)
        if not experiment.depends_on_seed:
            rest = {key: value for key, value in run.values().items() if key != "seed"}
            first = seen.setdefault(json.dumps([experiment.label, rest], default=str), experiment.run.seed)
            if first != experiment.run.seed:
                continue
        kept.append(run)
    return kept
