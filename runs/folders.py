"""Whether the folder of a run may be used, and for what. No run destroys another."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from common.errors import UserError
from common.files import write_text
from common.locks import locked, wait_until_free
from common.schema import current_names, result_options
from options import Origin
from options.yaml_text import read_mapping
from runs.config import ExperimentConfig
from runs.folder_names import is_config_of_run, name_prefix
from trainers.checkpoint import CheckpointStore
from trainers.run_folder import RunFolder

log = logging.getLogger(__name__)

State = Literal["new", "resumed"]
LIMIT_OF_END = {
    "num_epochs": "num_epochs",
    "max_minutes": "max_minutes",
    "saturation": "saturation_wait_epochs",
}  # status.json's stopped_by -> the option
RESTART = "restart from scratch with --overwrite true"


@contextlib.contextmanager
def claimed(config: ExperimentConfig, folder: RunFolder) -> Iterator[State]:
    """Lock the run's folder for this process, and prepare it for a new run or to resume an interrupted one.

    Raises UserError if it holds a run that the options don't ask to resume or overwrite, or is in use.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path):
        folder.remember_place()
        yield _prepare(config, folder)


def check_usable(config: ExperimentConfig, folder: RunFolder) -> State | None:
    """How the folder will be used: for a "new" run or a "resumed" one; None = the run in it will be replaced.

    Raises UserError if it holds a run that the options don't ask to resume or overwrite, or is in use.
    """
    root = Path(config.run.experiment_root)
    for above in folder.path.parents:
        if above != root and root in above.parents and is_config_of_run(above / "config.yaml"):
            raise UserError(f"{folder.path} is inside the folder of the run {above}: give another --experiment_group")
    wait_until_free(folder.path)
    use = _use(config, folder)
    asked = config.origins["resume_training"]  # comparisons and searches resume without being asked
    if use == "new" and config.run.resume_training and asked.is_given and not config.run.pilot:
        _report_nothing_to_resume(config, folder)
    return use


def _report_nothing_to_resume(config: ExperimentConfig, folder: RunFolder) -> None:
    """Log that there is nothing to resume, as a warning if the user may have meant another run."""
    asked = config.origins["resume_training"]
    others = _unfinished_beside(config, folder) if asked.kind == "command_line" else []
    if others:
        log.warning(
            "there is no run to resume in %s: starting a new one. Unfinished runs beside it have other options: %s. "
            "To resume one of them: --templates <its folder>/config.yaml --resume_training true",
            folder.path,
            ", ".join(others),
        )
    else:
        log.info("there is no run to resume in %s: starting a new one", folder.path)


def _unfinished_beside(config: ExperimentConfig, folder: RunFolder) -> list[str]:
    """The folders of unfinished runs of the same label and seed in the run's group."""
    found = []
    for file in sorted(folder.path.parent.glob(f"{name_prefix(config)}*/config.yaml")):
        with contextlib.suppress(UserError):  # a damaged status of another run doesn't matter here
            if RunFolder(file.parent).status().get("state") != "finished":
                found.append(str(file.parent))
    return found


def _use(config: ExperimentConfig, folder: RunFolder) -> State | None:
    """`check_usable` for a folder that isn't in use."""
    options = config.run
    try:
        finished = folder.status().get("state") == "finished"
    except UserError:  # damaged
        if options.overwrite:
            return None
        raise
    if not folder.config.exists():
        return "new"
    if options.pilot:
        if read_config(folder.config).get("pilot") is not True:
            raise UserError(f"{folder.path} holds a run that isn't a pilot: give the pilot another --experiment_name")
        return None
    if options.overwrite and (finished or not options.resume_training):  # otherwise resume, which loses nothing
        return None
    changed = changed_options(read_config(folder.config), config.values(), config.origins)
    if options.resume_training and not finished:
        _check_same(config, folder, changed)
        return "resumed"
    if options.resume_training and changed and all(_is_raised_limit(config, one) for one in changed):
        _check_same(config, folder, changed)
        _check_extends(config, folder, changed)
        return "resumed"
    elsewhere, kind = _data_elsewhere(config, folder), "a finished" if finished else "an unfinished"
    if changed:
        raise UserError(
            f"{folder.path} holds {kind} run with other options ({_listed(changed)}){elsewhere}: give another "
            "--experiment_name, or --overwrite true to replace it"
        )
    if finished:
        another_seed = "" if options.experiment_name else ", or another --seed"
        raise UserError(
            f"{folder.path} holds a finished run{elsewhere}; its options are in {folder.config.name}, its results in "
            f"{folder.results.name}. "
            f"To run it again: --overwrite true, or --experiment_name NAME for another folder{another_seed}; to train "
            "it further: --resume_training true with the limit that ended it raised, such as --num_epochs"
        )
    raise UserError(
        f"{folder.path} holds an unfinished run{elsewhere}. To resume it: --resume_training true; to restart it from "
        "scratch: --overwrite true; to keep it and start another run: --experiment_name NAME"
    )


def _data_elsewhere(config: ExperimentConfig, folder: RunFolder) -> str:
    """The data file of the run in the folder, if the options name another one: it may be other data."""
    there, here = read_config(folder.config).get("dataset_path"), config.values().get("dataset_path")
    if there in (None, here):
        return ""
    return f" on the data in {there} (if {here} holds other data, give it its own --dataset_name)"


def _prepare(config: ExperimentConfig, folder: RunFolder) -> State:
    state = _use(config, folder)
    if state is None:
        folder.clear()
        state = "new"
    folder.remove_abandoned()
    if state == "new":
        write_text(folder.config, config.without_start_options().to_yaml())
        folder.write_status(state="running", epoch=0)
    elif changed_options(read_config(folder.config), config.values(), config.origins):  # limits that were raised
        folder.write_status(**{**folder.status(), "state": "running"})
        write_text(folder.config, config.without_start_options().to_yaml())
    return state


def _check_same(config: ExperimentConfig, folder: RunFolder, changed: Sequence[Changed]) -> None:
    """Refuse to resume with other values of the options that decide results, except for raised limits."""
    other = [one for one in changed if not _is_raised_limit(config, one)]
    if other:
        raise UserError(
            f"{folder.path} was started with other options ({_listed(other)}): to resume it, use its own "
            f"options (--templates {folder.config} --resume_training true), or give another --experiment_name"
        )
    trained = CheckpointStore(folder.models).options()
    if trained is None:
        return
    edited = changed_options(current_names(trained), config.values(), config.origins)
    other = [one for one in edited if not _is_raised_limit(config, one)]
    if other:
        raise UserError(
            f"{folder.config} was edited since the run was started: its checkpoint has other options "
            f"({_listed(other)}). Put these back, or restart from scratch with --overwrite true"
        )


def _is_raised_limit(config: ExperimentConfig, changed: Changed) -> bool:
    """Whether a changed option is a limit that was raised, so that the run may continue; null = no limit."""
    raised = changed.now is None or (changed.then is not None and changed.now > changed.then)
    return changed.key in config.trainer.limits and bool(raised)


def _check_extends(config: ExperimentConfig, folder: RunFolder, raised: Sequence[Changed]) -> None:
    """Refuse to resume a finished run if none of the raised limits had ended it."""
    ended_by = str(folder.status().get("stopped_by"))
    limit = LIMIT_OF_END.get(ended_by)
    if limit not in {one.key for one in raised}:
        then = f"raise {limit} as well" if limit in config.trainer.limits else "it can't be trained further"
        raise UserError(
            f"{folder.path} holds a finished run that was ended by {ended_by}, not by a raised limit: {then}"
        )


class Changed(NamedTuple):
    """An option whose value has changed."""

    key: str
    then: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.key}: {self.then} then, {self.now} now"


def _listed(changed: Sequence[Changed]) -> str:
    return "; ".join(map(str, changed))


def changed_options(
    recorded: Mapping[str, Any], values: dict[str, Any], origins: Mapping[str, Origin]
) -> list[Changed]:
    """The options that decide results and differ from recorded ones."""
    old, new = result_options(dict(recorded)), result_options(values)
    for key in new.keys() - old.keys():  # an option that didn't exist when the run was started
        if origins[key].is_default:
            del new[key]
    return [Changed(key, old.get(key), new.get(key)) for key in sorted(old | new) if old.get(key) != new.get(key)]


def read_config(config: Path) -> dict[str, Any]:
    """The options that the run with this config.yaml was started with. Raises UserError if the file is damaged."""
    values = read_mapping(config, RESTART)
    if not values:
        raise UserError(f"{config} is damaged (it holds no options): {RESTART}")
    return current_names(values)
