"""Read typed columns from Parquet, one column at a time and in batches: numbers as arrays, text as categories."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import UserError
from datasets.blocks import empty, progress
from datasets.readers.columns import NEEDED
from datasets.readers.head import Head
from datasets.readers.table import RawTable

MAGIC = b"PAR1"
BATCH_ROWS = 1 << 18
HEAD_ROWS = 200


def parquet_head(path: Path) -> Head:
    """The columns of a file, with the first rows as text; nested columns are empty.

    Raises
    ------
    UserError
        The file is damaged.
    """
    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16) as file:  # reads a few pages only
            schema = file.schema_arrow
            flat = [field.name for field in schema if not pa.types.is_nested(field.type)]
            batch = next(file.iter_batches(HEAD_ROWS, columns=flat), None) if len(set(flat)) == len(flat) else None
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:  # ValueError: damaged names or numbers
        raise UserError(f"{path} can't be read as Parquet: {error}") from error
    texts = {} if batch is None else {name: first_texts(batch.column(name)) for name in flat}
    columns = [texts.get(name, []) for name in schema.names]
    return Head(list(schema.names), [*zip(*(column or [""] * HEAD_ROWS for column in columns), strict=False)])


def first_texts(column: pa.Array) -> list[str]:
    """A column as text; [] if it can't be converted."""
    try:
        return [str(text) for text in column.cast(pa.string()).fill_null("").to_pylist()]
    except (pa.ArrowException, ValueError):  # ValueError: invalid UTF-8, which is reported when the column is read
        return []


def read_parquet(path: Path, columns: Mapping[str, int], scratch: Path | None = None) -> RawTable:
    """Read some columns of a file.

    Parameters
    ----------
    path : the file
    columns : role -> index of the column
    scratch : folder for the files of columns of numbers, see `blocks.empty`; None = they are in memory

    Raises
    ------
    UserError
        The file is damaged, or a column is nested.
    """
    try:
        with pq.ParquetFile(path) as file:
            schema = file.schema_arrow
        for role, index in columns.items():
            if pa.types.is_nested(schema.field(index).type):
                name = schema.names[index]
                raise UserError(
                    f"{path}: the {role} column {name!r} is nested ({schema.field(index).type}), and a row must be one "
                    f"interaction: write a row for each element, e.g. with pandas: frame.explode({name!r})"
                )
        text = [schema.names[columns[role]] for role in NEEDED if _is_text(schema.field(columns[role]).type)]
        with pq.ParquetFile(path, read_dictionary=text) as file:
            table = {role: _read(file, schema.names[index], scratch) for role, index in columns.items()}
        for column in table.values():
            column.validate(full=True)  # detects invalid UTF-8 and category codes
    except (pa.ArrowException, OSError, MemoryError, ValueError) as error:  # ValueError: damaged names or numbers
        raise UserError(f"{path} can't be read as Parquet: {error}") from error
    return RawTable(path, table, lambda row: f"row {row + 1}")


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _read(file: pq.ParquetFile, name: str, scratch: Path | None) -> pa.ChunkedArray:
    """Read one column; numbers as a single chunk, so that they needn't be copied later."""
    kind = file.schema_arrow.field(name).type
    batches = (batch.column(0) for batch in file.iter_batches(BATCH_ROWS, columns=[name]))
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        return pa.chunked_array(list(batches), type=kind)
    values = empty(file.metadata.num_rows, kind.to_pandas_dtype(), scratch)
    absent: npt.NDArray[np.bool_] | None = None
    start, bar = 0, progress(len(values), f"read {name}")
    for batch in batches:
        if start + len(batch) > len(values):
            break
        part = slice(start, start + len(batch))
        if batch.null_count:
            absent = np.zeros(len(values), dtype=bool) if absent is None else absent
            absent[part] = batch.is_null().to_numpy(zero_copy_only=False)
            batch = batch.fill_null(0)  # noqa: PLW2901
        values[part] = batch.to_numpy()
        start += len(batch)
        bar.update(len(batch))
    bar.close()
    if start != len(values):
        raise pa.ArrowInvalid(f"the number of rows differs from the {len(values):,} in the metadata")
    return pa.chunked_array([pa.array(values, type=kind, mask=absent)])
