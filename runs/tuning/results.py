"""The results of a search: a table of its trials, the best options as a template, and a summary."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from common.errors import UserError
from common.files import atomic_path, write_text
from common.schema import current_names, result_options
from evaluation.metrics import RATING_METRICS
from options import Origin, parse
from options.registries import TEMPLATES
from options.yaml_text import dump_mapping, flow, read_mapping
from runs.command import Command
from runs.config import EXPERIMENT
from runs.registries import make_registries
from runs.tuning.config import TuneConfig
from runs.tuning.folder import TuningFolder
from runs.tuning.space import Space
from runs.tuning.study import StudyPlan, hide_password, values_of

log = logging.getLogger(__name__)
STATE_NAMES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "interrupted",
}
_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class TrialRow:
    """A trial in the table of a search.

    Attributes
    ----------
    number, state : the trial's number, and how it ended
    value : its best value of the metric; None if no epoch was validated
    epochs, minutes : how long it trained; None if unknown
    options : the values of the searched options that it has, as YAML
    error : why it failed; "" if it didn't
    """

    number: int
    state: str
    value: float | None
    epochs: int | None
    minutes: float | None
    options: dict[str, str]
    error: str

    def texts(self, searched: Iterable[str], value_text: Callable[[float], str] = repr) -> list[str]:
        """The cells of the row, under the columns of `columns_of`."""
        return [
            str(self.number),
            self.state,
            "" if self.value is None else value_text(self.value),
            "" if self.epochs is None else str(self.epochs),
            "" if self.minutes is None else f"{self.minutes:.3f}",
            *(self.options.get(key, "") for key in searched),
            self.error,
        ]


def columns_of(searched: Iterable[str]) -> list[str]:
    """The columns of the table of a search over these options."""
    return ["trial", "state", "value", "epochs", "minutes", *searched, "error"]


@dataclass(frozen=True)
class SearchResult:
    """What a search found.

    Attributes
    ----------
    folder : the folder of the search
    trials : all trials, by number
    searched : the searched options
    metric : the metric that was optimized
    best : the number of the winning trial; None if no trial has finished
    values : the values of the searched options in the winning trial
    files : the files that were written
    interrupted : whether trials are missing because of Ctrl-C
    """

    folder: Path
    trials: list[TrialRow]
    searched: tuple[str, ...]
    metric: str
    best: int | None
    values: dict[str, Any]
    files: list[Path]
    interrupted: bool

    def table(self, value_text: Callable[[float], str] = repr) -> list[list[str]]:
        """A row of texts for each trial, the header first."""
        return [columns_of(self.searched), *(trial.texts(self.searched, value_text) for trial in self.trials)]


def write_results(
    config: TuneConfig, plan: StudyPlan, study: Study, folder: TuningFolder, interrupted: bool
) -> SearchResult:
    """Write the table of trials and, if one has finished, the winner and the summary.

    Raises UserError if no trial has finished, although the search wasn't interrupted.
    """
    spaces, evaluation = config.spaces, config.experiment.evaluation
    trials = shown_trials(study)
    rows = write_table(config, plan, study, folder)
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    rates = evaluation.best_metric in RATING_METRICS
    metric = f"{'ratings' if rates else evaluation.validation_candidates}/{evaluation.best_metric}"
    if not finished:
        if interrupted:
            return SearchResult(folder.path, rows, tuple(spaces), metric, None, {}, [folder.table], interrupted)
        raise UserError(f"no trial finished, so there are no best options: see {folder.table}, and raise num_trials")
    towards_better = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    best = max(finished, key=lambda trial: (towards_better * (trial.value or 0.0), -trial.number))
    best_value = plan.sign(study) * (best.value or 0.0)
    values = values_of(best, spaces)
    folder.write_summary(_summary(config, plan, folder, trials, (best, best_value), values, metric, not interrupted))
    files = [folder.table, folder.summary, folder.best]
    written = config.tune.write_template
    if written is not None and config.experiment.run.pilot:
        log.info("a pilot writes no template; --write_template applies to the search itself")
    elif written is not None and not interrupted:
        files.append(TEMPLATES / f"{written}.yaml")
    for path in files[2:]:
        head = f"# {config.experiment.label} after {len(trials)} trials: {metric} {best_value:.4f} on validation"
        write_text(path, f"{head}\n{_template(config, values, folder, path.parent)}")
    return SearchResult(folder.path, rows, tuple(spaces), metric, best.number, values, files, interrupted)


def write_table(config: TuneConfig, plan: StudyPlan, study: Study, folder: TuningFolder) -> list[TrialRow]:
    """Write the table of trials; returns its rows."""
    rows = [_row(trial, config.spaces, plan.sign(study), study.direction) for trial in shown_trials(study)]
    with atomic_path(folder.table) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns_of(config.spaces))
        writer.writerows(row.texts(config.spaces) for row in rows)
    return rows


def shown_trials(study: Study) -> list[FrozenTrial]:
    """The trials that have been started, by number."""
    return [trial for trial in study.get_trials(deepcopy=False) if trial.state in STATE_NAMES]


def _row(trial: FrozenTrial, spaces: dict[str, Space], sign: int, direction: StudyDirection) -> TrialRow:
    best_of = max if direction == StudyDirection.MAXIMIZE else min
    attributes = trial.user_attrs
    value = attributes.get("best", best_of(trial.intermediate_values.values(), default=None))
    return TrialRow(
        number=trial.number,
        state=STATE_NAMES[trial.state],
        value=None if value is None else sign * value,
        epochs=attributes.get("epochs", trial.last_step or None),
        minutes=attributes.get("minutes"),
        options={key: flow(drawn) for key, drawn in values_of(trial, spaces).items()},
        error=attributes.get("error") or "",
    )


def _summary(
    config: TuneConfig,
    plan: StudyPlan,
    folder: TuningFolder,
    trials: Sequence[FrozenTrial],
    winner: tuple[FrozenTrial, float],
    values: dict[str, Any],
    metric: str,
    ended: bool,
) -> dict[str, Any]:
    """The content of tuning.json: how the winner was found."""
    states = [STATE_NAMES[trial.state] for trial in trials]
    options = config.tune
    best, value = winner
    return {
        "trials": {state: states.count(state) for state in STATE_NAMES.values()},
        "minutes": round(sum(trial.user_attrs.get("minutes", 0.0) for trial in trials), 3),
        "ended": ended,
        "budget": {"trials": options.num_trials, "minutes": options.tune_minutes},
        "storage": hide_password(options.storage) if options.storage else str(folder.database),
        "study": plan.name,
        "search": options.search,
        "sampler": f"TPE (optuna {optuna.__version__})",
        "startup_trials": plan.startup_trials,
        "pruner": plan.pruner,
        "seed": plan.seed,
        "metric": metric,
        "best_trial": best.number,
        "value": value,
        "values": values,
    }


def check_template(config: TuneConfig) -> None:
    """Refuse to replace a template that this search didn't write."""
    name = config.tune.write_template
    path = TEMPLATES / f"{name}.yaml"
    if name is None or not path.exists() or config.experiment.run.overwrite:
        return
    found = read_mapping(path, "give another --write_template, or --overwrite true to replace it")
    if found.get("tuned_by") != str(TuningFolder.of(config).path):
        raise UserError(f"template {name} exists already: give another --write_template, or --overwrite true")


def _template(config: TuneConfig, values: dict[str, Any], folder: TuningFolder, place: Path) -> str:
    """The best run as a template in the folder `place`; it extends the search's templates where it can."""
    run = config.run_with(Origin.program("search"), **values)
    templates = run.templates
    known: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    if templates:
        registries = make_registries({"train": Command(EXPERIMENT, lambda resolved: 0)})
        try:
            known = parse(["--templates", *templates, "--mode", "train"], registries).values
            lines["extends"] = [_from(place, name) for name in templates]
        except UserError:  # they need options of the command line: write all options
            known = {}
    stated = {
        key: value
        for key, value in result_options(run.values(), "input_path").items()
        if known.get(key, value) != value or (key not in known and not run.origins[key].is_default)
    }
    lines |= {"mode": "train"}
    if run.run.label is not None and run.run.label != known.get("label"):
        lines["label"] = run.run.label
    return dump_mapping({**lines, **stated, **current_names(values), "tuned_by": str(folder.path)})


def _from(place: Path, name: str) -> str:
    """How a template in the folder `place` names another."""
    return os.path.relpath(name, place) if name.endswith(_SUFFIXES) else name
