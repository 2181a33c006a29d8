"""A table of raw columns, and its invalid rows."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from common.errors import UserError
from datasets.funnel import Funnel, Step

log = logging.getLogger(__name__)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BadRows:
    """What to do with invalid rows.

    Attributes
    ----------
    skip : drop and count them; otherwise the first one is an error
    advice : end of the error message, what the user can do
    """

    skip: bool = False
    advice: str = "to drop and count bad rows, give --skip_bad_rows true"

    def drop_or_raise(self, path: Path, where: str, count: int, *, is_misread: bool) -> int:
        """Log and return the number of dropped rows, or raise UserError if they may not be dropped.

        Parameters
        ----------
        path : the file
        where : location and reason of the first bad row
        count : number of bad rows
        is_misread : whether so many rows are bad that the file must be something else; then none may be dropped
        """
        if self.skip and is_misread:
            raise UserError(
                f"{path}, {where}; {count:,} rows are bad, which is most of them, so the file is probably read in a "
                "wrong way: check file_format, separator and the columns"
            )
        if not self.skip:
            others = f"; {count:,} bad rows in total" if count > 1 else ""
            raise UserError(f"{path}, {where}{others} ({self.advice})")
        log.warning("%s: dropped %d bad rows; the first: %s", path, count, where)
        return count


@dataclass
class RawTable:
    """Columns as they are in the file: text, or typed if the format has types.

    Attributes
    ----------
    path : the file
    columns : role -> column
    location : from a row (0-based) to its location in the file, e.g. "line 17"
    dropped : number of rows already dropped because they had too few or too many fields
    funnel : the steps so far; by default, the rows of the file and those left of them without the dropped ones
    """

    path: Path
    columns: dict[str, pa.ChunkedArray]
    location: Callable[[int], str]
    dropped: int = 0
    funnel: Funnel = ()

    def __post_init__(self) -> None:
        if not self.funnel:
            self.funnel = (Step("rows of the file", self.num_rows + self.dropped),)
            if self.dropped:
                self.funnel += (Step("drop rows with another number of fields", self.num_rows),)

    @property
    def num_rows(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values())))

    def keep(self, mask: BoolArray, step: str) -> RawTable:
        """The rows where `mask` [rows] is true, with a step of the funnel if others are dropped."""
        if mask.all():
            return self
        rows = np.flatnonzero(mask)
        columns = {role: column.take(pa.array(rows)) for role, column in self.columns.items()}
        funnel = (*self.funnel, Step(step, len(rows)))
        return RawTable(self.path, columns, lambda row: self.location(int(rows[row])), self.dropped, funnel)


@dataclass
class InvalidRows:
    """Collects the invalid rows of a table, with the reason for the first one of each kind.

    Attributes
    ----------
    num_rows : number of rows of the table
    bad : bool [rows]; None = no invalid rows so far
    first : row and reason of the first invalid row of each kind
    most : the largest number of invalid rows of one kind, without absent ids
    """

    num_rows: int
    bad: BoolArray | None = None
    most: int = 0
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, mask: BoolArray, reason: Callable[[int], str], *, is_absent: bool = False) -> None:
        """Mark the rows where `mask` [rows] is true as invalid.

        Parameters
        ----------
        mask : bool [rows]
        reason : describes what is wrong with a row
        is_absent : whether only an id is missing; this is usual in some data, and no sign that a file is misread
        """
        if not mask.any():
            return
        row = int(mask.argmax())
        self.most = max(self.most, 0 if is_absent else int(np.count_nonzero(mask)))
        self.first.append((row, reason(row)))
        self.bad = mask if self.bad is None else self.bad | mask

    def usable_rows(self, table: RawTable, bad_rows: BadRows) -> npt.NDArray[np.int64] | None:
        """Indices of the valid rows; None if all are valid. Logs the number of invalid rows if they are skipped.

        Raises
        ------
        UserError
            A row is invalid and not skipped, or no row is valid.
        """
        if self.bad is None:
            return None
        count = int(self.bad.sum())
        row, reason = min(self.first)
        where = f"{table.location(row)}: {reason}"
        if count == self.num_rows:
            raise UserError(f"{table.path}, {where}; none of the {count:,} rows can be used")
        bad_rows.drop_or_raise(table.path, where, count, is_misread=2 * self.most > self.num_rows)
        return np.flatnonzero(~self.bad)
