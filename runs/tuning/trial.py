"""One trial of a search: a run that is not tested, reports to the study, and may be pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import Trial

from common.errors import UserError
from options import Origin
from runs.config import ExperimentConfig
from runs.train import TrialRules, train
from runs.tuning.config import TuneConfig
from runs.tuning.folder import TuningFolder, trial_name
from runs.tuning.study import StudyPlan, database_errors, suggest
from trainers.run_folder import RunFolder

TrialEnd = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class TrialResult:
    """How a trial ended.

    Attributes
    ----------
    end : how it ended
    value : the best value of best_metric over its epochs; None if it failed
    epochs, minutes : how long it trained
    error : why it failed
    """

    end: TrialEnd
    value: float | None = None
    epochs: int = 0
    minutes: float = 0.0
    error: str | None = None


def recorded(folder: RunFolder) -> TrialResult | None:
    """The result in a trial's folder; None if the trial hasn't ended."""
    status = folder.status()
    minutes, epochs = status.get("seconds", 0.0) / 60, status.get("epoch", 0)
    if status.get("state") == "failed":
        return TrialResult("failed", None, epochs, minutes, status.get("error"))
    if status.get("state") != "finished":
        return None
    if status.get("stopped_by") is None or status.get("best_value") is None:
        raise UserError(f"{folder.status_file} is damaged (it doesn't say how the trial ended): remove it")
    end: TrialEnd = "pruned" if status["stopped_by"] == "pruned" else "complete"
    return TrialResult(end, status["best_value"], epochs, minutes)


def trial_run(config: TuneConfig, folder: TuningFolder, values: dict[str, Any], number: int) -> ExperimentConfig:
    """The run of a trial of a search."""
    experiment = config.experiment
    own = {
        "experiment_group": str(folder.path.relative_to(experiment.run.experiment_root)),
        "experiment_name": trial_name(number),
        "label": f"{experiment.label} trial {number}",
        "resume_training": True,
        "overwrite": False,
    }
    return config.run_with(Origin.program(f"trial {number}"), **{**values, **own})


def run_trial(config: TuneConfig, folder: TuningFolder, plan: StudyPlan, number: int, identity: int) -> TrialResult:
    """Run or resume a trial; `identity` is its id in the storage.

    Raises KeyboardInterrupt after Ctrl-C; the trial can then be resumed.
    """
    trial = Trial(plan.open(), identity)
    run = trial_run(config, folder, suggest(trial, config.spaces), number)
    pilot = config.experiment.run.pilot
    own = folder.trial(number, pilot)
    before = recorded(own)
    if before is not None and not pilot:
        return before
    with database_errors(plan.storage):
        written = train(run, TrialRules(_Pruning(trial, plan.sign(trial.study))))
    if written["stopped_by"] == "interrupted":
        raise KeyboardInterrupt
    after = recorded(own)
    if after is None:
        raise RuntimeError(f"{own.path} doesn't record how the trial ended")
    return after


class _Pruning:
    """Reports each epoch's value and asks the study whether to prune the trial.

    Epochs that are repeated after a kill are not reported again. Only the last reported one is asked about again: its
    answer may have been lost.
    """

    def __init__(self, trial: Trial, sign: int) -> None:
        self._trial, self._sign = trial, sign
        identity = trial.number
        frozen = next(one for one in trial.study.get_trials(deepcopy=False) if one.number == identity)
        self._last = frozen.last_step or 0

    def __call__(self, epoch: int, value: float) -> bool:
        """Whether the trial should end after this epoch."""
        if epoch < self._last:
            return False
        if epoch > self._last:
            self._trial.report(self._sign * value, epoch)
        return self._trial.should_prune()
