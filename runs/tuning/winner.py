"""The results of a search: a table of its trials, the best options as a template, and a summary."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Sequence
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
class Tuned:
    """What a search found.

    Attributes
    ----------
    folder : the folder of the search
    table : a row per trial, the header first
    metric : the metric that was optimized
    best : the number of the winning trial; None if no trial has finished
    values : the values of the searched options in the winning trial
    files : the files that were written
    interrupted : whether trials are missing because of Ctrl-C
    """

    folder: Path
    table: list[list[str]]
    metric: str
    best: int | None
    values: dict[str, Any]
    files: list[Path]
    interrupted: bool


def write_results(config: TuneConfig, plan: StudyPlan, study: Study, folder: TuningFolder, interrupted: bool) -> Tuned:
    """Write the table of trials and, if one has finished, the winner and the summary.

    Raises UserError if no trial has finished, although the search wasn't interrupted.
    """
    spaces, evaluation = config.spaces, config.experiment.evaluation
    trials, table = write_table(config, plan, study, folder)
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    rates = evaluation.best_metric in RATING_METRICS
    metric = f"{'ratings' if rates else evaluation.validation_candidates}/{evaluation.best_metric}"
    if not finished:
        if interrupted:
            return Tuned(folder.path, table, metric, None, {}, [folder.table], interrupted)
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
    return Tuned(folder.path, table, metric, best.number, values, files, interrupted)


def write_table(
    config: TuneConfig, plan: StudyPlan, study: Study, folder: TuningFolder
) -> tuple[list[FrozenTrial], list[list[str]]]:
    """Write the table of trials; returns the trials and the table."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in STATE_NAMES]
    table = _table(trials, config.spaces, plan.sign(study), study.direction)
    with atomic_path(folder.table) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)
    return trials, table


def _table(
    trials: Sequence[FrozenTrial], spaces: dict[str, Space], sign: int, direction: StudyDirection
) -> list[list[str]]:
    best_of = max if direction == StudyDirection.MAXIMIZE else min
    rows = [["trial", "state", "value", "epochs", "minutes", *spaces, "error"]]
    for trial in trials:
        attributes = trial.user_attrs
        value = attributes.get("best", best_of(trial.intermediate_values.values(), default=None))
        values = values_of(trial, spaces)
        rows.append(
            [
                str(trial.number),
                STATE_NAMES[trial.state],
                "" if value is None else repr(sign * value),
                str(attributes.get("epochs", trial.last_step or "")),
                f"{attributes['minutes']:.3f}" if "minutes" in attributes else "",
                *(flow(values[key]) if key in values else "" for key in spaces),
                attributes.get("error") or "",
            ]
        )
    return rows


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
