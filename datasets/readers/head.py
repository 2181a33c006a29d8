"""The names and first values of a table's columns, from which their meaning is judged."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TimeKind = Literal["moment", "day", "clock"]

TIME_NAME = re.compile(r"time|date|day|hour|minute|clock|epoch|stamp|when|(_|\b)(at|ts|dat|dt|on)$", re.IGNORECASE)
CLOCK_NAME = re.compile(r"hour|minute|clock|hhmm", re.IGNORECASE)
DURATION_NAME = re.compile(r"duration|elapsed|spent|timezone|watch_?time|play_?time|playtime|times$", re.IGNORECASE)
CLOCK = r"\d{1,2}:\d{2}(:\d{2}([.,]\d+)?)?( ?[AaPp]\.?[Mm]\.?)?"
DAY = (
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/. ](\d{1,2}|[A-Za-z]{3,9})[-/., ]+\d{2,4}|[A-Za-z]{3,9} \d{1,2}, \d{4})"
)
MIDNIGHT = r"[T ]00:00(:00(\.0+)?)?(Z|\+00:00)?"
SECONDS_OF_DAY = 86_400
FIRST_PLAUSIBLE_SECOND = 100_000_000  # 1973: larger numbers are taken for times, smaller ones for ratings


@dataclass(frozen=True)
class Head:
    """Names of the columns, and the first rows as text; rows may have other numbers of fields."""

    names: list[str]
    rows: Sequence[Sequence[str]]

    def values(self, index: int) -> list[str]:
        """The values of a column that are not empty, without blanks around them."""
        return [value for row in self.rows if len(row) > index and (value := row[index].strip())]

    def time_kind(self, index: int) -> TimeKind | None:
        """What a column tells about time: the moment, only the day or only the time of day; None if it isn't a time.

        Numbers are times only if the column's name says so.
        """
        name, values = self.names[index], self.values(index)
        if not values or DURATION_NAME.search(name):
            return None
        numbers = [float(value) for value in values if is_number(value)]
        if len(numbers) == len(values):
            return _kind_of_numbers(numbers, name) if TIME_NAME.search(name) else None
        for kind, pattern in (("clock", CLOCK), ("day", f"{DAY}({MIDNIGHT})?"), ("moment", f"{DAY}[T ,]+{CLOCK}.*")):
            if sum(re.fullmatch(pattern, value) is not None for value in values) >= 0.9 * len(values):
                return kind  # type: ignore[return-value]
        return None


def is_number(text: str) -> bool:
    """Whether a field is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_calendar_day(number: float) -> bool:
    """Whether a number is a day such as 20110523."""
    return number.is_integer() and 19000101 <= number <= 21001231


def _kind_of_numbers(numbers: list[float], name: str) -> TimeKind | None:
    """The kind of a column of numbers whose name is that of a time."""
    if all(is_calendar_day(number) for number in numbers):
        return "day"
    if CLOCK_NAME.search(name) and all(0 <= number < 2400 for number in numbers):
        return "clock"
    low = min(abs(number) for number in numbers)
    if low < FIRST_PLAUSIBLE_SECOND:
        return None
    unit = 1
    while low >= 1000 * FIRST_PLAUSIBLE_SECOND * unit:
        unit *= 1000
    return "day" if all(number % (SECONDS_OF_DAY * unit) == 0 for number in numbers) else "moment"
