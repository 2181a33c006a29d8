"""A table of raw columns, and the rows in it that can't be used."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from common.errors import UserError

log = logging.getLogger(__name__)

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class BadRows:
    """What to do with rows that can't be used: stop at the first with an error, or drop and count them.

    advice: ends the error; says what the user can do.
    """

    skip: bool = False
    advice: str = "to drop and count bad rows, give --skip_bad_rows true"

    def drop_or_raise(self, path: Path, where: str, count: int) -> int:
        """`count`, logged, if bad rows are dropped; else raises UserError. where: place and reason of the first."""
        if not self.skip:
            others = f"; {count:,} bad rows in total" if count > 1 else ""
            raise UserError(f"{path}, {where}{others} ({self.advice})")
        log.warning("%s: dropped %d bad rows; the first: %s", path, count, where)
        return count


@dataclass
class RawTable:
    """Columns by role, as they are in the file: text, or typed where the format has types.

    location: from the number of a row (0-based) to where it is in the file, e.g. "line 17".
    dropped: rows already left out because they had too few or too many fields.
    """

    path: Path
    columns: dict[str, pa.ChunkedArray]
    location: Callable[[int], str]
    dropped: int = 0

    @property
    def num_rows(self) -> int:
        """Rows in every column."""
        return len(next(iter(self.columns.values())))


@dataclass
class InvalidRows:
    """Rows that can't be used, and why the first of each kind can't."""

    num_rows: int
    bad: BoolArray | None = None
    first: list[tuple[int, str]] = field(default_factory=list)

    def add(self, mask: BoolArray, reason: Callable[[int], str]) -> None:
        """Mark the rows where `mask` [num_rows] is true; reason: from a row to what is wrong with it."""
        if not mask.any():
            return
        row = int(mask.argmax())
        self.first.append((row, reason(row)))
        self.bad = mask if self.bad is None else self.bad | mask

    def usable_rows(self, table: RawTable, bad_rows: BadRows) -> npt.NDArray[np.int64] | None:
        """Row numbers that can be used; None if all can.

        Raises UserError naming the first bad row, unless they are to be skipped: then logs how many. Raises as well
        if none can be used.
        """
        if self.bad is None:
            return None
        count = int(self.bad.sum())
        row, reason = min(self.first)
        where = f"{table.location(row)}: {reason}"
        if count == self.num_rows:
            raise UserError(f"{table.path}, {where}; none of the {count:,} rows can be used")
        bad_rows.drop_or_raise(table.path, where, count)
        return np.flatnonzero(~self.bad)
