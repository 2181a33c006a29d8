"""Read the first sheet of an .xlsx workbook as columns of text."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import python_calamine

from common.errors import UserError
from datasets.readers.columns import plain
from datasets.readers.table import RawTable

LARGEST_BYTES = 1 << 32  # unpacked size of a workbook


def read_workbook(path: Path, names: Sequence[str]) -> RawTable:
    """Read columns by their names in the first row, as text: whole numbers without `.0`, times as ISO 8601.

    Raises
    ------
    UserError
        The workbook is damaged, too large or lacks a column.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_BYTES:
                raise UserError(f"{path} is too large: it unpacks to more than {LARGEST_BYTES >> 30} GiB")
        sheet = python_calamine.CalamineWorkbook.from_path(path).get_sheet_by_index(0)
        rows = sheet.to_python(skip_empty_area=True)
    except (zipfile.BadZipFile, python_calamine.CalamineError, OSError) as error:
        raise UserError(f"{path} can't be read as an xlsx workbook: {error}") from error
    header = [plain(str(name)) for name in rows[0]] if rows else []
    missing = [name for name in names if plain(name) not in header]
    if missing:
        raise UserError(f"{path}: the first sheet has no column {missing[0]!r}")
    columns = {}
    for name in names:
        index = header.index(plain(name))
        columns[name] = pa.chunked_array([pa.array([_text(row[index]) for row in rows[1:]], type=pa.string())])
    return RawTable(path, columns, lambda row: f"row {row + 2}")


def _text(cell: object) -> str:
    """A cell as it would be written to CSV."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
