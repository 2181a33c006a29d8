"""Read the first sheet of an .xlsx workbook as columns of text."""

from __future__ import annotations

import datetime
import re
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import python_calamine

from common.errors import UserError
from datasets.readers.columns import plain
from datasets.readers.table import RawTable

LARGEST_BYTES = 1 << 32  # unpacked size of a workbook
LARGEST_AREA = 1 << 25  # rows x columns up to the last cell: the parser allocates all of them
CHUNK_BYTES = 1 << 24
PLACE = re.compile(rb"""\br=["']([A-Z]*)([0-9]+)["']""")  # of a row (17) or a cell (C17)
FAR_PLACE = re.compile(rb"""\br=["'](?:[A-Z]{2,}[0-9]+|[A-Z]?[0-9]{7,})["']""")  # beyond column Z or row 999,999
WITHOUT_PLACE = re.compile(rb"""<(?:\w+:)?c(?=[\s/>])(?![^>]*\sr=["'])""")


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
            _check_dimensions(path, archive)
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


def _check_dimensions(path: Path, archive: zipfile.ZipFile) -> None:
    """Raise UserError if a sheet has a cell so far off that its rows and columns can't be allocated."""
    for entry in archive.namelist():
        if not re.fullmatch(r"xl/worksheets/[^/]+\.xml", entry):
            continue
        width, height, rows, unnamed = 26, 1, 0, 0  # a narrow sheet fits, however long
        for part in _parts(archive, entry):
            rows += part.count(b"<row")
            unnamed += sum(1 for _ in WITHOUT_PLACE.finditer(part))
            if FAR_PLACE.search(part):
                for column, row in PLACE.findall(part):
                    width, height = max(width, _column_number(column)), max(height, int(row[:20]))
        width, height = max(width, unnamed), max(height, rows)
        if width * height > LARGEST_AREA:
            raise UserError(
                f"{path}: {entry} may reach to row {height:,} and column {width:,}, which is too large for a table of "
                "interactions: delete the cells outside the table, or save it as CSV"
            )


def _parts(archive: zipfile.ZipFile, entry: str) -> Iterator[bytes]:
    """The content of an entry, in parts that end with a whole tag."""
    rest = b""
    with archive.open(entry) as file:
        while chunk := file.read(CHUNK_BYTES):
            end = chunk.rfind(b">") + 1
            if end:
                yield rest + chunk[:end]
                rest = b""
            rest += chunk[end:]
    yield rest


def _column_number(letters: bytes) -> int:
    """The number of a column: 1 for A, 27 for AA; 0 without letters."""
    number = 0
    for letter in letters[:8]:
        number = number * 26 + letter - 64
    return number


def _text(cell: object) -> str:
    """A cell as it would be written to CSV."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    return str(cell)
