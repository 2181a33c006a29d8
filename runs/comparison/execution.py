"""The runs of a comparison: reuse, resume or start each."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from common.errors import UserError, is_user_facing
from common.locks import InUseError, is_locked, wait_for_any
from options import Origin
from reports import read_run
from runs.comparison.config import CompareConfig
from runs.comparison.searches import with_found_options
from runs.config import ExperimentConfig
from runs.experiment import load_split
from runs.folder_names import run_folder, run_of_another_label
from runs.folders import read_config
from runs.launchers import Task, launch
from runs.train import train
from trainers.run_folder import RunFolder

log = logging.getLogger(__name__)
RunOutcome = Literal["reused", "trained", "failed", "interrupted", "busy"]


def run_all(comparison: CompareConfig) -> tuple[dict[str, str], dict[str, RunOutcome], dict[str, str]]:
    """Run what is missing: finished runs are reused, interrupted ones resumed; a failed run doesn't stop the others.

    Returns
    -------
    labels : the results file of each run that has results -> its label in the tables
    outcomes : run folder -> how the run ended; incomplete after Ctrl-C
    untuned : search and seed -> error, of the runs whose search failed
    """
    options = comparison.compare
    _check_folders([run for run in comparison.runs if isinstance(run, ExperimentConfig)])
    try:
        configs, untuned = with_found_options(comparison.runs, options)
    except KeyboardInterrupt:
        log.warning("interrupted: the same command resumes the search")
        return {}, {}, {}
    _check_folders(configs)
    labels = [config.label for config in configs]
    configs = as_recorded(configs)
    folders = [run_folder(config) for config in configs]
    outcomes, tasks = _plan(configs, folders, options.retry_failed)
    try:
        while tasks:
            busy = []
            for result in launch(tasks, options):
                folder = result.task.arguments[1]
                if result.value == "busy":
                    busy.append(result.task)
                    continue
                outcomes[str(folder.path)] = result.value or ("interrupted" if result.interrupted else "failed")
                if result.error is not None:
                    _record_failure(folder, result.error)
            tasks = busy
            if busy:
                log.info("waiting for runs that another process trains: %s", ", ".join(task.name for task in busy))
                wait_for_any([task.arguments[1].path for task in busy])
    except KeyboardInterrupt:
        log.warning("interrupted: the same command resumes the comparison")
    known = {str(folder.path): outcomes[str(folder.path)] for folder in folders if str(folder.path) in outcomes}
    done = {
        str(folder.results): label
        for folder, label in zip(folders, labels, strict=True)
        if known.get(str(folder.path)) in ("reused", "trained")
    }
    return done, known, untuned


def as_recorded(configs: Sequence[ExperimentConfig]) -> tuple[ExperimentConfig, ...]:
    """The runs, with the labels under which they were started: a new label doesn't train them again."""
    taken = {run_folder(config).path for config in configs}
    found = []
    for config in configs:
        former = _under_another_label(config)
        known = former is not None and run_folder(former).path not in taken
        found.append(former if former is not None and known else config)
        taken.add(run_folder(found[-1]).path)
    return tuple(found)


def _under_another_label(config: ExperimentConfig) -> ExperimentConfig | None:
    """The run with the label under which it was started before, if that is another one."""
    folder = run_of_another_label(config)
    if folder is None:
        return None
    with contextlib.suppress(UserError):  # a damaged run doesn't count
        former = config.with_run(Origin.program("comparison"), label=read_config(folder / "config.yaml").get("label"))
        return former if run_folder(former).path == folder else None
    return None


def _plan(
    configs: Sequence[ExperimentConfig], folders: list[RunFolder], retry_failed: bool
) -> tuple[dict[str, RunOutcome], list[Task[RunOutcome]]]:
    """The outcomes known before anything runs, and a task for each other run. Prepares all data, once."""
    outcomes: dict[str, RunOutcome] = {}
    tasks = []
    data = _Data()
    for number, (config, folder) in enumerate(zip(configs, folders, strict=True), 1):
        known = _known(config, folder, data, retry_failed)
        if known is None:
            position = f"run {number} of {len(configs)}"
            tasks.append(Task(run_name(folder), train_or_resume, (config, folder, position)))
        else:
            outcomes[str(folder.path)] = known
    return outcomes, tasks


def _known(config: ExperimentConfig, folder: RunFolder, data: _Data, retry_failed: bool) -> RunOutcome | None:
    """The outcome of a run that is finished or has failed; None if it must be run."""
    overwrite = config.run.overwrite
    try:
        status = {} if overwrite else folder.status()
        if status.get("state") == "failed" and not retry_failed:
            raise UserError(f"{status.get('error')} (in an earlier attempt; --retry_failed true tries again)")
        data.hash_of(config)  # prepares it, finished or not
        if not overwrite and _is_finished(folder, config, data):
            log.info("%s: finished before, its results are reused", folder.path)
            return "reused"
        return None
    except Exception as error:  # a run that fails must not stop the others
        user_facing = is_user_facing(error)
        log.error("%s failed%s", run_name(folder), f": {error}" if user_facing else "", exc_info=not user_facing)
        _record_failure(folder, str(error) if user_facing else f"{type(error).__name__}: {error}")
    return "failed"


def train_or_resume(config: ExperimentConfig, folder: RunFolder, position: str) -> RunOutcome:
    """Train or resume one run, unless another process does so: then it is "busy".

    Raises KeyboardInterrupt if it was interrupted.
    """
    log.info("%s: %s", position, folder.path)
    if not config.run.overwrite and _is_finished(folder, config, _Data()):
        return "trained"  # by a process that died before it could report it
    try:
        written = train(config.with_run(Origin.program("comparison"), resume_training=True))
    except InUseError:
        return "busy"
    except UserError:
        if not config.run.overwrite and _is_finished(folder, config, _Data()):  # meanwhile, by another process
            return "reused"
        raise
    if written["stopped_by"] == "interrupted":
        raise KeyboardInterrupt
    return "trained"


def run_name(folder: RunFolder) -> str:
    """A run's name in the comparison: its group and its own name."""
    return f"{folder.path.parent.name}/{folder.path.name}"


class _Data:
    """The data of all runs; each dataset is prepared and split once."""

    def __init__(self) -> None:
        self._hashes: dict[str, str | Exception] = {}

    def hash_of(self, config: ExperimentConfig) -> str:
        """The hash of a run's data. Raises what preparing it raised, without preparing it again."""
        run = config.run
        sections = [config.dataset, config.split_options]
        key = " ".join([run.dataset_code, run.split, *(section.model_dump_json() for section in sections)])
        if key not in self._hashes:
            try:
                self._hashes[key] = load_split(config).data.hash
            except Exception as error:
                self._hashes[key] = error
        found = self._hashes[key]
        if isinstance(found, Exception):
            raise found
        return found


def _record_failure(folder: RunFolder, error: str) -> None:
    """Record the error in the run's status, unless the run has recorded one, is finished or is running."""
    # a damaged status, or a folder that can't be written, is reported as an error of its own
    with contextlib.suppress(UserError, OSError):
        status = folder.status()
        if status.get("state") not in ("finished", "failed") and not is_locked(folder.path):
            folder.write_status(**{**status, "state": "failed", "error": error})


def recorded_failure(path: str) -> str:
    """The error that a failed run recorded in its folder; "see above" if there is none."""
    with contextlib.suppress(UserError):
        return str(RunFolder(Path(path)).status().get("error") or "see above")
    return "see above"


def _is_finished(folder: RunFolder, config: ExperimentConfig, data: _Data) -> bool:
    """Whether the folder holds the run's results. Raises UserError if the data has changed since."""
    if folder.status().get("state") != "finished" or not folder.results.is_file():
        return False
    if read_run(folder.results).record.data.hash != data.hash_of(config):
        raise UserError(f"the data has changed since {folder.path} was run: run it again with --overwrite true")
    return True


def _are_the_same(configs: list[ExperimentConfig]) -> bool:
    """Whether these runs have the same options."""
    return all(config.values() == configs[0].values() for config in configs)


def _check_folders(configs: Sequence[ExperimentConfig]) -> None:
    """Refuse two runs in one folder."""
    paths = [str(run_folder(config).path) for config in configs]
    shared = sorted({path for path in paths if paths.count(path) > 1})
    twice = [
        path
        for path in shared
        if _are_the_same([config for config, own in zip(configs, paths, strict=True) if own == path])
    ]
    if twice:
        raise UserError(
            f"the comparison has the same run more than once: {', '.join(twice)}; remove the repetition from --runs, "
            "--datasets or --seeds"
        )
    if shared:
        raise UserError(
            f"several runs of the comparison would share a folder: {', '.join(shared)}; drop experiment_name, and "
            "give data files with the same name different dataset_names"
        )
