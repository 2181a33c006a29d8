"""The search: asks the study for trials, has them run by the launcher, and tells it what became of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from optuna.study import Study
from optuna.trial import Trial, TrialState

from common.errors import UserError
from evaluation.metrics import higher_is_better
from options.request import Request
from options.tune import spaces_of
from options.yaml_text import flow
from runs.build import check_needs, load_data, make_split, prepare_machine, run_options
from runs.launchers import LaunchOptions, Result, Task, launch
from runs.tuning.folder import TuningFolder, trial_name, tune_options, with_tune_seed
from runs.tuning.study import StudyPlan, as_parameters, shown_url, sqlite_url, suggest
from runs.tuning.trial import Outcome, run_trial
from runs.tuning.winner import Tuned, check_template, write_results, write_table

log = logging.getLogger(__name__)
STATES = {"complete": TrialState.COMPLETE, "pruned": TrialState.PRUNED, "failed": TrialState.FAIL}
COUNTED = (TrialState.COMPLETE, TrialState.PRUNED)
PILOT_TRIALS = 2
MOST_FAILURES = 5  # in a row: something is wrong with more than a trial


def search(request: Request, launching: LaunchOptions | None = None) -> Tuned:
    """Search until there are as many trials as asked for, counting those of earlier calls.

    Args:
        request: one of mode tune.
        launching: where trials are run; None = as the request says.

    Returns what was found, also if it was interrupted.

    Raises:
        UserError: the folder, the storage or the data can't be used, or trials fail one after the other.
    """
    request = with_tune_seed(request)
    check_template(request)
    prepare_machine(request)
    data = load_data(request)
    check_needs(request, data)
    data_hash = make_split(request, data).data.hash
    folder = TuningFolder.of(request)
    with folder.claimed(request):
        plan = plan_of(request, folder)
        study = _begin(request, plan, folder, data_hash)
        log.info("%s: %d trials so far; study %s", folder.path, _count(study, *COUNTED), plan.name)
        searching = _Search(request, folder, plan, study)
        interrupted = False
        try:
            while searching.goes_on():
                for result in launch(searching.tasks(), launching or tune_options(request)):
                    searching.take(result)
        except KeyboardInterrupt:
            interrupted = True
            log.info("interrupted; the same command goes on")
        except UserError:  # trials failed one after the other: what there is of results is written all the same
            write_table(request, plan, study, folder)
            raise
        return write_results(request, plan, study, folder, interrupted)


def plan_of(request: Request, folder: TuningFolder) -> StudyPlan:
    """How the study of a search is opened."""
    options, trainer = tune_options(request), request.sections["trainer"]
    return StudyPlan(
        storage=options.storage or sqlite_url(folder.database.resolve()),
        name=f"{folder.path.parent.name}/{folder.path.name}",
        seed=run_options(request).seed,
        startup_trials=options.startup_trials,
        pruner=options.pruner,
        warmup_epochs=options.pruner_warmup_epochs,
        num_epochs=getattr(trainer, "num_epochs", None),
        higher_is_better=higher_is_better(request.values["best_metric"]),
    )


def _begin(request: Request, plan: StudyPlan, folder: TuningFolder, data_hash: str) -> Study:
    """The study, new or as it was left. Raises UserError if it is one of other data."""
    options = run_options(request)
    if options.overwrite or options.pilot:
        plan.delete()
        folder.clear()
    study = plan.open()
    if study.user_attrs.setdefault("data_hash", data_hash) != data_hash:
        raise UserError(f"the data has changed since {folder.path} was begun: --overwrite true searches anew")
    if folder.trials() and not study.get_trials(deepcopy=False):
        raise UserError(
            f"{folder.path} holds trials of a study that {shown_url(plan.storage)} doesn't have: give the --storage "
            "that it was begun with, or start anew with --overwrite true"
        )
    study.set_user_attr("data_hash", data_hash)
    folder.begin(request)
    spaces = spaces_of(request)
    values = {key: request.values[key] for key in spaces}
    if not study.get_trials(deepcopy=False) and all(space.contains(values[key]) for key, space in spaces.items()):
        study.enqueue_trial(as_parameters(values, spaces))  # the template's own values come first
    return study


def _count(study: Study, *states: TrialState) -> int:
    return len(study.get_trials(deepcopy=False, states=states))


@dataclass
class _Search:
    """The trials that are asked for, and what becomes of them."""

    request: Request
    folder: TuningFolder
    plan: StudyPlan
    study: Study
    failures: int = 0  # in a row
    running: dict[int, Trial] = field(default_factory=dict)

    def __post_init__(self) -> None:
        options = tune_options(self.request)
        pilot = run_options(self.request).pilot
        self.num_trials = min(options.num_trials, PILOT_TRIALS) if pilot else options.num_trials
        # trials that were running when the last search ended
        self.left_over = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))

    def goes_on(self) -> bool:
        """Whether there is more to do when nothing runs. Raises UserError if it would be in vain."""
        if self.failures >= MOST_FAILURES:
            error = self.study.get_trials(deepcopy=False, states=(TrialState.FAIL,))[-1].user_attrs.get("error")
            raise UserError(f"the last {self.failures} trials failed, so the search was stopped: {error}")
        return bool(self.left_over) or self._may_begin()

    def _may_begin(self) -> bool:
        """Whether the budget has room for a new trial."""
        if _count(self.study, *COUNTED) + len(self.running) >= self.num_trials or self.failures >= MOST_FAILURES:
            return False
        limit = tune_options(self.request).tune_minutes
        trials = self.study.get_trials(deepcopy=False)
        return limit is None or sum(trial.user_attrs.get("minutes", 0.0) for trial in trials) < limit

    def tasks(self) -> Iterator[Task[Outcome]]:
        """First the trials that were left over, then new ones while the budget has room."""
        spaces = spaces_of(self.request)
        while self.left_over or self._may_begin():
            left = self.left_over.pop(0) if self.left_over else None
            trial = self.study.ask() if left is None else Trial(self.study, left._trial_id)
            self.running[trial.number] = trial
            values = suggest(trial, spaces)
            log.info("trial %d: %s", trial.number, ", ".join(f"{key} {flow(value)}" for key, value in values.items()))
            place = (self.request, self.folder, self.plan, trial.number, trial._trial_id)
            yield Task(trial_name(trial.number), run_trial, place)

    def take(self, result: Result[Outcome]) -> None:
        """Tell the study how a trial ended; one that was interrupted stays as it is, to be gone on with."""
        number = int(result.task.arguments[3])
        trial = self.running.pop(number)
        if result.interrupted:
            return
        outcome = result.value or Outcome("failed", error=result.error)
        value = None if outcome.value is None else self.plan.sign(self.study) * outcome.value
        facts = {"epochs": outcome.epochs, "minutes": outcome.minutes, "best": value, "error": outcome.error}
        for key, fact in facts.items():
            trial.set_user_attr(key, fact)
        self.failures = self.failures + 1 if outcome.end == "failed" else 0
        self.study.tell(trial, value if outcome.end == "complete" else None, state=STATES[outcome.end])
        log.info("trial %d %s%s", number, outcome.end, "" if outcome.value is None else f": {outcome.value:.4f}")
