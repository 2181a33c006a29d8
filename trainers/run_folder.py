"""A run's folder: options, status, tables, weights and results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from common.errors import UserError
from common.files import atomic_path, write_text
from trainers.saturation import with_plain_best_value

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

    def keep_through(self, epoch: int) -> None:
        """Drop the rows of epochs after `epoch`, which a resumed run will write again, and an incomplete last line.

        Raises
        ------
        UserError
            A line doesn't start with its epoch.
        """
        if not self.path.exists():
            return
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True)
        try:
            kept = lines[:1] + [line for line in lines[1:] if line.endswith("\n") and int(line.split(",")[0]) <= epoch]
        except ValueError as error:
            raise UserError(f"{self.path} is damaged ({error}): fix or remove it") from error
        write_text(self.path, "".join(kept) if len(kept) > 1 else "") if len(kept) > 1 else self.path.unlink()


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

    def table(self, name: str) -> Table:
        """`tables/<name>_log.csv`."""
        return Table(self.tables / f"{name}_log.csv")

    def status(self) -> dict[str, Any]:
        """The content of status.json; empty if there is no such file. Raises UserError if it is damaged."""
        if not self.status_file.is_file():
            return {}
        try:
            status = json.loads(self.status_file.read_text(encoding="utf-8"))
            if not isinstance(status, dict):
                raise ValueError("it is not a JSON object")
        except ValueError as error:
            raise UserError(f"{self.status_file} is damaged ({error}): remove it, or use --overwrite true") from error
        return with_plain_best_value(status)

    def write_status(self, **values: Any) -> None:
        """Replace status.json."""
        write_text(self.status_file, json.dumps(values, indent=1) + "\n")

    def write_results(self, results: Mapping[str, Any]) -> None:
        """Replace results.json."""
        write_text(self.results, json.dumps(results, indent=1, allow_nan=False) + "\n")


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
