"""Searches that precede the runs of a comparison; each model gets the same budget."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from common.errors import UserError
from common.locks import InUseError, wait_for_any
from common.reading import read_json
from options import Origin
from runs.config import ExperimentConfig
from runs.launchers import LaunchOptions
from runs.tuning.config import TuneConfig
from runs.tuning.folder import Summary, TuningFolder

log = logging.getLogger(__name__)


def tuning_folder(cell: TuneConfig) -> TuningFolder:
    """The folder of the search that finds a run's options; all seeds of a run share it."""
    return TuningFolder.of(cell.with_tune_seed())


def tune_cells(
    cells: Sequence[ExperimentConfig | TuneConfig], launching: LaunchOptions
) -> tuple[tuple[ExperimentConfig, ...], dict[str, str]]:
    """Search for the options of the runs that need it, once for all seeds of a run.

    Returns
    -------
    runs : all runs, with the options that were found, except those whose search failed
    failed : search and seed -> error, of the runs whose search failed

    Raises
    ------
    KeyboardInterrupt
        A search was interrupted; the same command resumes it.
    """
    searched: dict[str, dict[str, Any] | str] = {}
    runs = []
    failed = {}
    for cell in cells:
        if isinstance(cell, ExperimentConfig):
            runs.append(cell)
            continue
        folder = tuning_folder(cell)
        name = str(folder.path)
        if name not in searched:
            searched[name] = _search(cell, launching)
        best = searched[name]
        if isinstance(best, str):
            failed[f"{name}, for seed {cell.experiment.run.seed}"] = best
        else:
            runs.append(_with_values(cell, folder, best))
    return tuple(runs), failed


def _search(cell: TuneConfig, launching: LaunchOptions) -> dict[str, Any] | str:
    """The best values of the searched options, or why there are none."""
    from runs.tuning.search import search  # noqa: PLC0415  (it imports optuna, which nothing else needs)

    try:
        found = search(cell, launching)
    except InUseError:
        log.info("waiting for the search %s, which another process runs", tuning_folder(cell).path)
        wait_for_any([tuning_folder(cell).path])
        return _search(cell, launching)
    except UserError as error:
        log.error("the search %s failed: %s", tuning_folder(cell).path, error)
        return str(error)
    except Exception as error:  # a search that fails must not stop the other runs
        log.exception("the search %s failed", tuning_folder(cell).path)
        return f"{type(error).__name__}: {error}"
    if found.interrupted:
        raise KeyboardInterrupt
    return found.values


def found_before(cell: TuneConfig) -> ExperimentConfig | None:
    """The run with the options that its search found; None if the search isn't complete."""
    folder = tuning_folder(cell)
    if not folder.summary.is_file():
        return None
    summary = read_json(folder.summary, Summary, "remove it; the same search writes it again")
    if not summary.ended or summary.budget.trials != cell.tune.num_trials:
        return None
    return _with_values(cell, folder, summary.values)


def _with_values(cell: TuneConfig, folder: TuningFolder, values: dict[str, Any]) -> ExperimentConfig:
    return cell.run_with(Origin.program(f"search {folder.path}"), **{**values, "tuned_by": str(folder.path)})
