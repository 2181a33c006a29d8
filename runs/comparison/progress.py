"""The state of a comparison's runs, and the time that each still needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean
from typing import Any

import datasets
from common.errors import UserError
from common.locks import is_locked
from common.schema import result_options
from runs.comparison.config import RunConfig
from runs.comparison.execution import as_recorded, run_name
from runs.comparison.recorded_times import RecordedTimes
from runs.comparison.searches import found_before, tuning_folder
from runs.config import ExperimentConfig
from runs.folder_names import run_folder
from runs.tuning.config import TuneConfig
from trainers.options import GenericTrainerOptions, TransferTrainerOptions
from trainers.progress import format_seconds

NOT_STARTED = "not started"
TO_DO = ("running", "interrupted", NOT_STARTED)


@dataclass
class RunProgress:
    """One run of the comparison: its state (not started, running, interrupted, finished or failed) and its counters.

    `renamed` says that it was started under another label; `searches`, that its search comes first.
    """

    config: ExperimentConfig
    name: str
    state: str
    counters: dict[str, Any] = field(default_factory=dict)
    renamed: bool = False
    searches: bool = False

    @property
    def dataset(self) -> str:
        """The name of the dataset in results."""
        return datasets.name(self.config.run.dataset_code, self.config.dataset)

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
    """Seconds that a run still needs, about (`sign` "~") or as a bound; None if nothing is known.

    `rough` says that runs with other options, or on other data, were the source.
    """

    seconds: float | None = None
    sign: str = ""
    rough: bool = False

    def __str__(self) -> str:
        return "unknown" if self.seconds is None else f"{self.sign}{format_seconds(self.seconds)}"


def progress_of_all(runs: Sequence[RunConfig]) -> list[RunProgress]:
    """The state of each run, read from its folder, or from that of an earlier label."""
    found = [found_before(run) if isinstance(run, TuneConfig) else run for run in runs]
    known = as_recorded([experiment for experiment in found if experiment is not None])
    recorded = iter(known)
    progress = []
    for run, experiment in zip(runs, found, strict=True):
        if experiment is not None:
            current = next(recorded)
            progress.append(_progress_of(current, renamed=current.label != experiment.label))
        elif isinstance(run, TuneConfig):
            progress.append(RunProgress(run.experiment, str(tuning_folder(run).path), NOT_STARTED, searches=True))
    return progress


def _progress_of(config: ExperimentConfig, *, renamed: bool) -> RunProgress:
    folder = run_folder(config)
    name = run_name(folder)
    try:
        counters = folder.status()
    except UserError as error:
        return RunProgress(config, name, "failed", {"error": str(error)}, renamed)
    held = is_locked(folder.path)
    state = str(counters.get("state", NOT_STARTED))
    if held:
        state = "running"
    elif state == "running" and held is not None:
        state = "interrupted"  # killed before it could record it
    return RunProgress(config, name, state, counters, renamed)


def time_left(run: RunProgress, runs: Sequence[RunProgress], recorded: RecordedTimes) -> Estimate:
    """Estimate the time that a run still needs.

    From finished runs that differ by their seed only; or else, for a run that has started, from the limits in its
    options; or else from recorded and finished runs of the same model, or from runs of other seeds that have started.
    """
    estimate = _of_the_run(run, runs, recorded)
    if run.searches and estimate.seconds is not None:
        return Estimate(estimate.seconds, ">= ", estimate.rough)  # and the search
    return estimate


def _of_the_run(run: RunProgress, runs: Sequence[RunProgress], recorded: RecordedTimes) -> Estimate:
    longest = _longest(run)
    alike = [other for other in runs if other is not run and other.kind == run.kind]
    finished = [other.seconds for other in alike if other.state == "finished"]
    if finished:
        return _about(mean(finished), run, longest)
    bound = _bound(run, longest)
    if run.epochs and bound.seconds is not None:
        return bound
    started = [(other, _bound(other, _longest(other))) for other in alike if other.epochs and other.state != "failed"]
    config = run.config
    epochs = config.trainer.num_epochs if isinstance(config.trainer, GenericTrainerOptions) else None
    similar = recorded.seconds(config.run.model_code, run.dataset, config.run.split, config.label, epochs)
    if similar is not None:
        return _about(similar, run, longest, rough=True)
    if bound.seconds is not None:
        return bound
    return next(
        (Estimate(other.seconds + left.seconds, left.sign) for other, left in started if left.seconds is not None),
        Estimate(),
    )


def _about(seconds: float, run: RunProgress, longest: float | None, *, rough: bool = False) -> Estimate:
    """The estimate for a run that takes `seconds` in total."""
    left = max(seconds - run.seconds, 0.0)
    return Estimate(left if longest is None else min(left, longest), "~", rough)


def _bound(run: RunProgress, longest: float | None) -> Estimate:
    """The longest time that the options allow, or else the shortest."""
    if longest is not None:
        return Estimate(longest, "<= ")
    shortest = _shortest(run)
    return Estimate() if shortest is None else Estimate(shortest, ">= ")


def _longest(run: RunProgress) -> float | None:
    """Seconds until num_epochs or max_minutes ends the run."""
    options = run.config.trainer
    limits = []
    if isinstance(options, GenericTrainerOptions):
        if options.num_epochs is not None and run.epochs:
            limits.append((options.num_epochs - run.epochs) * run.seconds / run.epochs)
        if options.max_minutes is not None:
            limits.append(options.max_minutes * 60 - run.seconds)
    return max(min(limits), 0.0) if limits else None


def _shortest(run: RunProgress) -> float | None:
    """Seconds until early stopping has ended every remaining stage, if no epoch improves on the best one."""
    options = run.config.trainer
    if not isinstance(options, GenericTrainerOptions) or options.saturation_wait_epochs is None or not run.epochs:
        return None
    stages = 1
    if isinstance(options, TransferTrainerOptions) and options.train_transfer:
        stages = int(run.config.values()["max_len"]).bit_length()  # max_len, max_len // 2, ..., 1
    later = stages - 1 - int(run.counters.get("stage") or 0)
    waited = run.epochs - int(run.counters.get("waiting_since") or 0)
    epochs = options.saturation_wait_epochs * (later + 1) - waited
    return max(epochs, 0) * run.seconds / run.epochs
