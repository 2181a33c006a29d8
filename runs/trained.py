"""A trained run, loaded with its own options, data and best weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from options import Origin
from options.problems import Problems
from options.resolve import resolve
from options.templates import read_templates
from options.values import RawOption
from runs.command import Command
from runs.config import EXPERIMENT, ExperimentConfig
from runs.experiment import Experiment
from runs.registries import make_registries
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
    experiment = Experiment.build(config_of_run(config_file, given, changes))
    load_model(experiment.model, read_weights(str(weights), experiment.loader.split), str(weights))
    experiment.model.eval()
    return TrainedRun(experiment, weights)


def config_of_run(
    config_file: Path, given: Sequence[RawOption] = (), changes: Mapping[str, Any] | None = None
) -> ExperimentConfig:
    """The run's configuration with the changes, for evaluating it. Raises OptionsError."""
    registries, problems = make_registries({"train": _EVALUATE, "test": _EVALUATE}), Problems()
    raw = read_templates((str(config_file),), registries.templates, problems)
    raw += given
    raw += [
        RawOption(key, _plain(value), Origin.program("load_run"))
        for key, value in {**(changes or {}), "mode": "test"}.items()
    ]
    resolved = resolve(raw, registries, problems, (str(config_file),))
    problems.raise_if_any()
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    return ExperimentConfig.of(resolved)


def _plain(value: Any) -> Any:
    """An option's value as a template has it."""
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else value


_EVALUATE = Command(EXPERIMENT, lambda resolved: 0)  # only its sections matter here
