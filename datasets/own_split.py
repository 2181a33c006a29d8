"""A split that comes with the data: files of validation and test interactions beside the training file, or a column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field, model_validator

from common.errors import UserError
from common.schema import INPUT_PATH
from datasets.base import DatasetOptions, RawInteractions
from datasets.funnel import Step


class OwnSplitOptions(DatasetOptions):
    """Options of a dataset that may come with its split; `--split files` uses it."""

    validation_path: Path | None = Field(
        None,
        description="file of the validation interactions, as dataset_path; which then has the training interactions",
        json_schema_extra=INPUT_PATH,
    )
    test_path: Path | None = Field(
        None, description="file of the test interactions, as dataset_path", json_schema_extra=INPUT_PATH
    )

    split_column: str | None = Field(
        None, description="instead of more files: name of the column that says train, valid or test for each row"
    )

    @model_validator(mode="after")
    def _one_way(self) -> OwnSplitOptions:
        if self.split_column is not None and self.more_files:
            raise ValueError("split_column is instead of validation_path and test_path: give one of the two")
        if (self.validation_path is None) != (self.test_path is None):
            raise ValueError("give both validation_path and test_path, or neither")
        return self

    @property
    def has_split(self) -> bool:
        """Whether the data comes with its split."""
        return self.test_path is not None or self.split_column is not None

    @property
    def more_files(self) -> dict[str, Path]:
        """Option -> file of the validation and the test interactions, if they have their own."""
        paths = {"validation_path": self.validation_path, "test_path": self.test_path}
        return {key: path for key, path in paths.items() if path is not None}


def read_with_parts(
    options: OwnSplitOptions, dataset_path: Path, read: Callable[[Path], RawInteractions]
) -> RawInteractions:
    """The interactions of all files, with a column `part`: 0 training, 1 validation, 2 test.

    Raises UserError if the files don't have the same columns.
    """
    paths = {"dataset_path": dataset_path, **options.more_files}
    tables = {key: read(path) for key, path in paths.items()}
    first = tables["dataset_path"]
    for key, table in tables.items():
        if list(table.frame.columns) != list(first.frame.columns):
            raise UserError(
                f"{key} {paths[key]} has the columns {', '.join(table.frame.columns)}, but dataset_path {dataset_path} "
                f"has {', '.join(first.frame.columns)}: all must have the same (to ignore one: --rating_column '', "
                "--timestamp_column '')"
            )
    ticks = max(table.ticks_per_second for table in tables.values())
    frames = [_in_ticks(table, ticks) for table in tables.values()]
    joined: dict[str, Any] = {name: _joined([frame[name] for frame in frames]) for name in first.frame.columns}
    joined["part"] = np.repeat(np.arange(len(frames), dtype=np.int8), [len(frame) for frame in frames])
    step = Step("rows of the training, validation and test files", len(joined["part"]))
    return RawInteractions(pd.DataFrame(joined, copy=False), ticks, (step,))


def _in_ticks(table: RawInteractions, per_second: int) -> pd.DataFrame:
    """The table with timestamps in this unit."""
    if "timestamp" not in table.frame or table.ticks_per_second == per_second:
        return table.frame
    return table.frame.assign(timestamp=table.frame["timestamp"] * (per_second // table.ticks_per_second))


def _joined(columns: list[pd.Series[Any]]) -> pd.Series[Any]:
    """The columns one below the other; as text if the ids of one are."""
    if any(not pd.api.types.is_numeric_dtype(column.dtype) for column in columns):
        columns = [column.astype(str).astype(object) for column in columns]
    return pd.concat(columns, ignore_index=True)
