"""The runs of a comparison that are to be tuned first, each model with the same budget."""

from __future__ import annotations

import json
import logging
from typing import Any

from common.errors import UserError
from options.request import Request
from options.tune import run_of
from runs.build import run_options
from runs.launchers import LaunchOptions
from runs.tuning.folder import TuningFolder, tune_options, with_tune_seed

log = logging.getLogger(__name__)


def tuning_folder(cell: Request) -> TuningFolder:
    """The folder of the search that a run's options come from; the run's other seeds have the same."""
    return TuningFolder.of(with_tune_seed(cell))


def tune_cells(cells: tuple[Request, ...], launching: LaunchOptions) -> tuple[tuple[Request, ...], dict[str, str]]:
    """Search for the options of the runs that ask for it, once for all seeds of a run.

    Returns the runs with the options that were found, without those whose search failed; and these, with the error.

    Raises:
        KeyboardInterrupt: a search was interrupted; it goes on when it is asked for again.
    """
    searched: dict[str, dict[str, Any] | str] = {}
    runs = []
    failed = {}
    for cell in cells:
        if cell.mode != "tune":
            runs.append(cell)
            continue
        folder = tuning_folder(cell)
        name = str(folder.path)
        if name not in searched:
            searched[name] = _search(cell, launching)
        winner = searched[name]
        if isinstance(winner, str):
            failed[f"{name}, for seed {run_options(cell).seed}"] = winner
        else:
            runs.append(_with_values(cell, folder, winner))
    return tuple(runs), failed


def _search(cell: Request, launching: LaunchOptions) -> dict[str, Any] | str:
    """The winner's values of the searched options, or why there is none."""
    from runs.tuning.search import search  # noqa: PLC0415  (it imports optuna, which nothing else needs)

    try:
        found = search(cell, launching)
    except UserError as error:
        log.error("the search %s failed: %s", tuning_folder(cell).path, error)
        return str(error)
    except Exception as error:  # a search that breaks must not take the other runs with it
        log.exception("the search %s failed", tuning_folder(cell).path)
        return f"{type(error).__name__}: {error}"
    if found.interrupted:
        raise KeyboardInterrupt
    return found.values


def found_before(cell: Request) -> Request | None:
    """The run with the options that its search found; None if that has not come to its end."""
    folder = tuning_folder(cell)
    if not folder.summary.is_file():
        return None
    summary = json.loads(folder.summary.read_text(encoding="utf-8"))
    if not summary["ended"] or summary["budget"]["trials"] != tune_options(cell).num_trials:
        return None
    return _with_values(cell, folder, summary["values"])


def _with_values(cell: Request, folder: TuningFolder, values: dict[str, Any]) -> Request:
    return run_of(cell, {**values, "tuned_by": str(folder.path)}, f"search {folder.path}")
