"""One trial of a search: an ordinary run without its test, which reports to the study and may be pruned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from optuna.trial import Trial

from options.request import Request
from options.tune import run_of, spaces_of
from runs.build import run_options
from runs.folders import label_of
from runs.train import TrialRules, train
from runs.tuning.folder import TuningFolder, trial_name
from runs.tuning.study import StudyPlan, suggest
from trainers.run_folder import RunFolder

TrialEnd = Literal["complete", "pruned", "failed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a trial.

    Attributes
    ----------
    end : how it ended
    value : the best deciding metric of its epochs; None if it failed
    epochs, minutes : how long it trained
    error : why it failed
    """

    end: TrialEnd
    value: float | None = None
    epochs: int = 0
    minutes: float = 0.0
    error: str | None = None


def recorded(folder: RunFolder) -> Outcome | None:
    """The outcome that a trial's folder tells of; None if it isn't over."""
    status = folder.status()
    minutes, epochs = status.get("seconds", 0.0) / 60, status.get("epoch", 0)
    if status.get("state") == "failed":
        return Outcome("failed", None, epochs, minutes, status.get("error"))
    if status.get("state") != "finished":
        return None
    end: TrialEnd = "pruned" if status["stopped_by"] == "pruned" else "complete"
    return Outcome(end, status["best_value"], epochs, minutes)


def trial_run(request: Request, folder: TuningFolder, values: dict[str, Any], number: int) -> Request:
    """The run of a trial; `request` is that of the search."""
    place = {
        "experiment_group": str(folder.path.relative_to(run_options(request).experiment_root)),
        "experiment_name": trial_name(number),
        "label": f"{label_of(request)} trial {number}",
        "resume_training": True,
        "overwrite": False,
    }
    return run_of(request, {**values, **place}, f"trial {number}")


def run_trial(request: Request, folder: TuningFolder, plan: StudyPlan, number: int, identity: int) -> Outcome:
    """Do a trial, or go on with it; `identity` is its id in the storage.

    Raises KeyboardInterrupt if Ctrl-C ended it: it can be gone on with.
    """
    trial = Trial(plan.open(), identity)
    run = trial_run(request, folder, suggest(trial, spaces_of(request)), number)
    own = folder.trial(request, number)
    before = recorded(own)
    if before is not None and not run_options(request).pilot:
        return before
    written = train(run, TrialRules(_Pruning(trial, plan.sign(trial.study))))
    if written["stopped_by"] == "interrupted":
        raise KeyboardInterrupt
    after = recorded(own)
    assert after is not None, "a run that ended says so in its folder"
    return after


class _Pruning:
    """Reports each epoch's value and asks the study whether the trial should go on.

    What was decided about an epoch stays: when epochs are done again after a kill, only the last of those that were
    reported is asked about, for the answer may have been lost.
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
