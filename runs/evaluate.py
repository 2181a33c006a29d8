"""Evaluate trained weights again, on the validation or the test set."""

from __future__ import annotations

import itertools
import json
import logging
import time
from pathlib import Path
from typing import Any

from pydantic_core import to_jsonable_python

from common.errors import UserError
from common.files import write_text
from common.json_files import read_json
from common.schema import current_names, result_options
from evaluation.evaluator import Phase
from runs.config import ExperimentConfig
from runs.experiment import Experiment
from runs.folder_names import is_config_of_run, run_folder
from runs.folders import read_config
from runs.results import describe, write_users
from runs.weights import read_weights
from trainers.checkpoint import load_model
from trainers.device import peak_memory_mib, reset_peak_memory
from trainers.progress import Progress

log = logging.getLogger(__name__)


def _warn_if_options_differ(config: ExperimentConfig, source: Path) -> None:
    """Warn if a run's weights are evaluated with other options of the model or the dataloader than in training.

    The weights fit, but the model is a different one.
    """
    config_file = (source if source.is_dir() else source.parent.parent) / "config.yaml"
    if not config_file.is_file():
        return
    trained = read_config(config_file)
    defaults = {  # of options that didn't exist yet when the run was trained
        key: to_jsonable_python(field.get_default(call_default_factory=True))
        for options in (config.model, config.dataloader)
        for key, field in type(options).model_fields.items()
    }
    own = config.values()
    there = {key: trained.get(key, default) for key, default in defaults.items()}
    other = [f"{key} {there[key]} there, {own[key]} here" for key in defaults if there[key] != own[key]]
    if other:
        log.warning(
            "%s was trained with other options: %s. So these are not the metrics of that run's model; for those, use "
            "--templates %s",
            source,
            "; ".join(other),
            config_file,
        )


def _source(config: ExperimentConfig, folder: Path) -> str:
    """The weights to evaluate: those of `--pretrained_weights`, or those of the run with these options.

    If a run's own `config.yaml` has `pretrained_weights`, the run started from those, and its best weights are
    evaluated.
    """
    given = config.run.pretrained_weights
    if given is None:
        return str(folder)
    template = config.origins["pretrained_weights"].file
    return str(template.parent) if template is not None and is_config_of_run(template) else given


def _file_for(folder: Path, phase: Phase, evaluated: dict[str, Any]) -> Path:
    """The file for an evaluation: that of an earlier one with the same options and weights, or else a new one."""
    paths = (folder / f"{phase}{'' if number == 1 else f'-{number}'}.json" for number in itertools.count(1))
    return next(path for path in paths if not path.exists() or _is_same_evaluation(path, evaluated))


def _is_same_evaluation(path: Path, evaluated: dict[str, Any]) -> bool:
    """Whether a file holds an evaluation with the same options, data and weights."""
    try:
        there = read_json(path, dict[str, Any], "")
        before, now = result_options(current_names(there["options"])), result_options(evaluated["options"])
        of_this_data = there["data"]["hash"] == evaluated["data"]["hash"]
        of_these_weights = Path(there["weights"]).resolve() == Path(evaluated["weights"]).resolve()
    except (UserError, ValueError, LookupError, TypeError, AttributeError):  # damaged: left as it is
        return False
    shared = before.keys() & now.keys() - {"pretrained_weights"}  # the others were added or dropped since
    return of_this_data and of_these_weights and all(before[key] == now[key] for key in shared)


def evaluate(config: ExperimentConfig, phase: Phase) -> tuple[dict[str, Any], Path]:
    """Evaluate `--pretrained_weights`, or the best weights of the run with these options.

    Returns
    -------
    tuple
        The results, and the file that records them.
    """
    if config.trainer.train_on == "all":
        raise UserError("train_on all leaves nothing to evaluate on: evaluate the run that was trained on a part")
    experiment = Experiment.build(config)
    evaluator, model, device = experiment.evaluator, experiment.model, experiment.device
    evaluator.check((phase,))
    folder = run_folder(config)
    source = _source(config, folder.path)
    load_model(model, read_weights(source, experiment.loader.split), source)
    _warn_if_options_differ(config, Path(source))
    progress, began = Progress(), time.perf_counter()
    reset_peak_memory()
    evaluation = evaluator.evaluate(
        model, device, phase, detailed=True, progress=lambda batches, total: progress.shown(batches, total, phase)
    )
    evaluated = {
        **describe(experiment),
        "weights": source,
        "minutes": round((time.perf_counter() - began) / 60, 3),
        "peak_memory_mib": round(peak_memory_mib(device), 1),
        phase: evaluation.metrics,
    }
    path = _file_for(folder.evaluation, phase, evaluated)
    per_user = path.with_suffix(".per_user.parquet")
    write_users(per_user, evaluator, phase, evaluation)
    write_text(path, json.dumps(evaluated, indent=1) + "\n")
    log.info("metrics are in %s, per-user metrics in %s", path, per_user.name)
    return evaluated, path
