"""A trained run, loaded with its own options, data and best weights, for the commands that use one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import expanded
from common.schema import Options, options_with_role
from options import Origin, Resolved
from options.problems import Problems
from options.resolve import resolve
from options.templates import read_templates
from options.values import RawOption
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.experiment import Experiment
from runs.registries import make_registries
from runs.run_options import RunOptions
from runs.weights import read_weights
from trainers.checkpoint import BEST, load_model


@dataclass(frozen=True)
class TrainedRun:
    """A trained run.

    Attributes
    ----------
    experiment : its configuration, data, dataloader and model; the model has the trained weights and is in eval mode
    weights : the file that the weights were read from
    """

    experiment: Experiment
    weights: Path


def load_run(path: str | Path, given: Sequence[RawOption] = (), **changes: Any) -> TrainedRun:
    """Load a trained run; its options are read from its own folder.

    Parameters
    ----------
    path : the run's folder, or a weights file in its folder `models/`
    given : options that override the run's own
    **changes : options by keyword, e.g. `device="cpu"`, `dataset_path="data/purchases.csv"`; they override both

    Returns
    -------
    TrainedRun
        The run with its best weights, or with those of the file.

    Raises
    ------
    UserError
        There is no such run, or its data has changed.
    OptionsError
        A changed option is wrong.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"there is no run at {path}: give the folder of a trained run")
    folder, weights = (path, path / "models" / BEST) if path.is_dir() else (path.parent.parent, path)
    config_file = folder / "config.yaml"
    if not config_file.is_file():
        raise UserError(f"there is no run at {path} (no {config_file}): give the folder of a trained run")
    experiment = Experiment.build(_config_of_run(config_file, given, changes))
    load_model(experiment.model, read_weights(str(weights), experiment.loader.split, to_evaluate=True), str(weights))
    experiment.model.eval()
    return TrainedRun(experiment, weights)


def _config_of_run(config_file: Path, given: Sequence[RawOption], changes: dict[str, Any]) -> ExperimentConfig:
    """The run's configuration with the changes, for evaluating it. Raises OptionsError."""
    registries, problems = make_registries({"train": _EVALUATE, "test": _EVALUATE}), Problems()
    raw = read_templates((str(config_file),), registries.templates, problems)
    raw += given
    raw += [
        RawOption(key, str(value) if isinstance(value, Path) else value, Origin.program("load_run"))
        for key, value in {**changes, "mode": "test"}.items()
    ]
    resolved = resolve(raw, registries, problems, (str(config_file),))
    problems.raise_if_any()
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    return ExperimentConfig.of(resolved)


_EVALUATE = Command(EXPERIMENT, lambda resolved: 0)  # only its sections matter here


def execution_options(resolved: Resolved) -> list[RawOption]:
    """The given options that say how to compute (device, num_threads, ...). All others are the run's own."""
    values = resolved.section("run", RunOptions).model_dump(mode="json")
    keys = options_with_role("execution") | {"precision"}
    return [
        RawOption(key, value, resolved.origins[key])
        for key, value in values.items()
        if key in keys and not resolved.origins[key].is_default
    ]


def missing_run(sections: Mapping[str, Options]) -> str | None:
    """Why a command that needs a trained run has none; None if one is given."""
    run = sections["run"]
    if not isinstance(run, RunOptions):
        return None
    if run.pretrained_weights is None:
        return f"command {run.mode} needs a trained run: give its folder with --pretrained_weights"
    if not expanded(Path(run.pretrained_weights)).exists():
        return f"there is no run at {run.pretrained_weights} (pretrained_weights): give the folder of a trained run"
    return None
