"""Which folder a run has, and whether it may be used: no run destroys another."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import logging
import re
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, Literal

import yaml
from pydantic_core import to_jsonable_python

from common.circumstances import CIRCUMSTANCES
from common.errors import UserError
from common.files import expanded, write_text
from options.request import Request
from runs.build import dataset_name, model_class, run_options
from trainers.run_folder import RunFolder

try:
    import fcntl
except ImportError:
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

PLACE = ("experiment_root", "experiment_group", "experiment_name")
State = Literal["new", "resumed"]
LOCK = ".lock"
NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})  # of some network file systems
LOCK_SECONDS = 1.0  # a process that was just killed, or one that only looks, holds a lock for less


def essence(values: dict[str, Any]) -> dict[str, Any]:
    """The options that decide a run's results."""
    return {key: value for key, value in values.items() if key not in CIRCUMSTANCES}


def computed(values: dict[str, Any]) -> dict[str, Any]:
    """The same without where a file of data lies: its content is known by the data's hash."""
    return {key: value for key, value in essence(values).items() if key != "dataset_path"}


def plain_values(request: Request) -> dict[str, Any]:
    """The resolved options as plain YAML values."""
    return dict(yaml.safe_load(request.to_yaml()))


def label_of(request: Request) -> str:
    """The run's name in tables."""
    options = run_options(request)
    if options.label or options.model_code is None:
        return options.label or "run"
    return model_class(request).named(request.sections)


def run_folder(request: Request) -> RunFolder:
    """`<root>/<group>/<name>`; group and name are derived from the dataset and the options where they are not given.

    A run whose own `config.yaml` is the template is measured, and gone on with, where that lies.
    """
    own = _folder_of_template(request)
    if own is not None:
        return RunFolder(own)
    options = run_options(request)
    name = options.experiment_name or f"{_beginning(request)}{_digest(request)}"
    if options.pilot:  # a pilot is cleared without asking: it must never have a real run's folder
        name = f"pilot-{name}"
    return RunFolder(
        Path(options.experiment_root) / (options.experiment_group or _as_name(dataset_name(request))) / name
    )


def _beginning(request: Request) -> str:
    """What the derived names of a run and of its variants with other options have in common."""
    return _as_name(f"{label_of(request)}-seed{run_options(request).seed}-")


def _digest(request: Request) -> str:
    """A hash of what is computed. Defaults aren't in it: an option that a later version adds changes no name."""
    values = computed(plain_values(request))
    if "dataset_name" in values:  # null = from the file's name
        values["dataset_name"] = dataset_name(request)
    fields = {key: field for section in request.sections.values() for key, field in type(section).model_fields.items()}
    for key in values.keys() & fields.keys():
        field = fields[key]
        if not field.is_required() and values[key] == to_jsonable_python(field.get_default(call_default_factory=True)):
            del values[key]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]


def is_config_of_run(template: Path) -> bool:
    """Whether a template is the `config.yaml` of a run that has left weights."""
    return template.name == "config.yaml" and (template.parent / "models").is_dir()


def _folder_of_template(request: Request) -> Path | None:
    """The folder of the run whose own `config.yaml` is the template, if it is to be measured or gone on with.

    None where another place is given, or other weights are to be measured. A pilot and the runs of a comparison have
    their own folders always.
    """
    options = run_options(request)
    measured = request.mode in ("validate", "test")
    if options.pilot or request.origins["mode"] == "mode compare":
        return None
    if not measured and not (request.mode == "train" and options.resume_training):
        return None
    config = next(filter(is_config_of_run, (expanded(Path(name)) for name in reversed(request.templates))), None)
    if config is None:
        return None
    for key in (*PLACE, "pretrained_weights") if measured else PLACE:
        origin = request.origins[key]
        if not origin.startswith("default") and Path(origin.rpartition(":")[0]).resolve() != config.resolve():
            return None
    return config.parent


def _as_name(text: str) -> str:
    """`text` with everything but letters, digits, and `._+-` replaced."""
    return re.sub(r"[^\w.+-]+", "_", text).strip(".") or "run"


@contextlib.contextmanager
def claimed(request: Request, folder: RunFolder) -> Iterator[State]:
    """Hold the run's folder for this process, prepared for a new run or to go on with an interrupted one.

    Raises UserError if it holds a run that the options don't say to resume or overwrite, or that another process runs.
    """
    folder.path.mkdir(parents=True, exist_ok=True)
    with locked(folder.path):
        yield _prepare(request, folder)


def check_usable(request: Request, folder: RunFolder) -> State | None:
    """What the run's folder is there for: a "new" run, or one that is "resumed"; None = its run is to be replaced.

    Raises UserError if it holds a run that the options don't say to resume or overwrite, or that another process runs.
    """
    _wait_for(folder.path, lambda: not is_held(folder))
    use = _use(request, folder)
    options = run_options(request)
    unasked = request.origins["resume_training"].startswith(("default", "trial"))  # as in comparisons and searches
    if use == "new" and options.resume_training and not unasked and not options.pilot:
        _say_new(request, folder)
    return use


def _say_new(request: Request, folder: RunFolder) -> None:
    """Say that there is nothing to go on with; loudly, where it may be another run that was meant."""
    others = [] if request.origins["resume_training"] != "--resume_training" else _unfinished_beside(request, folder)
    if others:
        log.warning(
            "there is no run to go on with in %s: a new one begins. The unfinished ones beside it have other options: "
            "%s. To go on with one of them: --templates <its folder>/config.yaml --resume_training true",
            folder.path,
            ", ".join(others),
        )
    else:
        log.info("there is no run to go on with in %s: a new one begins", folder.path)


def _unfinished_beside(request: Request, folder: RunFolder) -> list[str]:
    """The folders of unfinished runs of the same label and seed in the run's group."""
    found = []
    for config in sorted(folder.path.parent.glob(f"{_beginning(request)}*/config.yaml")):
        with contextlib.suppress(UserError):  # a damaged status is none of this run's business
            if RunFolder(config.parent).status().get("state") != "finished":
                found.append(str(config.parent))
    return found


def _use(request: Request, folder: RunFolder) -> State | None:
    """The same of a folder that no other process has."""
    options = run_options(request)
    try:
        finished = folder.status().get("state") == "finished"
    except UserError:  # damaged
        if options.overwrite:
            return None
        raise
    if not folder.config.exists():
        return "new"
    if options.pilot:
        return None
    if options.resume_training and not finished:  # asked for together with overwrite, it is the harmless one
        _check_same(request, folder)
        return "resumed"
    if options.overwrite:
        return None
    elsewhere, kind = _data_elsewhere(request, folder), "a finished" if finished else "an unfinished"
    changed = _changed_options(request, folder)
    if changed:
        raise UserError(
            f"{folder.path} holds {kind} run with other options ({'; '.join(changed)}){elsewhere}: give another "
            "--experiment_name, or --overwrite true to replace it"
        )
    if finished:
        another_seed = "" if options.experiment_name else ", or another --seed"
        raise UserError(
            f"{folder.path} holds a finished run{elsewhere}; its options are in {folder.config.name}, its results in "
            f"{folder.results.name}. "
            f"To run it again: --overwrite true, or --experiment_name NAME for another folder{another_seed}"
        )
    raise UserError(
        f"{folder.path} holds an unfinished run{elsewhere}. To go on with it: --resume_training true; to start anew: "
        "--overwrite true; to keep it and run beside it: --experiment_name NAME"
    )


def _data_elsewhere(request: Request, folder: RunFolder) -> str:
    """Where the data of the run in the folder lies, if the options name another place: perhaps it is other data."""
    there, here = read_config(folder.config).get("dataset_path"), plain_values(request).get("dataset_path")
    if there in (None, here):
        return ""
    return f" on the data in {there} (if those in {here} are others, give them a --dataset_name of their own)"


def _prepare(request: Request, folder: RunFolder) -> State:
    state = _use(request, folder)
    if state is None:
        _clear(folder)
        state = "new"
    for half_written in folder.path.rglob(".*.tmp"):  # left by a process that was killed
        half_written.unlink(missing_ok=True)
    if state == "new":
        asked_once = {"overwrite": False, "resume_training": False}  # of this start, not of the run
        write_text(folder.config, replace(request, values={**request.values, **asked_once}).to_yaml())
        folder.write_status(state="running", epoch=0)
    return state


def _check_same(request: Request, folder: RunFolder) -> None:
    """Refuse to resume with options that would compute something else."""
    changed = _changed_options(request, folder)
    if changed:
        raise UserError(
            f"{folder.path} was begun with other options ({'; '.join(changed)}): resume with the old ones "
            f"(--templates {folder.config}), or give another --experiment_name"
        )


def _changed_options(request: Request, folder: RunFolder) -> list[str]:
    """In words, the options that would compute something else than the run in the folder does."""
    before = read_config(folder.config)
    old, new = computed(before), computed(plain_values(request))
    for key in new.keys() - old.keys():  # an option that the version which began the run didn't have
        if request.origins[key].startswith("default"):
            del new[key]
    return [
        f"{key}: {old.get(key)} then, {new.get(key)} now" for key in sorted(old | new) if old.get(key) != new.get(key)
    ]


def read_config(config: Path) -> dict[str, Any]:
    """The options that the run with this config.yaml was begun with. Raises UserError if the file is damaged."""
    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{config} is damaged ({error}): start anew with --overwrite true") from error
    if not isinstance(values, dict):
        raise UserError(f"{config} is damaged (it holds no options): start anew with --overwrite true")
    return values


def _clear(folder: RunFolder) -> None:
    """Remove what a run wrote, and nothing else."""
    for part in (folder.models, folder.tables, folder.path / "tensorboard", folder.path / "evaluation"):
        shutil.rmtree(part, ignore_errors=True)
    for file in (folder.results, folder.per_user, folder.log, folder.status_file, folder.config):
        file.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep other processes out of the folder while the block runs; the system frees it if this process dies."""
    if fcntl is None:  # not a POSIX system
        yield
        return
    with open(path / LOCK, "a", encoding="ascii") as file:
        _wait_for(path, lambda: _flock(file, fcntl.LOCK_EX) is not False)
        if _flock(file, fcntl.LOCK_EX) is None:  # asking again changes nothing
            log.warning(
                "the file system of %s has no locks: nothing keeps a second process from using the folder at the same "
                "time, see to it yourself",
                path,
            )
        yield


def _wait_for(path: Path, free: Callable[[], bool]) -> None:
    """Wait a moment until the folder is free. Raises UserError if it isn't then."""
    deadline = time.monotonic() + LOCK_SECONDS
    while not free():
        if time.monotonic() > deadline:
            raise UserError(f"{path} is in use by another process: wait for it, or give another --experiment_name")
        time.sleep(LOCK_SECONDS / 20)


def is_held(folder: RunFolder) -> bool | None:
    """Whether a process, here or on another machine, is running in this folder; None where the system can't tell."""
    if fcntl is None:
        return None
    try:
        with open(folder.path / LOCK, encoding="ascii") as file:
            locked_now = _flock(file, fcntl.LOCK_SH)
    except FileNotFoundError:
        return False
    return None if locked_now is None else not locked_now


def _flock(file: IO[str], kind: int) -> bool | None:
    """Lock an open file without waiting; False if another process has a lock on it that is against this one, None if
    the file system has no locks."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in NO_LOCKS:
            return None
        raise
    return True
