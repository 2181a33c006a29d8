"""The Python interface: train a template on a table of interactions, load a trained run.

from runs.api import load_run, train

trained = train("train_sas_ce", interactions, name="purchases", num_epochs=20)
print(trained.results["test"]["full"]["NDCG@10"])
run = load_run(trained.folder)
run.experiment.model, run.experiment.loader.data
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.errors import UserError
from common.files import atomic_path
from options import Origin, Resolved, parse
from options.problems import Problems
from options.resolve import resolve
from options.templates import read_templates
from options.values import RawOption
from runs.commands import load_registries
from runs.config import ExperimentConfig
from runs.folder_names import run_folder
from runs.train import train as train_run
from runs.train_on_all import with_known_epochs
from runs.trained import TrainedRun, load_run

__all__ = ["Trained", "TrainedRun", "configure", "load_run", "resolve_words", "train"]


@dataclass(frozen=True)
class Trained:
    """A finished training: its folder, and the content of its results.json."""

    folder: Path
    results: dict[str, Any]


def resolve_words(words: Sequence[str]) -> Resolved:
    """The resolved options of a command line, given as words without the program's name."""
    return parse(list(words), load_registries)


def configure(words: Sequence[str]) -> ExperimentConfig:
    """The configuration of one experiment, from the words of a command line.

    Raises
    ------
    OptionsError
        Lists everything that is wrong.
    UserError
        The command has no experiment.
    """
    resolved = resolve_words(words)
    if "model" not in resolved.sections:
        raise UserError(f"command {resolved.command} has no experiment: use train, validate, test or tune")
    return ExperimentConfig.of(resolved)


def train(
    template: str | Path, interactions: pd.DataFrame | None = None, name: str = "interactions", **options: Any
) -> Trained:
    """Train, test and record one model.

    Parameters
    ----------
    template : the name of a template, or a path to a .yaml file
    interactions : a row per interaction, with columns as dataset `file` recognises them (user, item, and optionally
        rating and timestamp); None = the dataset in the options. The table is kept as a Parquet file in
        `local_data_folder`, so that the run can be evaluated and resumed later
    name : the name of the data in results
    **options : any options, as in a template

    Returns
    -------
    Trained
        The run's folder and its results.

    Raises
    ------
    OptionsError
        Lists every option that is wrong.
    UserError
        The data can't be used, or the folder holds another run.
    """
    options = {key: _plain(value) for key, value in {**options, "mode": "train"}.items()}
    if interactions is not None:
        options |= {"dataset_code": "file", "dataset_path": "interactions.parquet"}
        options.setdefault("dataset_name", name)
    problems, registries = Problems(), load_registries()
    given = read_templates((str(template),), registries.templates, problems)
    given += [RawOption(key, value, Origin.flag(key)) for key, value in options.items()]
    resolved = resolve(given, registries, problems, (str(template),))
    problems.raise_if_any()
    if resolved is None:
        raise RuntimeError("options were not resolved, although no problem was found")
    config = ExperimentConfig.of(resolved)
    if interactions is not None:
        path = _save(interactions, config.dataset.local_data_folder / "tables")
        config = config.changed(Origin.flag("dataset_path"), dataset_path=str(path))
    config = with_known_epochs(config)
    return Trained(run_folder(config).path, train_run(config))


def _plain(value: Any) -> Any:
    """An option's value as a template has it: a path as text, a number of numpy as one of Python."""
    if isinstance(value, np.generic):
        return value.item()
    return str(value) if isinstance(value, Path) else value


def _save(table: pd.DataFrame, folder: Path) -> Path:
    """Write the table to a file named after its content."""
    if table.empty:
        raise UserError("the table of interactions is empty")
    rows = pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes()
    digest = hashlib.sha256(" ".join(map(str, table.columns)).encode() + rows).hexdigest()[:16]
    path = folder / f"{digest}.parquet"
    if not path.exists():
        with atomic_path(path) as temporary:
            table.to_parquet(temporary, index=False)
    return path
