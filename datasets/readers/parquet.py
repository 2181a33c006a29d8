"""Parquet as columns with their types."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from common.errors import UserError
from datasets.readers.columns import find_columns
from datasets.readers.table import RawTable

MAGIC = b"PAR1"


def read_parquet(path: Path, wanted: Mapping[str, str | None]) -> RawTable:
    """Read the columns user, item, rating, timestamp of a file; wanted: role -> name given, or None to recognise it.

    Raises UserError if the file is damaged, has no such columns, or their values are nested.
    """
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            schema = file.schema_arrow
            columns = find_columns(schema.names, wanted, path)
            for role, index in columns.items():
                if pa.types.is_nested(schema.field(index).type):
                    raise UserError(
                        f"{path}: the {role} column {schema.names[index]!r} is nested ({schema.field(index).type}); "
                        "flatten it first"
                    )
            table = file.read(columns=[schema.names[index] for index in columns.values()])
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{path} can't be read as Parquet: {error}") from error
    return RawTable(
        path,
        {role: table[schema.names[index]] for role, index in columns.items()},
        lambda row: f"row {row + 1}",
    )
