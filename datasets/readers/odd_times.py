"""Warn of timestamps that can't be right: placeholders, rounded times, spreadsheet dates."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt

from datasets.readers.table import RawTable

log = logging.getLogger(__name__)

SAMPLE = 2000
SECONDS_OF_DAY, YEAR_2000, YEAR_2100 = 86_400, 946_684_800, 4_102_444_800
SPREADSHEET_DAYS = (25_569, 73_051)  # days from 1900 to 1970 and 2100
EXACT_32_BITS = 1 << 24  # larger whole numbers are rounded as 32-bit floats


def warn_of_odd_times(values: npt.NDArray[np.int64], per_second: int, table: RawTable) -> None:
    """Warn of a few times that are far from the others, and of times that have been rounded.

    Parameters
    ----------
    values : int64 [n], n > 0: the valid timestamps, in ticks
    per_second : ticks per second
    table : the table that they are from
    """
    modern = int(np.count_nonzero(values >= YEAR_2000 * per_second))
    early = int(np.count_nonzero(values < SECONDS_OF_DAY * per_second))
    late = int(np.count_nonzero(values >= YEAR_2100 * per_second))
    for count, when in ((early, "before 1970-01-02, such as 0"), (late, "in 2100 or later")):
        if count and 2 * (modern - late) > len(values):
            log.warning(
                "%s: %d timestamps are %s, while most are from 2000 to 2099, so they are probably placeholders for a "
                "missing time, which decide the order nevertheless; --since and --until drop them",
                table.path,
                count,
                when,
            )
    sample = values[:: max(1, len(values) // SAMPLE)]
    step = int(np.gcd.reduce(sample)) // per_second
    if len(sample) >= 100 and step >= 16 and step % 60 and 60 % step and not (values % (step * per_second)).any():
        log.warning(
            "%s: all timestamps are multiples of %d seconds, so they were rounded when the file was written, e.g. as "
            "32-bit floats; interactions in between have lost their order",
            table.path,
            step,
        )


def warn_of_odd_numbers(values: npt.NDArray[np.generic], unit: str | None, table: RawTable) -> None:
    """Warn if numbers are too imprecise for timestamps, or look like spreadsheet dates but are read as seconds.

    Parameters
    ----------
    values : [n] the valid numbers
    unit : their unit, if the user gave it
    table : the table that they are from
    """
    if values.dtype == np.float32 and len(values) and np.abs(values).max() >= EXACT_32_BITS:
        log.warning(
            "%s: the timestamps are 32-bit floats, which are accurate to 64 seconds only: interactions that are closer "
            "have lost their order; write them as integers",
            table.path,
        )
    if unit is None and len(values) and values.min() >= SPREADSHEET_DAYS[0] and values.max() < SPREADSHEET_DAYS[1]:
        log.warning(
            "%s: timestamps from %s to %s are read as seconds since 1970; if they are spreadsheet dates (days since "
            "1900), save that column as dates",
            table.path,
            values.min(),
            values.max(),
        )
