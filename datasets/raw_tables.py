"""Read raw files that are delimited tables of a declared layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from common.errors import UserError
from datasets.readers.columns import NEEDED, ROLES, plain
from datasets.readers.delimited import Layout, read_delimited
from datasets.readers.sniff import Guess, sniff
from datasets.readers.table import BadRows, RawTable
from datasets.readers.values import to_interactions


@dataclass(frozen=True)
class Table:
    """The layout of a raw file.

    Attributes
    ----------
    separator : field separator
    columns : name of each column, in order; columns other than user, item, rating and timestamp are not read unless
        requested
    header : column names that the first row must have; None = no header
    header_optional : whether the file is published both with and without the header
    integer_ids : the roles (user, item) whose ids must be integers
    time_format : a unit (s, ms, us, ns), ISO8601 or a strptime pattern; None = detect
    encoding : text encoding
    """

    separator: str
    columns: tuple[str, ...]
    header: tuple[str, ...] | None = None
    header_optional: bool = False
    integer_ids: tuple[str, ...] = ()
    time_format: str | None = None
    encoding: str = "utf-8"


def check_first_rows(path: Path, table: Table) -> None:
    """Raise UserError if the first rows of a file don't match the declared layout."""
    advice = "it is damaged, or the dataset's `table` declares another layout"
    guess = sniff(path, table.separator)
    rows = guess.rows[_layout(path, table, guess, advice).has_header :]
    for number, row in enumerate(rows):
        if len(row) != len(table.columns):
            raise UserError(
                f"{path}, row {number + 1}: expected {len(table.columns)} fields, found {len(row)} ({advice})"
            )
    known = [role for role in ROLES if role in table.columns and (role != "timestamp" or table.time_format is not None)]
    if not rows or not set(NEEDED) <= set(known):
        return
    places = {role: table.columns.index(role) for role in known}
    columns = {role: pa.chunked_array([[row[place] for row in rows]], pa.string()) for role, place in places.items()}
    to_interactions(
        RawTable(path, columns, lambda row: f"row {row + 1}"),
        BadRows(advice=advice),
        time_format=table.time_format,
        integer_ids=table.integer_ids,
    )


def bad_raw_rows(path: Path) -> BadRows:
    """Any bad row is an error: a published file has none, unless it is damaged or its layout is declared wrongly."""
    return BadRows(
        advice=f"{path.name} is damaged (then move it away, to download it again), or the dataset's `table` declares "
        "another layout (`header=` if the first row names the columns)"
    )


def read_table(path: Path, table: Table, columns: Mapping[str, int]) -> RawTable:
    """Read some columns of a raw file.

    Parameters
    ----------
    path : the file
    table : its declared layout
    columns : name -> index of each column to read

    Raises
    ------
    UserError
        The file's header or columns differ from the declared ones.
    """
    layout = _layout(path, table, sniff(path, table.separator), bad_raw_rows(path).advice)
    return read_delimited(path, layout, columns, bad_raw_rows(path))


def _layout(path: Path, table: Table, guess: Guess, advice: str) -> Layout:
    """The layout of a file, by its first row. Raises UserError if it differs from the declared one."""
    first = [name.strip().lstrip("\ufeff") for name in guess.rows[0]] if guess.rows else []
    if len(first) != len(table.columns):
        raise UserError(
            f"{path}, line 1: expected {len(table.columns)} fields separated by {guess.separator_name}, found "
            f"{len(first)} ({advice})"
        )
    header = table.header
    if header is not None and [plain(name) for name in first] != [plain(name) for name in header]:
        if not table.header_optional:
            raise UserError(
                f"{path}, line 1: expected the header {', '.join(header)!r}, found {', '.join(first)!r} ({advice})"
            )
        header = None
    return Layout(table.separator, len(table.columns), header is not None, table.encoding)
