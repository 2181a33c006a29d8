"""Mode train: train one model, test the best of it, leave results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch

from common.errors import UserError
from common.messages import captured_records
from dataloaders import Dataloader
from evaluation.evaluator import PHASES, Evaluation, Evaluator, Phase
from models import Model
from options.request import Request
from runs.build import (
    check_needs,
    load_data,
    make_evaluator,
    make_loader,
    make_model,
    make_split,
    model_class,
    prepare_machine,
    run_options,
)
from runs.folders import State, check_usable, claimed, read_config, run_folder
from runs.logs import LOGGERS, log_to_file
from runs.results import describe, results, write_users
from runs.weights import read_weights
from trainers import TRAINERS, Parts
from trainers.checkpoint import CheckpointStore, check_resumable, load_model
from trainers.device import reset_peak_memory
from trainers.randomness import Generators
from trainers.run_folder import RunFolder
from trainers.trainer import PILOT_BATCHES

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrialRules:
    """How a trial of a search differs from a run that is recorded: the test set is left alone, and it may be pruned.

    `stop_early` is asked after each validation, with the epoch and the value that decides.
    """

    stop_early: Callable[[int, float], bool]


def train(request: Request, trial: TrialRules | None = None) -> dict[str, Any]:
    """Train, test and record one run; returns its results. Ctrl-C ends the training, not the test.

    A trial isn't tested: its results have the validation set alone.
    """
    folder = run_folder(request)
    request = _anew_if_it_must(request, folder)
    goes_on = check_usable(request, folder) == "resumed" and CheckpointStore(folder.models).has_any()
    with captured_records(LOGGERS) as said:
        built = _build(request, PHASES if trial is None else ("validation",), goes_on)
    with claimed(request, folder) as state, log_to_file(folder.log, said):
        try:
            return _train(request, folder, state, built, trial)
        except Exception as error:  # of any kind: the folder says what became of the run, main what to do
            folder.write_status(**{**folder.status(), "state": "failed", "error": str(error)})
            raise
        except KeyboardInterrupt:
            folder.write_status(**{**folder.status(), "state": "interrupted"})
            raise


def _anew_if_it_must(request: Request, folder: RunFolder) -> Request:
    """The request, without `resume_training` where `overwrite` is asked for, too, and nothing can be gone on with."""
    options = run_options(request)
    if not (options.overwrite and options.resume_training and folder.config.exists()):
        return request
    try:
        read_config(folder.config)
        if folder.status().get("state") == "finished":
            return request
        checkpoint = CheckpointStore(folder.models).load()
        if checkpoint is not None:
            check_resumable(checkpoint.state, make_split(request, load_data(request)))
    except UserError as error:
        log.warning("%s. Begun anew, for --overwrite true is given", error)
        anew = options.model_copy(update={"resume_training": False})
        return replace(request, sections={**request.sections, "run": anew})
    return request


@dataclass(frozen=True)
class _Built:
    """What a run is made of; all that can be wrong with it shows while it is built, before a folder is touched."""

    device: torch.device
    loader: Dataloader
    evaluator: Evaluator
    model: Model
    generators: Generators
    phases: tuple[Phase, ...]


def _build(request: Request, phases: tuple[Phase, ...], goes_on: bool) -> _Built:
    """goes_on: the run has a checkpoint, which holds what became of the weights that it was begun with."""
    reset_peak_memory()
    device = prepare_machine(request)
    data = load_data(request)
    check_needs(request, data)
    loader = make_loader(request, make_split(request, data))
    evaluator = make_evaluator(request, loader)
    model, generators = make_model(request, loader, device)
    weights = run_options(request).pretrained_weights
    if weights is not None and not goes_on:
        load_model(model, read_weights(weights, loader.split), weights)
    evaluator.check(phases)
    return _Built(device, loader, evaluator, model, generators, phases)


def _train(
    request: Request, folder: RunFolder, begin: State, built: _Built, trial: TrialRules | None
) -> dict[str, Any]:
    options = run_options(request)
    device, loader, evaluator, model = built.device, built.loader, built.evaluator, built.model
    data = loader.data
    description = describe(request, loader, evaluator, model, device)
    log.info(
        "%s on %s: %d users, %d items, %d interactions, %d training windows; %d parameters; %s; %s",
        description["label"], data.name, data.num_users, data.num_items, data.num_interactions, len(loader.windows),
        description["parameters"], description["device"], folder.path,
    )  # fmt: skip
    trainer_options: Any = request.sections["trainer"]
    trainer_class = TRAINERS[options.trainer_code or model_class(request).trainer_code]
    stop_early = None if trial is None else trial.stop_early
    parts = Parts(model, loader, evaluator, folder, built.generators, device, options.pilot, stop_early)
    trainer = trainer_class(trainer_options, parts)
    state = trainer.train(resume=begin == "resumed")
    limit = PILOT_BATCHES if options.pilot else None
    measured = {
        phase: evaluator.evaluate(model, device, phase, detailed=True, batch_limit=limit) for phase in built.phases
    }
    written = results(description, state, device, measured)
    if "test" in measured:
        _write_test(folder, evaluator, measured["test"], state.best_epoch or 0)
    folder.write_results(written)
    folder.write_status(**{**state.as_dict(), "state": "finished" if state.stopped_by else "interrupted"})
    _say_end(written, folder)
    return written


def _write_test(folder: RunFolder, evaluator: Evaluator, test: Evaluation, epoch: int) -> None:
    """Leave what was measured on the test set, as a table and by user."""
    write_users(folder.per_user, evaluator, "test", test)
    folder.table("test").keep_through(-1)
    flat = {f"{c}/{name}": value for c, values in test.metrics.items() for name, value in values.items()}
    folder.table("test").append({"epoch": epoch, **flat})


def _say_end(written: dict[str, Any], folder: RunFolder) -> None:
    phase = "test" if "test" in written else "validation"
    measured = written[phase]
    wanted = dict.fromkeys(("NDCG@10", "Recall@10", "RMSE", "MAE", written["options"]["best_metric"]))
    shown = [f"{c} {m} {measured[c][m]:.4f}" for c in measured for m in wanted if m in measured[c]]
    log.info(
        "%s ended by %s after %d epochs and %.1f minutes; %s of epoch %s: %s",
        written["label"],
        written["stopped_by"],
        written["epochs"],
        written["minutes"],
        phase,
        written["best_epoch"],
        ", ".join(shown),
    )
    if written["stopped_by"] == "interrupted":
        log.info("go on with it by the same command and --resume_training true")
    log.info("results in %s", folder.path)
