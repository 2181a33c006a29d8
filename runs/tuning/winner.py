"""What a search leaves: a table of its trials, the winner as a template, and a summary for the record."""

from __future__ import annotations

import csv
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import yaml
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from common.errors import UserError
from common.files import atomic_path, write_text
from evaluation.metrics import RATING_METRICS
from options.parse import parse
from options.registries import TEMPLATES
from options.request import Request
from options.search import Space
from options.tune import run_of, spaces_of
from options.yaml_text import dump_mapping, flow
from runs.build import run_options
from runs.folders import essence, label_of
from runs.tuning.folder import TuningFolder, tune_options
from runs.tuning.study import StudyPlan, chosen, shown_url

log = logging.getLogger(__name__)
SHOWN = {
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
    folder : the search's
    table : a row per trial, the header first
    metric : what was searched for
    best : the number of the winning trial; None as long as none is finished
    values : the searched options of the winner
    files : what was written
    interrupted : whether trials are missing because of Ctrl-C
    """

    folder: Path
    table: list[list[str]]
    metric: str
    best: int | None
    values: dict[str, Any]
    files: list[Path]
    interrupted: bool


def write_results(request: Request, plan: StudyPlan, study: Study, folder: TuningFolder, interrupted: bool) -> Tuned:
    """Write the table of trials and, where one is finished, the winner and the summary.

    Raises UserError if no trial is finished, though none was interrupted.
    """
    spaces = spaces_of(request)
    trials, table = write_table(request, plan, study, folder)
    finished = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    rates = request.values["best_metric"] in RATING_METRICS
    metric = f"{'ratings' if rates else request.values['validation_candidates']}/{request.values['best_metric']}"
    if not finished:
        if interrupted:
            return Tuned(folder.path, table, metric, None, {}, [folder.table], interrupted)
        raise UserError(f"no trial was finished, so there is no winner: see {folder.table}, and raise num_trials")
    towards_better = 1 if study.direction == StudyDirection.MAXIMIZE else -1
    best = max(finished, key=lambda trial: (towards_better * (trial.value or 0.0), -trial.number))
    best_value = plan.sign(study) * (best.value or 0.0)
    values = chosen(best, spaces)
    folder.write_summary(_summary(request, plan, folder, trials, (best, best_value), values, metric, not interrupted))
    files = [folder.table, folder.summary, folder.best]
    written = tune_options(request).write_template
    if written is not None and run_options(request).pilot:
        log.info("a pilot's winner is no template: --write_template is for the search itself")
    elif written is not None and not interrupted:
        files.append(TEMPLATES / f"{written}.yaml")
    for path in files[2:]:
        head = f"# {label_of(request)} after {len(trials)} trials: {metric} {best_value:.4f} on validation"
        write_text(path, f"{head}\n{_template(request, values, folder, path.parent)}")
    return Tuned(folder.path, table, metric, best.number, values, files, interrupted)


def write_table(
    request: Request, plan: StudyPlan, study: Study, folder: TuningFolder
) -> tuple[list[FrozenTrial], list[list[str]]]:
    """Write the table of trials; returns them, and it."""
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.state in SHOWN]
    table = _table(trials, spaces_of(request), plan.sign(study), study.direction)
    with atomic_path(folder.table) as temporary, open(temporary, "w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(table)
    return trials, table


def _table(
    trials: Sequence[FrozenTrial], spaces: dict[str, Space], sign: int, direction: StudyDirection
) -> list[list[str]]:
    best_of = max if direction == StudyDirection.MAXIMIZE else min
    rows = [["trial", "state", "value", "epochs", "minutes", *spaces, "error"]]
    for trial in trials:
        facts = trial.user_attrs
        value = facts.get("best", best_of(trial.intermediate_values.values(), default=None))
        values = chosen(trial, spaces)
        rows.append(
            [
                str(trial.number),
                SHOWN[trial.state],
                "" if value is None else repr(sign * value),
                str(facts.get("epochs", trial.last_step or "")),
                f"{facts['minutes']:.3f}" if "minutes" in facts else "",
                *(flow(values[key]) if key in values else "" for key in spaces),
                facts.get("error") or "",
            ]
        )
    return rows


def _summary(
    request: Request,
    plan: StudyPlan,
    folder: TuningFolder,
    trials: Sequence[FrozenTrial],
    winner: tuple[FrozenTrial, float],
    values: dict[str, Any],
    metric: str,
    ended: bool,
) -> dict[str, Any]:
    """What tuning.json says: how the winner was found."""
    states = [SHOWN[trial.state] for trial in trials]
    options = tune_options(request)
    best, value = winner
    return {
        "trials": {state: states.count(state) for state in SHOWN.values()},
        "minutes": round(sum(trial.user_attrs.get("minutes", 0.0) for trial in trials), 3),
        "ended": ended,
        "budget": {"trials": options.num_trials, "minutes": options.tune_minutes},
        "storage": shown_url(options.storage) if options.storage else str(folder.database),
        "study": plan.name,
        "search": request.values["search"],
        "sampler": f"TPE (optuna {optuna.__version__})",
        "startup_trials": plan.startup_trials,
        "pruner": plan.pruner,
        "seed": plan.seed,
        "metric": metric,
        "best_trial": best.number,
        "value": value,
        "values": values,
    }


def check_template(request: Request) -> None:
    """Refuse to replace a template that isn't this search's own."""
    name = tune_options(request).write_template
    path = TEMPLATES / f"{name}.yaml"
    if name is None or not path.exists() or run_options(request).overwrite:
        return
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(found, dict) or found.get("tuned_by") != str(TuningFolder.of(request).path):
        raise UserError(f"template {name} is there already: give another --write_template, or --overwrite true")


def _template(request: Request, values: dict[str, Any], folder: TuningFolder, place: Path) -> str:
    """The winner's run as a template in the folder `place`: what the search's own templates don't say."""
    run = run_of(request, values, "search")
    known: dict[str, Any] = {}
    lines: dict[str, Any] = {}
    if request.templates:
        try:
            known = parse(["--templates", *request.templates, "--mode", "train"]).values
            lines["extends"] = [_from(place, name) for name in request.templates]
        except UserError:  # they need options of the command line: the template states everything
            known = {}
    stated = {
        key: value
        for key, value in essence(run.values).items()
        if known.get(key, value) != value or (key not in known and not run.origins[key].startswith("default"))
    }
    lines |= {"mode": "train"}
    if run.values["label"] is not None and run.values["label"] != known.get("label"):
        lines["label"] = run.values["label"]
    return dump_mapping({**lines, **stated, **values, "tuned_by": str(folder.path)})


def _from(place: Path, name: str) -> str:
    """How a template in the folder `place` names another."""
    return os.path.relpath(name, place) if name.endswith(_SUFFIXES) else name
