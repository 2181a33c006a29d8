"""The search: ask the study for trials, run them with the launcher, and tell the study how they ended."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import Trial, TrialState

from common.errors import UserError
from common.schema import current_name
from evaluation.metrics import higher_is_better
from options.yaml_text import flow
from runs.experiment import check_needs, load_split, prepare_device
from runs.launchers import LaunchOptions, Result, Task, launch
from runs.tuning.config import TuneConfig
from runs.tuning.folder import TuningFolder, trial_name
from runs.tuning.results import SearchResult, check_template, write_results, write_table
from runs.tuning.study import (
    CHECKSUM,
    StudyPlan,
    as_parameters,
    changed_trials,
    checksum,
    database_errors,
    hide_password,
    sqlite_url,
    suggest,
)
from runs.tuning.trial import TrialResult, recorded, run_trial

log = logging.getLogger(__name__)
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
PILOT_TRIALS = 2
MAX_FAILURES = 5  # in a row: something is wrong with more than one trial


def search(config: TuneConfig, launching: LaunchOptions | None = None) -> SearchResult:
    """Search until there are `num_trials` trials, including those of earlier calls.

    Parameters
    ----------
    config : the experiment, and the options of the search
    launching : where trials run; None = as in `config`

    Returns
    -------
    SearchResult
        What was found, also if the search was interrupted.

    Raises
    ------
    UserError
        The folder, the storage or the data can't be used, or several trials in a row failed.
    """
    config = config.with_tune_seed()
    check_template(config)
    prepare_device(config.experiment.run)
    data = load_split(config.experiment).data
    check_needs(config.experiment, data)
    folder = TuningFolder.of(config)
    with folder.claimed(config):
        plan = plan_of(config, folder)
        with database_errors(plan.storage):
            study = _open_study(config, plan, folder, data.hash)
            log.info("%s: %d trials so far; study %s", folder.path, _count(study, *COUNTED), plan.name)
            searching = _Search(config, folder, plan, study)
            interrupted = False
            try:
                while searching.has_work():
                    for result in launch(searching.tasks(), launching or config.tune):
                        searching.take(result)
            except KeyboardInterrupt:
                interrupted = True
                log.info("interrupted; the same command resumes the search")
            except UserError:  # several trials in a row failed: write what there is
                write_table(config, plan, study, folder)
                raise
            return write_results(config, plan, study, folder, interrupted)


def plan_of(config: TuneConfig, folder: TuningFolder) -> StudyPlan:
    """The plan of the study of a search."""
    options, trainer = config.tune, config.experiment.trainer
    return StudyPlan(
        storage=options.storage or sqlite_url(folder.database.resolve()),
        name=f"{folder.path.parent.name}/{folder.path.name}",
        seed=config.experiment.run.seed,
        startup_trials=options.startup_trials,
        pruner=options.pruner,
        warmup_epochs=options.pruner_warmup_epochs,
        num_epochs=getattr(trainer, "num_epochs", None),
        higher_is_better=higher_is_better(config.experiment.evaluation.best_metric),
    )


def _open_study(config: TuneConfig, plan: StudyPlan, folder: TuningFolder, data_hash: str) -> Study:
    """Open the study, new or from an earlier start. Raises UserError if the data has changed."""
    options = config.experiment.run
    if options.overwrite or options.pilot:
        folder.summary.unlink(missing_ok=True)  # first, so that a search that is killed here doesn't look finished
        plan.delete()
        folder.clear()
    study = plan.open()
    if study.user_attrs.setdefault("data_hash", data_hash) != data_hash:
        raise UserError(
            f"the data has changed since {folder.path} was started: restart from scratch with --overwrite true"
        )
    if folder.trials() and not study.get_trials(deepcopy=False):
        raise UserError(
            f"{folder.path} holds trials of a study that {hide_password(plan.storage)} doesn't have: give "
            "the --storage that it was started with, or restart from scratch with --overwrite true"
        )
    _check_trials(study, plan, folder)
    study.set_user_attr("data_hash", data_hash)
    folder.write_config(config)
    spaces, own = config.spaces, config.values()
    values = {key: own[current_name(key)] for key in spaces}
    if not study.get_trials(deepcopy=False) and all(space.contains(values[key]) for key, space in spaces.items()):
        study.enqueue_trial(as_parameters(values, spaces))  # the template's own values are tried first
    return study


def _check_trials(study: Study, plan: StudyPlan, folder: TuningFolder) -> None:
    """Refuse a study whose ended trials were changed since: it would silently find another winner."""
    trials = study.get_trials(deepcopy=False)
    changed = changed_trials(trials)
    for trial in trials:
        there = recorded(folder.trial(trial.number, pilot=False)) if trial.state in COUNTED else None
        if there is None or there.value is None:
            continue
        value = plan.sign(study) * there.value
        stored = [trial.user_attrs.get("best", value), *(trial.values if trial.state == TrialState.COMPLETE else [])]
        if any(one != value for one in stored):
            changed.append(trial.number)
    if changed:
        raise UserError(
            f"in the study {plan.name} in {hide_password(plan.storage)}, trials were changed after they had ended: "
            f"{', '.join(map(str, sorted(set(changed))))}. Restart from scratch with --overwrite true"
        )


def _count(study: Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


@dataclass
class _Search:
    """Starts trials and records how they end."""

    config: TuneConfig
    folder: TuningFolder
    plan: StudyPlan
    study: Study
    failures: int = 0  # in a row
    running: dict[int, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options, pilot = self.config.tune, self.config.experiment.run.pilot
        self.num_trials = min(options.num_trials, PILOT_TRIALS) if pilot else options.num_trials
        # trials that were running when an earlier start of the search ended
        self.left_over = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def has_work(self) -> bool:
        """Whether trials are left to run. Raises UserError if they all fail."""
        if self.failures >= MAX_FAILURES:
            error = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))[-1].user_attrs.get("error")
            raise UserError(f"the last {self.failures} trials failed, so the search was stopped: {error}")
        return bool(self.left_over) or self._may_start()

    def _may_start(self) -> bool:
        """Whether the budget allows a new trial."""
        if _count(self.study, *COUNTED) + len(self.running) >= self.num_trials or self.failures >= MAX_FAILURES:
            return False
        limit = self.config.tune.tune_minutes
        trials = self.study.get_trials(deepcopy=False)
        return limit is None or sum(trial.user_attrs.get("minutes", 0.0) for trial in trials) < limit

    def tasks(self) -> Iterator[Task[TrialResult]]:
        """First the interrupted trials, then new ones while the budget lasts."""
        spaces = self.config.spaces
        while self.left_over or self._may_start():
            left = self.left_over.pop(0) if self.left_over else None
            trial = self.study.ask() if left is None else Trial(self.study, left._trial_id)
            self.running[trial.number] = trial
            values = suggest(trial, spaces)
            log.info("trial %d: %s", trial.number, ", ".join(f"{key} {flow(value)}" for key, value in values.items()))
            place = (self.config, self.folder, self.plan, trial.number, trial._trial_id)
            yield Task(trial_name(trial.number), run_trial, place)

    def take(self, result: Result[TrialResult]) -> None:
        """Tell the study how a trial ended. An interrupted trial keeps running in the study, to be resumed."""
        number = int(result.task.arguments[3])
        trial = self.running.pop(number)
        if result.interrupted:
            return
        ended = result.value or TrialResult("failed", error=result.error)
        value = None if ended.value is None else self.plan.sign(self.study) * ended.value
        attributes = {"epochs": ended.epochs, "minutes": ended.minutes, "best": value, "error": ended.error}
        for key, attribute in attributes.items():
            trial.set_user_attr(key, attribute)
        self.failures = self.failures + 1 if ended.end == "failed" else 0
        told, state = value if ended.end == "complete" else None, STATES[ended.end]
        frozen = self.study.get_trials(deepcopy=False)[number]
        # optuna gives a pruned trial its last reported value
        last = frozen.intermediate_values[frozen.last_step] if frozen.last_step is not None else None
        kept = last if state == TrialState.PRUNED else told
        trial.set_user_attr(CHECKSUM, checksum(frozen, state, kept))
        self.study.tell(trial, told, state=state)
        log.info("trial %d %s%s", number, ended.end, "" if ended.value is None else f": {ended.value:.4f}")
