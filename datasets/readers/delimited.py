"""Read delimited text (CSV, TSV, `::`) as columns of text, with pyarrow; errors name the line."""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from common.errors import UserError
from datasets.readers.table import BadRows, RawTable
from datasets.readers.text import LONGEST_ROW, NotUtf8, TableBytes, open_text

log = logging.getLogger(__name__)

FALLBACK = "latin-1"
RELEASE_SECONDS = 0.25  # usually takes 1 or 2 ms
END = "\x00end"  # appended to the file; it is a separate row unless a quote is still open


@dataclass(frozen=True)
class Layout:
    """The layout of a delimited file.

    Attributes
    ----------
    separator : one character, or "::"
    num_columns : number of fields in every row
    has_header : whether the first row names the columns
    encoding : text encoding
    quoted : whether fields may be in double quotes; None = yes, by default rather than by the user's choice
    """

    separator: str
    num_columns: int
    has_header: bool
    encoding: str = "utf-8"
    quoted: bool | None = True

    @property
    def delimiter(self) -> str:
        """The single character at which the parser splits."""
        return self.separator[0]

    @property
    def stride(self) -> int:
        """Parser fields per column: 2 for "::", as there is an empty field between the colons."""
        return len(self.separator)

    @property
    def num_fields(self) -> int:
        """Number of fields in a row as the parser sees it."""
        return (self.num_columns - 1) * self.stride + 1


def read_delimited(path: Path, layout: Layout, columns: Mapping[str, int], bad_rows: BadRows) -> RawTable:
    """Read some columns of a file as text.

    Parameters
    ----------
    path : the file
    layout : its layout
    columns : role -> index of the column
    bad_rows : what to do with rows that have too few or too many fields

    Raises
    ------
    UserError
        A row is bad and not skipped, a quote is never closed, or the file can't be read.
    """
    fields = {role: index * layout.stride for role, index in columns.items()}
    empty_fields = [index for index in range(layout.num_fields) if index % layout.stride]
    try:
        table, bad, stream = _parse(path, layout, sorted({*fields.values(), *empty_fields}))
    except NotUtf8:
        log.warning("%s is not UTF-8; reading it as Latin-1", path)
        return read_delimited(path, replace(layout, encoding=FALLBACK), columns, bad_rows)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} can't be read as a table: {error}") from error
    for field in empty_fields:
        if pc.any(pc.not_equal(table[str(field)], "")).as_py():
            raise UserError(f"{path}: some rows are not separated by {layout.separator!r}")
    rows_seen = table.num_rows + bad + layout.has_header
    if layout.quoted is not False and stream.has_quotes and stream.lines > rows_seen:
        _check_quotes(path, layout)
    if bad:
        bad_rows.drop_or_raise(path, _first_malformed(path, layout), bad, is_misread=bad > table.num_rows)
    return RawTable(
        path,
        {role: table[str(index)] for role, index in fields.items()},
        lambda row: f"line {_line_of(path, layout, row)}",
        dropped=bad,
    )


def _parse(path: Path, layout: Layout, wanted: list[int]) -> tuple[pa.Table, int, TableBytes]:
    """The wanted fields as text columns named by their index, the number of malformed rows, and the stream."""
    bad = 0

    def malformed(row: pv.InvalidRow) -> str:
        nonlocal bad
        bad += 1
        return "skip"

    names = [str(index) for index in range(layout.num_fields)]
    included = [str(index) for index in wanted]
    with TableBytes(path, layout.encoding) as stream:
        references = sys.getrefcount(stream)
        try:
            table = pv.read_csv(
                stream,
                read_options=pv.ReadOptions(
                    column_names=names,
                    skip_rows_after_names=int(layout.has_header),
                    block_size=LONGEST_ROW,
                ),
                parse_options=pv.ParseOptions(
                    delimiter=layout.delimiter,
                    quote_char=False if layout.quoted is False else '"',
                    newlines_in_values=True,
                    invalid_row_handler=malformed,
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
                    f"{path} has a row of more than {LONGEST_ROW >> 20} MiB: a quote is never closed, or the file is "
                    "not a table"
                ) from error
            raise
        finally:
            _wait_until(lambda: sys.getrefcount(stream) <= references)
    return table, bad, stream


def _wait_until(released: Callable[[], bool]) -> None:
    """Wait briefly until pyarrow's threads have released the stream.

    They may do so after the table has been returned, and releasing it while Python shuts down aborts the process. The
    wait is bounded, since an error may hold the stream indefinitely.
    """
    deadline = time.monotonic() + RELEASE_SECONDS
    while not released() and time.monotonic() < deadline:
        time.sleep(0.001)


class Row(NamedTuple):
    """A row's fields and its first and last line."""

    line: int
    last_line: int
    fields: list[str]


def _rows(path: Path, layout: Layout, then: Sequence[str] = ()) -> Iterator[Row]:
    """Rows after the header, read slowly to locate an error; `then`: lines to append."""
    with io.TextIOWrapper(open_text(path), encoding=layout.encoding, errors="replace", newline="") as text:
        reader = csv.reader(
            itertools.chain(text, then),
            delimiter=layout.delimiter,
            quoting=csv.QUOTE_NONE if layout.quoted is False else csv.QUOTE_MINIMAL,
        )
        line = 1
        header_passed = not layout.has_header
        for fields in reader:
            if fields and header_passed:
                yield Row(line, reader.line_num, fields)
            header_passed = header_passed or bool(fields)
            line = reader.line_num + 1


def _check_quotes(path: Path, layout: Layout) -> None:
    """Warn of rows whose quoted fields span lines, as happens if a quote is meant as an ordinary character.

    Raises UserError if a quote is never closed, or if this happens in a TSV and the user hasn't allowed quotes.
    """
    advice = "; if quotes are ordinary characters in this file, give --quoted false" if layout.quoted is None else ""
    inside, first, last = 0, None, None
    try:
        for last in _rows(path, layout, [END]):
            height = last.last_line - last.line
            inside += height
            first = first or (last if height else None)
    except csv.Error as error:
        line = last.last_line + 1 if last else 1
        raise UserError(f"{path}, line {line}: malformed quoted field ({error}){advice}") from error
    if last is not None and last.fields != [END]:
        raise UserError(f"{path}, line {last.line}: a quote that opens in this row is never closed{advice}")
    if first is None:
        return
    if layout.separator == "\t" and layout.quoted is None:
        raise UserError(
            f"{path}, line {first.line}: the row continues to line {first.last_line}, where its quoted field ends"
            f"{advice}, otherwise --quoted true"
        )
    log.warning(
        "%s: %d line breaks are inside quoted fields; the first row with one spans lines %d to %d%s",
        path,
        inside,
        first.line,
        first.last_line,
        advice,
    )


def _first_malformed(path: Path, layout: Layout) -> str:
    """Line of the first row with the wrong number of fields, and the reason."""
    last = None
    try:
        for last in _rows(path, layout):
            if len(last.fields) != layout.num_fields:
                count = (len(last.fields) - 1) // layout.stride + 1
                return f"line {last.line}: expected {layout.num_columns} fields, found {count}"
    except csv.Error as error:  # a field of more than LONGEST_ROW
        return f"line {last.last_line + 1 if last else 1}: {error}"
    return "a row with the wrong number of fields"


def _line_of(path: Path, layout: Layout, row: int) -> int:
    """Line number of a row (0-based, counting only rows with the right number of fields)."""
    fitting = (found.line for found in _rows(path, layout) if len(found.fields) == layout.num_fields)
    with contextlib.suppress(csv.Error):  # a field of more than LONGEST_ROW, which is no row
        return next(itertools.islice(fitting, row, None), 0)
    return 0
