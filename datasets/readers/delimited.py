"""Delimited text (CSV, TSV, `::`) as columns of text, through pyarrow; rows that don't fit are named."""

import csv
import io
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from common.errors import UserError
from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import TextBytes, open_text

logger = logging.getLogger(__name__)

BLOCK_BYTES = 1 << 24  # also the longest row
FALLBACK = "latin-1"


@dataclass(frozen=True)
class Layout:
    """How a delimited file is laid out.

    separator: one character, or "::".
    num_columns: fields in every row.
    has_header: whether the first row names the columns.
    """

    separator: str
    num_columns: int
    has_header: bool
    encoding: str = "utf-8"

    @property
    def delimiter(self) -> str:
        """The one character that the parser cuts at."""
        return self.separator[0]

    @property
    def stride(self) -> int:
        """Parser columns per column: 2 for "::", between whose colons is an empty field."""
        return len(self.separator)

    @property
    def num_fields(self) -> int:
        """Fields that the parser sees in a row."""
        return (self.num_columns - 1) * self.stride + 1


def read_delimited(path: Path, layout: Layout, columns: Mapping[str, int], bad_rows: BadRows) -> RawTable:
    """Read some columns of a file as text.

    columns: role -> index of the column. Raises UserError if a row has too few or too many fields (unless skipped), a
    quote isn't closed, or the file can't be read.
    """
    fields = {role: index * layout.stride for role, index in columns.items()}
    gaps = [index for index in range(layout.num_fields) if index % layout.stride]
    try:
        table, bad, stream = _parse(path, layout, sorted({*fields.values(), *gaps}))
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error) or layout.encoding == FALLBACK:
            raise UserError(f"{path} can't be read as a table: {error}") from error
        logger.warning("%s is not UTF-8; it is read as Latin-1", path)
        fallback = Layout(layout.separator, layout.num_columns, layout.has_header, FALLBACK)
        return read_delimited(path, fallback, columns, bad_rows)
    for gap in gaps:
        if pc.any(pc.not_equal(table[str(gap)], "")).as_py():
            raise UserError(f"{path} is not separated by {layout.separator!r} throughout")
    rows_seen = table.num_rows + bad + layout.has_header
    if stream.has_quotes and stream.lines > rows_seen:
        _check_quotes(path, layout)
    if bad:
        bad_rows.settle(path, _first_unfit(path, layout), bad)
    return RawTable(
        path,
        {role: table[str(index)] for role, index in fields.items()},
        lambda row: f"line {_line_of(path, layout, row)}",
        dropped=bad,
    )


def _parse(path: Path, layout: Layout, wanted: list[int]) -> tuple[pa.Table, int, TextBytes]:
    """The wanted fields as text columns named by their index, the number of unfit rows, and the stream read."""
    bad = 0

    def unfit(row: pv.InvalidRow) -> str:
        nonlocal bad
        bad += 1
        return "skip"

    names = [str(index) for index in range(layout.num_fields)]
    included = [str(index) for index in wanted]
    with TextBytes(path) as stream:
        try:
            table = pv.read_csv(
                stream,
                read_options=pv.ReadOptions(
                    column_names=names,
                    skip_rows_after_names=int(layout.has_header),
                    block_size=BLOCK_BYTES,
                    encoding="utf-8" if layout.encoding == "utf-8-sig" else layout.encoding,
                ),
                parse_options=pv.ParseOptions(
                    delimiter=layout.delimiter, newlines_in_values=True, invalid_row_handler=unfit
                ),
                convert_options=pv.ConvertOptions(
                    include_columns=included,
                    column_types=dict.fromkeys(included, pa.string()),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                raise UserError(
                    f"{path} has a row of more than {BLOCK_BYTES >> 20} MiB: a quote is never closed, or it is no table"
                ) from error
            raise
    return table, bad, stream


def _rows(path: Path, layout: Layout, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
    """(line number, fields) of each row after the header, one by one: only to say where something is wrong."""
    with io.TextIOWrapper(open_text(path), encoding=layout.encoding, errors="replace", newline="") as text:
        reader = csv.reader(text, delimiter=layout.delimiter, strict=strict)
        line = 1
        header_passed = not layout.has_header
        for fields in reader:
            if fields and header_passed:
                yield line, fields
            header_passed = header_passed or bool(fields)
            line = reader.line_num + 1


def _check_quotes(path: Path, layout: Layout) -> None:
    """Raise UserError if a quoted field never ends: it would swallow the rows behind it."""
    line = 0
    try:
        for started, _ in _rows(path, layout, strict=True):
            line = started
    except csv.Error as error:
        raise UserError(f"{path}: a quoted field after line {line} is broken or never closed ({error})") from error


def _first_unfit(path: Path, layout: Layout) -> str:
    """Line and reason of the first row with the wrong number of fields."""
    for line, fields in _rows(path, layout):
        if len(fields) != layout.num_fields:
            count = (len(fields) - 1) // layout.stride + 1
            return f"line {line}: {count} fields where {layout.num_columns} are expected"
    return "a row with the wrong number of fields"


def _line_of(path: Path, layout: Layout, row: int) -> int:
    """Line number of the row-th (0-based) row with the right number of fields."""
    fitting = (line for line, fields in _rows(path, layout) if len(fields) == layout.num_fields)
    for number, line in enumerate(fitting):
        if number == row:
            return line
    return 0
