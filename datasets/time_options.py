"""Options that are points in time: a date, or seconds since 1970."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator

YEARS = range(1900, 2101)


def to_seconds(moment: str | int) -> int:
    """Convert a date to seconds since 1970-01-01 UTC.

    Parameters
    ----------
    moment : `2003-02-28`, `2003-02-28 17:30` or `2003-02-28T17:30:00+09:00` (UTC without an offset), or seconds

    Raises
    ------
    ValueError
        It is not a date, or a number that is probably meant as a year (2003) or date (20030228).
    """
    if isinstance(moment, str):
        try:
            parsed = datetime.fromisoformat(moment.strip())
        except ValueError:
            raise ValueError(f"{moment!r} is not a date such as 2003-02-28 or 2003-02-28T17:30") from None
        return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())
    if moment in YEARS or (moment // 10_000 in YEARS and 1 <= moment // 100 % 100 <= 12):
        year, month = (moment, 1) if moment in YEARS else (moment // 10_000, moment // 100 % 100)
        raise ValueError(f"{moment} would mean seconds since 1970; write a date as {year}-{month:02}-01")
    return moment


def _checked(moment: str | int) -> str | int:
    to_seconds(moment)
    return moment


TimeOption = Annotated[str | int, AfterValidator(_checked)]


def to_text(seconds: int) -> str:
    """Seconds since 1970 as ISO 8601 in UTC, or as a plain number if they are beyond the calendar."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return str(seconds)
