"""Command train: train one model, and show its test metrics."""

from __future__ import annotations

import logging
from typing import Any

from common.errors import UserError
from common.workers import ALONE, WorkerLostError, is_launched, join, leave
from options import Resolved
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.folder_names import run_folder
from runs.screen import show_metrics, show_next_steps
from runs.train import follow, train
from runs.train_on_all import with_known_epochs
from runs.workers import for_workers


def _run(resolved: Resolved) -> int:
    config = with_known_epochs(ExperimentConfig.of(resolved))
    if is_launched():
        return _run_with_workers(config)
    return _show(config, train(config))


def _show(config: ExperimentConfig, results: dict[str, Any]) -> int:
    folder = run_folder(config)
    if "test" in results:
        show_metrics(results, "test", f"{results['label']} on {results['data']['name']}, test", folder.results)
    if results["stopped_by"] == "interrupted":
        print("Interrupted: to resume it, add --resume_training true to the same command")
        return 130
    show_next_steps(folder.path, tested="test" in results)
    return 0


def _run_with_workers(config: ExperimentConfig) -> int:
    """One of the processes that `torchrun` started."""
    workers = ALONE
    try:
        workers = join()
        config = for_workers(config, workers)
        if workers.leads:
            return _show(config, train(config, workers=workers))
        logging.disable(logging.CRITICAL)  # the leading worker logs for all
        follow(config, workers)
        return 0
    except WorkerLostError as error:
        if not workers.leads:
            return 1
        raise UserError(f"{error}. To resume the run, add --resume_training true") from error
    finally:
        leave()


TRAIN = Command(EXPERIMENT, _run, description="train a model, test its best weights and record the results")
