"""Finds recorded runs and reads them into one tidy data frame."""

from __future__ import annotations

import glob
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from common.errors import UserError
from common.schema import current_names
from common.texts import printable, value_hash

log = logging.getLogger(__name__)
RESULTS = "results.json"
PER_USER = "per_user.parquet"
Phase = Literal["test", "validation"]
LONGEST = 1000  # characters of a recorded text
DRAW_NOTHING = ("bias", "ease", "itemknn", "pop")  # models of runs that didn't record whether the seed matters
PROBLEMS = 5  # named in the message about a file

# What a run can have written. Texts that become a part of a path or of a column's name are names of components.
Code = Annotated[str, Field(pattern=r"^[\w.-]*\w[\w.-]*$", max_length=100)]
Line = Annotated[str, Field(max_length=LONGEST), AfterValidator(printable)]
Hash = Annotated[str, Field(pattern=r"^\w+$", max_length=64)]
Count = Annotated[int, Field(ge=0, lt=2**63)]
Amount = Annotated[float, Field(ge=0)]
Metrics = dict[Code, dict[Annotated[str, Field(pattern=r"^[\w.+-]+(@\d+)?$", max_length=100)], float]]


class _Recorded(BaseModel):
    """A part of a results file. Unknown keys are ignored: another version of the harness may have written it."""

    model_config = ConfigDict(
        extra="ignore", frozen=True, allow_inf_nan=False, protected_namespaces=(), populate_by_name=True
    )


class StepRecord(_Recorded):
    """A step of reading and preparing a dataset, and what was left after it; None before the ids were read."""

    step: Line
    rows: Count
    users: Count | None = None
    items: Count | None = None


class DataRecord(_Recorded):
    """The preprocessed dataset of a run."""

    name: Line
    hash: Hash
    users: Count
    items: Count
    interactions: Count
    funnel: tuple[StepRecord, ...] = ()


class RunRecord(_Recorded):
    """The content of a results.json. What no run can have written is refused; control characters are replaced."""

    schema_version: Literal[1] = Field(alias="schema")
    label: Line
    template: Line | list[Line] | None = None
    model_code: Code
    dataset_code: Code
    split: Code
    filter_seen: bool
    seed: Count
    depends_on_seed: bool | None = None
    options: dict[str, Any]
    data: DataRecord
    best_epoch: Count | None = None
    epochs: Count | None = None
    minutes: Amount | None = None
    peak_memory_mib: Amount | None = None
    parameters: Count | None = None
    device: Line | None = None
    command: str | None = None
    versions: dict[str, Any] = {}
    protocol: dict[str, Any] = {}
    validation: Metrics = {}
    test: Metrics = {}
    stopped_by: Line | None = None
    finished: Line | None = None

    @field_validator("options")
    @classmethod
    def _current_names(cls, options: dict[str, Any]) -> dict[str, Any]:
        return current_names(options)

    @field_validator("device")
    @classmethod
    def _one_thread(cls, device: str | None) -> str | None:
        return "cpu, 1 thread" if device == "cpu, 1 threads" else device  # as it was recorded before

    def metrics(self, phase: Phase) -> dict[str, dict[str, float]]:
        """Return the metrics of a phase: `metrics[candidates][metric]`."""
        return self.test if phase == "test" else self.validation


@dataclass(frozen=True)
class Run:
    """A recorded run, the file it was read from, and its label, which may be another one than was recorded."""

    path: Path
    record: RunRecord
    label: str

    @property
    def name(self) -> str:
        """The folder or file in which the run was found: "VAE-seed0-1a2b3c4d", "ml-1m.vae.seed0"."""
        return printable(self.path.parent.name if self.path.name == RESULTS else self.path.stem)

    @property
    def curve_path(self) -> Path:
        """The learning curve of a recorded `x.json`: `x.curve.csv`. (A run folder has `tables/` instead.)"""
        return self.path.with_name(f"{self.path.stem}.curve.csv")

    @property
    def cut_short(self) -> bool:
        """Whether the run was interrupted, ran out of time or diverged before training was complete."""
        return self.record.stopped_by in ("interrupted", "max_minutes", "diverged")

    @property
    def depends_on_seed(self) -> bool:
        """Whether another seed would give other results; early runs didn't record it."""
        if self.record.depends_on_seed is not None:
            return self.record.depends_on_seed
        return self.own_split or self.record.model_code not in DRAW_NOTHING

    @property
    def own_split(self) -> bool:
        """Whether the run's seed also drew the split, so that other seeds have other test users or targets."""
        return self.record.options.get("split_seed", 0) is None

    @property
    def per_user_path(self) -> Path:
        """The per-user values, if recorded: `per_user.parquet`, or `x.per_user.parquet` for an `x.json`."""
        if self.path.name == RESULTS:
            return self.path.with_name(PER_USER)
        return self.path.with_name(f"{self.path.stem}.{PER_USER}")


def find_results(paths: Iterable[str]) -> list[Path]:
    """Return the results files at the paths, each once, in the order given.

    A path is a results file, a run folder, a folder with run folders below it or recorded `*.json` files in it, or a
    glob of these (`**` matches nested folders). Raises UserError for a path without results.
    """
    found: dict[Path, None] = {}
    for given in paths:
        # pathlib's own glob takes no absolute patterns.
        names = [given] if Path(given).exists() else glob.glob(given, recursive=True)  # noqa: PTH207
        matches = [Path(name) for name in names]
        files = [file for match in sorted(matches) for file in _results_of(match)]
        if not files:
            raise UserError(
                f"no recorded runs at {given!r}: give results.json files, run folders, or globs such as "
                "'experiments/**/results.json' or 'results/*.json' (a run writes its results after testing)"
            )
        found.update((file.resolve(), None) for file in files)
    return list(found)


def _results_of(path: Path) -> list[Path]:
    """Return the results files at a path that exists."""
    if path.is_file():
        return [path]
    if (path / RESULTS).is_file():
        return [path / RESULTS]
    if (path / "status.json").is_file() and (path / "config.yaml").is_file():
        return []  # a run that has not been tested
    runs = sorted(path.glob(f"**/{RESULTS}")) or sorted(path.glob("*.json"))
    # Names that start with a dot are still being written.
    return [file for file in runs if not any(part.startswith(".") for part in file.relative_to(path).parts)]


def read_run(path: Path) -> Run:
    """Read one results file; warns if it was edited. Raises UserError if it is damaged or not a results file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"can't read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UserError(
            f"{path} is not valid JSON ({error}): it is damaged or not a results file; leave it out"
        ) from error
    checksum = content.pop("checksum", None) if isinstance(content, dict) else None
    if checksum not in (None, value_hash(content, 16)):
        log.warning("%s was changed after its run had written it: its checksum is another one", path)
    try:
        record = RunRecord.model_validate(content)
        return Run(path, record, record.label)
    except ValidationError as error:
        problems = "; ".join(
            f"{printable('.'.join(map(str, problem['loc'])))[:100] or 'the file'}: {problem['msg'][:200]}"
            for problem in error.errors()[:PROBLEMS]
        )
        if error.error_count() > PROBLEMS:
            problems += f"; and {error.error_count() - PROBLEMS} more"
        raise UserError(f"{path} is not a results file of a run ({problems}); leave it out") from error


def collect(paths: Iterable[str]) -> list[Run]:
    """Read all runs at the paths (see `find_results`)."""
    return [read_run(path) for path in find_results(paths)]


def relabelled(runs: Sequence[Run], labels: Mapping[str, str]) -> tuple[list[Run], dict[str, str]]:
    """Give runs other labels: `labels` maps a label, a results file or a run's folder to a new label.

    Returns the runs, and the labels that name none of them.
    """
    used: set[str] = set()
    paths = {str(Path(old).resolve()): old for old in labels}

    def renamed(run: Run) -> Run:
        for name in (str(run.path.resolve()), str(run.path.resolve().parent), run.name, run.label):
            old = paths.get(name, name)
            if old in labels:
                used.add(old)
                return replace(run, label=labels[old])
        return run

    return [renamed(run) for run in runs], {old: new for old, new in labels.items() if old not in used}


def tidy_frame(runs: Sequence[Run]) -> pd.DataFrame:
    """Return one row per run, phase, candidate set and metric, with the run's properties as columns."""
    rows = []
    for run in runs:
        record = run.record
        identity = {
            "run": str(run.path),
            "label": run.label,
            "model": record.model_code,
            "dataset": record.data.name,
            "split": record.split,
            "seed": record.seed,
        }
        details = {
            "filter_seen": record.filter_seen,
            "data_hash": record.data.hash,
            "best_epoch": record.best_epoch,
            "epochs": record.epochs,
            "minutes": record.minutes,
            "peak_memory_mib": record.peak_memory_mib,
            "parameters": record.parameters,
            "device": record.device,
            "finished": record.finished,
        }
        phases: tuple[Phase, ...] = ("validation", "test")
        for phase in phases:
            for candidates, metrics in record.metrics(phase).items():
                for metric, value in metrics.items():
                    measured = {"phase": phase, "candidates": candidates, "metric": metric, "value": value}
                    rows.append({**identity, **measured, **details})
    return pd.DataFrame(rows)
