"""Searches that precede the runs of a comparison; each model gets the same budget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from common.errors import UserError
from common.json_files import read_json
from common.locks import InUseError, wait_for_any
from options import Origin
from runs.comparison.config import RunConfig
from runs.config import ExperimentConfig
from runs.launchers import LaunchOptions
from runs.tuning.config import TuneConfig
from runs.tuning.folder import Summary, TuningFolder

log = logging.getLogger(__name__)


def tuning_folder(config: TuneConfig) -> TuningFolder:
    """The folder of the search that finds a run's options; all seeds of a run share it."""
    return TuningFolder.of(config.with_tune_seed())


def with_found_options(
    runs: Sequence[RunConfig], launching: LaunchOptions
) -> tuple[tuple[ExperimentConfig, ...], dict[str, str]]:
    """Search for the options of the runs that need it, once for all seeds of a run.

    Returns
    -------
    ready : all runs, with the options that were found, except those whose search failed
    failed : search and seed -> error, of the runs whose search failed

    Raises
    ------
    KeyboardInterrupt
        A search was interrupted; the same command resumes it.
    """
    searched: dict[str, dict[str, Any] | str] = {}
    ready = []
    failed = {}
    for config in runs:
        if isinstance(config, ExperimentConfig):
            ready.append(config)
            continue
        folder = tuning_folder(config)
        name = str(folder.path)
        if name not in searched:
            searched[name] = _search(config, launching)
        best = searched[name]
        if isinstance(best, str):
            failed[f"{name}, for seed {config.experiment.run.seed}"] = best
        else:
            ready.append(_with_values(config, folder, best))
    return tuple(ready), failed


def _search(config: TuneConfig, launching: LaunchOptions) -> dict[str, Any] | str:
    """The best values of the searched options, or why there are none."""
    from runs.tuning.search import search  # noqa: PLC0415  (it imports optuna, which nothing else needs)

    try:
        found = search(config, launching)
    except InUseError:
        log.info("waiting for the search %s, which another process runs", tuning_folder(config).path)
        wait_for_any([tuning_folder(config).path])
        return _search(config, launching)
    except UserError as error:
        log.error("the search %s failed: %s", tuning_folder(config).path, error)
        return str(error)
    except Exception as error:  # a search that fails must not stop the other runs
        log.exception("the search %s failed", tuning_folder(config).path)
        return f"{type(error).__name__}: {error}"
    if found.interrupted:
        raise KeyboardInterrupt
    return found.values


def found_before(config: TuneConfig) -> ExperimentConfig | None:
    """The run with the options that its search found; None if the search isn't complete."""
    folder = tuning_folder(config)
    if not folder.summary.is_file():
        return None
    summary = read_json(folder.summary, Summary, "remove it; the same search writes it again")
    if not summary.ended or summary.budget.trials != config.tune.num_trials:
        return None
    return _with_values(config, folder, summary.values)


def _with_values(config: TuneConfig, folder: TuningFolder, values: dict[str, Any]) -> ExperimentConfig:
    return config.run_with(Origin.program(f"search {folder.path}"), **{**values, "tuned_by": str(folder.path)})
