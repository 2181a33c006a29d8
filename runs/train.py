"""Train one model, test its best weights, and record the results."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.log_handlers import captured_records
from common.schema import result_options
from common.workers import ALONE, WorkerLostError, Workers
from evaluation.evaluator import PHASES, Evaluation, Evaluator, Phase
from options import Origin
from runs.announce import ending, opening
from runs.config import ExperimentConfig
from runs.experiment import Experiment, load_split
from runs.folder_names import run_folder
from runs.folders import State, check_usable, claimed, read_config
from runs.logs import LOGGERS, log_to_file
from runs.results import describe, results, write_users
from runs.train_on_all import with_known_epochs
from runs.warm_start import load_pretrained
from trainers import TrainerSetup
from trainers.checkpoint import CheckpointStore, check_resumable
from trainers.device import reset_peak_memory
from trainers.run_folder import RunFolder
from trainers.state import TrainingState
from trainers.trainer import PILOT_BATCHES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialRules:
    """How a trial of a search differs from an ordinary run: it doesn't use the test set and may be pruned.

    `stop_early` is called after each validation with the epoch and the value of best_metric.
    """

    stop_early: Callable[[int, float], bool]


def train(config: ExperimentConfig, trial: TrialRules | None = None, workers: Workers = ALONE) -> dict[str, Any]:
    """Train, test and record one run; return its results. Ctrl-C ends the training, then the best model is tested.

    A trial is evaluated on the validation set only. With several `workers`, the leading one calls this, and the others
    call `follow`.
    """
    config = with_known_epochs(config)
    folder = run_folder(config)
    config = _restart_if_not_resumable(config, folder)
    resumes = check_usable(config, folder) == "resumed" and CheckpointStore(folder.models).has_any()
    phases = _phases(config, trial)
    with captured_records(LOGGERS) as earlier:
        experiment = _build(config, phases, resumes)
    with claimed(config, folder) as state, log_to_file(folder.log, earlier):
        try:
            workers.from_leader(float(state == "resumed"))
            description = describe(experiment, workers.count)
            log.info("%s", opening(experiment, description, folder.path))
            outcome = _fit_and_evaluate(experiment, folder, state, phases, trial, workers)
            return _record(experiment, folder, description, *outcome)
        except (KeyboardInterrupt, WorkerLostError):
            folder.write_status(**{**folder.status(), "state": "interrupted"})
            raise
        except Exception as error:  # of any kind: recorded here, reported by main
            folder.write_status(**{**folder.status(), "state": "failed", "error": str(error)})
            raise


def _phases(config: ExperimentConfig, trial: TrialRules | None) -> tuple[Phase, ...]:
    """What the run is evaluated on."""
    if config.trainer.train_on == "all":
        return ()
    return PHASES if trial is None else ("validation",)


def follow(config: ExperimentConfig, workers: Workers) -> None:
    """Take part in a run that another worker leads. Its folder is read, if the run resumes, and never written."""
    config = with_known_epochs(config)
    phases = _phases(config, None)
    experiment = _build(config, phases, resumes=True)
    resumes = workers.from_leader(0.0) == 1.0
    weights = config.run.pretrained_weights
    if weights is not None and not resumes:
        load_pretrained(experiment, weights)
    with tempfile.TemporaryDirectory() as temporary:
        folder = RunFolder(Path(temporary))
        folder.models = run_folder(config).models
        _fit_and_evaluate(experiment, folder, "resumed" if resumes else "new", phases, None, workers)


def _restart_if_not_resumable(config: ExperimentConfig, folder: RunFolder) -> ExperimentConfig:
    """The configuration without `resume_training` if the run can't be resumed and `overwrite` is given as well."""
    options = config.run
    if not (options.overwrite and options.resume_training and folder.config.exists()):
        return config
    try:
        read_config(folder.config)
        if folder.status().get("state") == "finished":
            return config
        checkpoint = CheckpointStore(folder.models).load()
        if checkpoint is not None:
            check_resumable(checkpoint.state, load_split(config))
    except UserError as error:
        log.warning("%s. Restarting from scratch, as --overwrite true is given", error)
        return config.with_run(Origin.program("restart"), resume_training=False)
    return config


def _build(config: ExperimentConfig, phases: tuple[Phase, ...], resumes: bool) -> Experiment:
    """Build the experiment and check everything that can be wrong, before a folder is touched.

    A run that resumes from a checkpoint doesn't need its pretrained weights.
    """
    reset_peak_memory()
    experiment = Experiment.build(config)
    weights = config.run.pretrained_weights
    if weights is not None and not resumes:
        load_pretrained(experiment, weights)
    experiment.evaluator.check(phases)
    return experiment


def _record(
    experiment: Experiment,
    folder: RunFolder,
    description: dict[str, Any],
    state: TrainingState,
    evaluations: dict[Phase, Evaluation],
) -> dict[str, Any]:
    """Write and return the results of the run."""
    written = results(description, state, experiment.device, evaluations)
    if "test" in evaluations:
        _write_test(folder, experiment.evaluator, evaluations["test"], state.best_epoch or 0)
    folder.write_results(written)
    folder.write_status(**{**state.as_dict(), "state": "finished" if state.stopped_by else "interrupted"})
    log.info("%s", ending(written))
    return written


def _fit_and_evaluate(
    experiment: Experiment,
    folder: RunFolder,
    begin: State,
    phases: tuple[Phase, ...],
    trial: TrialRules | None,
    workers: Workers,
) -> tuple[TrainingState, dict[Phase, Evaluation]]:
    """Train the model, and evaluate its best weights on the phases."""
    config, device, model, evaluator = experiment.config, experiment.device, experiment.model, experiment.evaluator
    setup = TrainerSetup(
        model,
        experiment.loader,
        evaluator,
        folder,
        experiment.generators,
        device,
        pilot=config.run.pilot,
        options=result_options(config.values()),
        stop_early=None if trial is None else trial.stop_early,
        workers=workers,
    )
    trainer = config.trainer_class(config.trainer, setup)
    state = trainer.train(resume=begin == "resumed")
    limit = PILOT_BATCHES if config.run.pilot else None
    evaluations = {
        phase: evaluator.evaluate(model, device, phase, detailed=True, batch_limit=limit, workers=workers)
        for phase in phases
    }
    return state, evaluations


def _write_test(folder: RunFolder, evaluator: Evaluator, test: Evaluation, epoch: int) -> None:
    """Write the test metrics, as a table and per user."""
    write_users(folder.per_user, evaluator, "test", test)
    folder.table("test").keep_through(-1)
    flat = {f"{c}/{name}": value for c, values in test.metrics.items() for name, value in values.items()}
    folder.table("test").append({"epoch": epoch, **flat})
