"""The folder of a search: `<group>/tune-<name>/`, with a run's folder for each trial."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import write_text
from options.request import Request
from options.yaml_text import dump_mapping
from runs.build import run_options
from runs.folders import computed, locked, run_folder
from runs.launchers import LaunchOptions
from runs.results import TUNING
from runs.tuning.options import TuneOptions
from trainers.run_folder import RunFolder

# Options that say how long to search and where, but not what is searched or how.
OF_THE_SEARCH = frozenset(
    {"num_trials", "tune_minutes", "storage", "write_template", *LaunchOptions.model_fields, "tuned_by"}
)


def tune_options(request: Request) -> TuneOptions:
    """The tune section of a request."""
    section = request.sections["tune"]
    assert isinstance(section, TuneOptions)
    return section


def with_tune_seed(request: Request) -> Request:
    """The request with the seed of the search as the run's."""
    seed = tune_options(request).tune_seed
    if seed is None:
        return request
    sections = {
        **request.sections,
        "run": run_options(request).model_copy(update={"seed": seed}),
        "tune": tune_options(request).model_copy(update={"tune_seed": None}),
    }
    return replace(request, sections=sections, values={**request.values, "seed": seed, "tune_seed": None})


def searched(values: Mapping[str, Any]) -> dict[str, Any]:
    """The options that decide which trials there are."""
    return {key: value for key, value in computed(dict(values)).items() if key not in OF_THE_SEARCH}


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
    def of(cls, request: Request) -> TuningFolder:
        """The folder of the search that a request asks for (`with_tune_seed`); its name says what is searched."""
        kept = {key: value for key, value in request.values.items() if key not in OF_THE_SEARCH}
        path = run_folder(replace(request, values=kept)).path
        return cls(path.with_name(f"tune-{path.name}"))

    def trial(self, request: Request, number: int) -> RunFolder:
        """The run's folder of a trial."""
        name = trial_name(number)
        return RunFolder(self.path / (f"pilot-{name}" if run_options(request).pilot else name))

    def trials(self) -> list[Path]:
        """The folders of all trials."""
        return sorted(self.path.glob("*trial-*"))

    @contextmanager
    def claimed(self, request: Request) -> Iterator[None]:
        """Hold the folder for this process.

        Raises UserError if another process has it, or if it holds the search of something else.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        with locked(self.path):
            for half_written in self.path.glob(".*.tmp"):  # left by a process that was killed
                half_written.unlink(missing_ok=True)
            self._check_same(request)
            yield

    def begin(self, request: Request) -> None:
        """Note what is searched here; the storage's URL isn't noted, it may hold a password."""
        values = {key: value for key, value in request.values.items() if key != "storage"}
        write_text(self.config, dump_mapping(values))

    def clear(self) -> None:
        """Remove what searches wrote, and nothing else; of the database, the study is to be deleted by itself."""
        for trial in self.trials():
            shutil.rmtree(trial, ignore_errors=True)
        for file in (self.best, self.summary, self.table, self.config):
            file.unlink(missing_ok=True)

    def write_summary(self, summary: Mapping[str, Any]) -> None:
        """Replace tuning.json."""
        write_text(self.summary, json.dumps(summary, indent=1, allow_nan=False) + "\n")

    def _check_same(self, request: Request) -> None:
        options = run_options(request)
        if not self.config.exists() or options.overwrite or options.pilot:
            return
        before = searched(yaml.safe_load(self.config.read_text(encoding="utf-8")) or {})
        now = searched(yaml.safe_load(request.to_yaml()))
        changed = [
            f"{key}: {before.get(key)} then, {now.get(key)} now"
            for key in sorted(before.keys() | now.keys())
            if before.get(key) != now.get(key)
        ]
        if changed:
            raise UserError(
                f"{self.path} holds a search with other options ({'; '.join(changed)}): give another "
                "--experiment_name, or start anew with --overwrite true"
            )


def trial_name(number: int) -> str:
    """The name of a trial's folder."""
    return f"trial-{number:04d}"
