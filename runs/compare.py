"""Mode compare: many runs under one protocol, then their table."""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from common.errors import UserError, is_user_facing
from common.schema import Options
from options.request import Request
from runs.build import load_data, make_split, run_options, split_options
from runs.folders import is_held, run_folder
from runs.launchers import LaunchOptions, Task, launch
from runs.train import train
from runs.tuning.cells import tune_cells
from trainers.run_folder import RunFolder

log = logging.getLogger(__name__)
Outcome = Literal["reused", "trained", "failed", "interrupted"]


class RunEntry(Options):
    """One row of a comparison."""

    template: str | tuple[str, ...] = Field(description="template, or templates in order")
    label: str | None = Field(None, description="the row's name; null = the template's label, or the model's own")
    overrides: dict[str, Any] = Field(default_factory=dict, description="options that differ from the template's")
    search: dict[str, Any] | None = Field(
        None, description="with tune_trials: what is searched, as in mode tune; null = the template's search, if any"
    )


class CompareOptions(LaunchOptions):
    """Which runs to compare, on which datasets, with which seeds."""

    runs: tuple[str | RunEntry, ...] = Field(min_length=1, description="templates, or {template, label, overrides}")
    datasets: tuple[str | dict[str, Any], ...] = Field(
        (),
        description="codes, or mappings like {dataset_code: file, dataset_path: a.csv}; [] = the templates' own",
    )
    seeds: tuple[int, ...] = Field((), description="seeds; [] = the templates' own")
    metrics: tuple[str, ...] = Field(("NDCG@10", "Recall@10"), min_length=1, description="the columns of the table")
    tune_trials: int | None = Field(
        None,
        ge=1,
        description="trials of a search on the validation set, for each run that has one, before it is trained with "
        "the winner's options; null = no search",
    )
    retry_failed: bool = Field(False, description="try runs again that failed before")
    afterword: str | None = Field(None, description="what to tell the reader after the table")


def run_cells(request: Request) -> tuple[list[RunFolder], dict[str, Outcome]]:
    """Do what is missing: finished runs are reused, interrupted ones resumed; a failure doesn't stop the others.

    Returns the folders with results, and what became of each run, by folder; after Ctrl-C of some only.
    """
    options = request.sections["compare"]
    assert isinstance(options, CompareOptions)
    try:
        cells, untuned = tune_cells(request.cells, options)
    except KeyboardInterrupt:
        log.warning("interrupted: the same command goes on with the search")
        return [], {}
    request = replace(request, cells=cells)
    _check_folders(request.cells)
    folders = [run_folder(cell) for cell in request.cells]
    outcomes, tasks = _plan(request, folders, options.retry_failed)
    try:
        for result in launch(tasks, options):
            folder = result.task.arguments[1]
            outcomes[str(folder.path)] = result.value or ("interrupted" if result.interrupted else "failed")
            if result.error is not None:
                _record_failure(folder, result.error)
    except KeyboardInterrupt:
        log.warning("interrupted: the same command goes on with what is left")
    known = {str(folder.path): outcomes[str(folder.path)] for folder in folders if str(folder.path) in outcomes}
    done = [folder for folder in folders if known.get(str(folder.path)) in ("reused", "trained")]
    return done, {**known, **dict.fromkeys(untuned, "failed")}


def _plan(
    request: Request, folders: list[RunFolder], retry_failed: bool
) -> tuple[dict[str, Outcome], list[Task[Outcome]]]:
    """What is known of some runs, and the task of each other; the data of all is prepared on the way, once."""
    outcomes: dict[str, Outcome] = {}
    tasks = []
    data = _Data()
    for number, (cell, folder) in enumerate(zip(request.cells, folders, strict=True), 1):
        known = _known(cell, folder, data, retry_failed)
        if known is None:
            position = f"run {number} of {len(request.cells)}"
            tasks.append(Task(run_name(folder), train_cell, (cell, folder, position)))
        else:
            outcomes[str(folder.path)] = known
    return outcomes, tasks


def _known(cell: Request, folder: RunFolder, data: _Data, retry_failed: bool) -> Outcome | None:
    """What can be said of a run without running it; None if it is to be run."""
    overwrite = run_options(cell).overwrite
    try:
        status = {} if overwrite else folder.status()
        if status.get("state") == "failed" and not retry_failed:
            raise UserError(f"{status.get('error')} (in an earlier try; --retry_failed true tries again)")
        data.hash_of(cell)  # prepares it, finished or not
        if not overwrite and _is_finished(folder, cell, data):
            log.info("%s: finished before, its results are reused", folder.path)
            return "reused"
        return None
    except Exception as error:  # a run that breaks must not take the others with it
        told = is_user_facing(error)
        log.error("%s failed%s", run_name(folder), f": {error}" if told else "", exc_info=not told)
        _record_failure(folder, str(error) if told else f"{type(error).__name__}: {error}")
    return "failed"


def train_cell(cell: Request, folder: RunFolder, position: str) -> Outcome:
    """Train one run, or go on with it. Raises KeyboardInterrupt if it was stopped before its end."""
    log.info("%s: %s", position, folder.path)
    options = run_options(cell)
    if not options.overwrite and _is_finished(folder, cell, _Data()):
        return "trained"  # by a process that died before it could say so
    resuming = options.model_copy(update={"resume_training": True})
    written = train(replace(cell, sections={**cell.sections, "run": resuming}))
    if written["stopped_by"] == "interrupted":
        raise KeyboardInterrupt
    return "trained"


def run_name(folder: RunFolder) -> str:
    """A run's name among the others: its group and its own."""
    return f"{folder.path.parent.name}/{folder.path.name}"


class _Data:
    """The data of runs, each prepared and split once."""

    def __init__(self) -> None:
        self._hashes: dict[str, str | Exception] = {}

    def hash_of(self, cell: Request) -> str:
        """The hash of a run's data. Raises what preparing it raises, without trying again."""
        run = run_options(cell)
        sections = [cell.sections["dataset"], split_options(cell)]
        key = " ".join([run.dataset_code, run.split, *(section.model_dump_json() for section in sections)])
        if key not in self._hashes:
            try:
                self._hashes[key] = make_split(cell, load_data(cell)).data.hash
            except Exception as error:
                self._hashes[key] = error
        found = self._hashes[key]
        if isinstance(found, Exception):
            raise found
        return found


def _record_failure(folder: RunFolder, error: str) -> None:
    """Leave the error in the run's status, if nobody did; not in that of a run that is finished or running."""
    # a damaged status is an error of its own, and told as such; so is a place that can't be written
    with contextlib.suppress(UserError, OSError):
        status = folder.status()
        if status.get("state") not in ("finished", "failed") and not is_held(folder):
            folder.write_status(**{**status, "state": "failed", "error": error})


def recorded_failure(path: str) -> str:
    """The error that a failed run left in its folder, or where else it was told."""
    with contextlib.suppress(UserError):
        return str(RunFolder(Path(path)).status().get("error") or "see above")
    return "see above"


def _is_finished(folder: RunFolder, cell: Request, data: _Data) -> bool:
    """Whether the folder holds the run's results, on its data. Raises UserError if they are of other data."""
    if folder.status().get("state") != "finished" or not folder.results.is_file():
        return False
    if json.loads(folder.results.read_text(encoding="utf-8"))["data"]["hash"] != data.hash_of(cell):
        raise UserError(f"the data has changed since {folder.path} was run: --overwrite true runs it again")
    return True


def _are_the_same(cells: list[Request]) -> bool:
    """Whether these runs have the same options."""
    return all(cell.values == cells[0].values for cell in cells)


def _check_folders(cells: tuple[Request, ...]) -> None:
    """Refuse two runs in one folder."""
    paths = [str(run_folder(cell).path) for cell in cells]
    shared = sorted({path for path in paths if paths.count(path) > 1})
    twice = [
        path for path in shared if _are_the_same([cell for cell, own in zip(cells, paths, strict=True) if own == path])
    ]
    if twice:
        raise UserError(
            f"the comparison has the same run more than once: {', '.join(twice)}; leave out what --runs, --datasets or "
            "--seeds names again"
        )
    if shared:
        raise UserError(
            f"several runs of the comparison would share a folder: {', '.join(shared)}; drop experiment_name, and "
            "give data files of one name a dataset_name each"
        )
