"""The folder of a search: `<group>/tune-<name>/`, with a run's folder for each trial."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from common.errors import UserError
from common.files import remove_abandoned, write_text
from common.locks import locked
from options.yaml_text import dump_mapping
from runs.folder_names import search_folder
from runs.folders import changed_options, read_config
from runs.results import TUNING
from runs.tuning.config import TuneConfig
from trainers.run_folder import RunFolder


class Budget(BaseModel):
    """The budget of a search."""

    trials: int


class Summary(BaseModel):
    """What is read of a tuning.json."""

    ended: bool
    budget: Budget
    values: dict[str, Any]


class TuningFolder:
    """The files of a search."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.database = path / "study.db"
        self.best = path / "best.yaml"
        self.summary = path / TUNING
        self.table = path / "trials.csv"

    @classmethod
    def of(cls, config: TuneConfig) -> TuningFolder:
        """The folder of a search (see `with_tune_seed`); its name is derived from the options."""
        return cls(search_folder(config.experiment, config.tune))

    def trial(self, number: int, pilot: bool) -> RunFolder:
        """The run's folder of a trial."""
        name = trial_name(number)
        return RunFolder(self.path / (f"pilot-{name}" if pilot else name))

    def trials(self) -> list[Path]:
        """The folders of all trials."""
        return sorted(path for path in self.path.glob("*trial-*") if re.fullmatch(r"(pilot-)?trial-\d{4,}", path.name))

    @contextmanager
    def claimed(self, config: TuneConfig) -> Iterator[None]:
        """Hold the folder for this process.

        Raises UserError if another process uses it, or if it holds a search with other options.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            remove_abandoned(self.path, ".*.tmp", seconds=0)
            self._check_same(config)
            yield

    def write_config(self, config: TuneConfig) -> None:
        """Write the options, without the storage's URL, which may contain a password."""
        values = {key: value for key, value in config.values().items() if key != "storage"}
        write_text(self.config, dump_mapping(values))

    def clear(self) -> None:
        """Remove the files of the search and nothing else; the study in the database is deleted separately."""
        for file in (self.summary, self.best, self.table):
            file.unlink(missing_ok=True)
        for trial in self.trials():
            shutil.rmtree(trial)
        self.config.unlink(missing_ok=True)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace tuning.json."""
        write_text(self.summary, json.dumps(summary, indent=1, allow_nan=False) + "\n")

    def _check_same(self, config: TuneConfig) -> None:
        options = config.experiment.run
        if not self.config.exists() or (options.overwrite and not options.pilot):
            return
        if options.pilot:
            if read_config(self.config).get("pilot") is not True:
                raise UserError(f"{self.path} holds a search that isn't a pilot: give another --experiment_name")
            return
        changed = changed_options(read_config(self.config), config.values(), config.experiment.origins)
        if changed:
            raise UserError(
                f"{self.path} holds a search with other options ({'; '.join(map(str, changed))}): give another "
                "--experiment_name, or restart from scratch with --overwrite true"
            )


def trial_name(number: int) -> str:
    """The name of a trial's folder."""
    return f"trial-{number:04d}"
