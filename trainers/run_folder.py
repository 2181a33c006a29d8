"""A run's folder: options, status, tables, weights and results."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from common.errors import UserError
from common.files import atomic_path, remove_abandoned, write_text
from common.json_files import read_json
from common.texts import value_hash
from trainers.state import Amount, Count, Number, with_plain_best_value

Row = Mapping[str, str | int | float]


class Table:
    """A CSV file to which rows are appended. Its columns are those of the first row.

    Floats are written with as many digits as it takes to read back the same value.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, row: Row) -> None:
        """Append a row, after a header if the file is new."""
        line = io.StringIO()
        writer = csv.DictWriter(line, list(row), lineterminator="\n")
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            writer.writeheader()
        writer.writerow(row)
        with open(self.path, "a", encoding="utf-8", newline="") as file:
            file.write(line.getvalue())

    def keep_through(self, epoch: int) -> list[int]:
        """Drop the rows of epochs after `epoch`, which a resumed run will write again, and an incomplete last line.

        Returns
        -------
        list of int
            The epochs from 1 to `epoch` that have no row, although they should.

        Raises
        ------
        UserError
            The file isn't a table, or a line has too few or too many cells or doesn't start with its epoch.
        """
        if not self.path.exists():
            return list(range(1, epoch + 1))
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
            width = len(next(csv.reader(lines[:1]), []))
            complete = [line for line in lines[1:] if line.endswith("\n")]
            epochs = [_epoch_of(line, width) for line in complete]
        except (ValueError, csv.Error) as error:
            raise UserError(f"{self.path} is damaged ({error}): fix or remove it") from error
        kept = [line for line, number in zip(complete, epochs, strict=True) if number <= epoch]
        if kept:
            write_text(self.path, "".join(lines[:1] + kept))
        else:
            self.path.unlink()
        return sorted(set(range(1, epoch + 1)) - set(epochs))

    def sync(self) -> None:
        """Make sure that all rows are on the disk."""
        if self.path.exists():
            with open(self.path, "rb") as file:
                os.fsync(file.fileno())


def _epoch_of(line: str, width: int) -> int:
    """The epoch of a table's row. Raises ValueError if the row has another width, or no epoch."""
    cells = next(csv.reader([line]))
    if len(cells) != width:
        raise ValueError(f"a row has {len(cells)} cells instead of {width}: {line[:50]!r}")
    return int(cells[0])


class _Status(BaseModel):
    """What the harness reads of a status.json; other values are kept as they are."""

    model_config = ConfigDict(extra="allow", frozen=True)

    state: Literal["running", "interrupted", "failed", "finished"] | None = None
    error: str | None = None
    epoch: Count = 0
    stage: Count = 0
    waiting_since: Count = 0
    best_epoch: Count | None = None
    best_value: Number | None = None
    seconds: Amount = 0.0
    stopped_by: str | None = None


class RunFolder:
    """`<experiments>/<group>/<name>/` and the files in it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.status_file = path / "status.json"
        self.models = path / "models"
        self.tables = path / "tables"
        self.results = path / "results.json"
        self.per_user = path / "per_user.parquet"
        self.log = path / "log.txt"
        self.evaluation = path / "evaluation"
        self._identity: tuple[int, int] | None = None

    def remove_abandoned(self) -> None:
        """Remove what killed processes left half-written in the run's own folders. The run must be locked."""
        for folder in (self.path, self.models, self.tables, self.evaluation):
            remove_abandoned(folder, ".*.tmp", ".tmp*", seconds=0)  # the second pattern: of the safetensors library

    def clear(self) -> None:
        """Remove what a run wrote, and nothing else. A run that is killed meanwhile doesn't look finished."""
        for file in (self.status_file, self.results, self.per_user):
            file.unlink(missing_ok=True)
        for part in (self.models, self.tables, self.path / "tensorboard", self.evaluation):
            if part.is_symlink():
                part.unlink()
            elif part.exists():
                shutil.rmtree(part)
        for file in (self.log, self.config):
            file.unlink(missing_ok=True)

    def remember_place(self) -> None:
        """Remember which folder this is, so that `check_place` notices if it is moved."""
        self._identity = self._place()

    def check_place(self) -> None:
        """Raise UserError if the folder was renamed, moved or removed since `remember_place`.

        Writing to its old path would scatter the run over two folders.
        """
        if self._identity is not None and self._place() != self._identity:
            raise UserError(
                f"{self.path} was renamed, moved or removed while the run used it. To resume it from its last "
                "checkpoint: --templates <the folder's new path>/config.yaml --resume_training true"
            )

    def _place(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def table(self, name: str) -> Table:
        """`tables/<name>_log.csv`."""
        return Table(self.tables / f"{name}_log.csv")

    def status(self) -> dict[str, Any]:
        """The content of status.json; empty if there is no such file. Raises UserError if it is damaged."""
        if not self.status_file.is_file():
            return {}
        status = read_json(self.status_file, _Status, "remove it, or use --overwrite true")
        return with_plain_best_value(status.model_dump(exclude_unset=True))

    def write_status(self, **values: Any) -> None:
        """Replace status.json."""
        self.check_place()
        write_text(self.status_file, json.dumps(values, indent=1) + "\n")

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Replace results.json; a checksum in it shows a later change."""
        self.check_place()
        content = {**results, "checksum": value_hash(dict(results), 16)}
        write_text(self.results, json.dumps(content, indent=1, allow_nan=False) + "\n")


def write_per_user(path: Path, users: NDArray[np.generic], columns: Mapping[str, NDArray[np.float32]]) -> None:
    """Write per-user values as Parquet, in place of an earlier file.

    Parameters
    ----------
    users : [U] original ids; written as text, in column `user`
    columns : column -> float32 [U], the users' attributes and metrics
    """
    table = pa.table(
        {"user": pa.array([str(user) for user in users.tolist()]), **{k: pa.array(v) for k, v in columns.items()}}
    )
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
