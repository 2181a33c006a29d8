"""Parse timestamps from numbers (s, ms, us, ns), dates as text, or typed columns, as ticks since 1970-01-01 UTC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.readers.ids import text_of
from datasets.readers.numbers import parse_numbers
from datasets.readers.odd_times import warn_of_odd_numbers, warn_of_odd_times
from datasets.readers.table import InvalidRows, RawTable

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

UNITS = ("s", "ms", "us", "ns")
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# The unit of a number >= 1e8 (1973 in seconds) is clear: each next unit starts a thousand times higher.
UNIT_STARTS = np.array([1e8, 1e11, 1e14, 1e17])
MICRO = 1_000_000
CALENDAR = (("%Y%m%d", 1), ("%Y%m%d%H%M%S", MICRO))  # dates written as numbers: pattern, size of a day's step

CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DAYS = ("%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y", "%d.%m.%Y", "%Y/%m/%d", "%m/%d/%y", "%d/%m/%y", "%d.%m.%y")
WORDS = ("%m %d, %Y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y")
FORMATS = (
    "ISO8601",
    *(day + clock for day in (*DAYS, *WORDS) for clock in CLOCKS),
    "%a %b %d %H:%M:%S %z %Y",
    "%a %b %d %H:%M:%S %Y",
    "%a, %d %b %Y %H:%M:%S %z",
)
SAMPLE = 2000


@dataclass(frozen=True)
class Ticks:
    """Timestamps: `values` int64 [rows], in units of which `per_second` make a second."""

    values: IntArray
    per_second: int


def parse_times(table: RawTable, time_format: str | None, invalid: InvalidRows) -> Ticks:
    """Parse the `timestamp` column of a table, and warn of times that can't be right.

    Parameters
    ----------
    table : the raw columns
    time_format : a unit (s, ms, us, ns), ISO8601 or a strptime pattern; None = detect
    invalid : rows without a valid timestamp are added here

    Raises
    ------
    UserError
        The format is not recognised, or is ambiguous, e.g. between day and month.
    """
    ticks = _parse(table, time_format, invalid)
    valid = ticks.values if invalid.bad is None else ticks.values[~invalid.bad]
    if len(valid):
        warn_of_odd_times(valid, ticks.per_second, table)
    return ticks


def _parse(table: RawTable, time_format: str | None, invalid: InvalidRows) -> Ticks:
    """Parse the `timestamp` column of a table."""
    column = table.columns["timestamp"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = text_of(column, f"{table.path}: the timestamp column")
    column = column if text is None else text
    kind = column.type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        unit = kind.unit if pa.types.is_timestamp(kind) else "ms"
        invalid.add(_mask(column.is_null()), lambda row: "there is no timestamp")
        whole = column.cast(pa.timestamp("ms")) if pa.types.is_date(kind) else column
        return Ticks(_numpy(pc.fill_null(whole.cast(pa.int64()), 0)), PER_SECOND[unit])
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    if is_number and time_format not in (None, *UNITS):
        return _from_text(table, _as_text(column, str(time_format)), time_format, invalid)
    if is_number:
        if pa.types.is_integer(kind) and column.null_count == 0 and column.num_chunks == 1:  # nothing to copy
            values, ok = column.chunk(0).to_numpy(), np.ones(len(column), dtype=bool)
        else:
            ok = ~_mask(column.is_null())
            values = pc.fill_null(column, 0).to_numpy()
            ok = ok & np.isfinite(values) if values.dtype.kind == "f" else ok
        warn_of_odd_numbers(values if ok.all() else values[ok], time_format, table)
        return _from_numbers(values, ok, column, time_format, invalid)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        raise UserError(f"{table.path}: the timestamp column has type {kind}; expected numbers, dates or text")
    if time_format is None or time_format in UNITS:
        values, ok = parse_numbers(column)
        if ok.mean() >= 0.5 or time_format is not None:
            warn_of_odd_numbers(values[ok], time_format, table)
            return _from_numbers(values, ok, column, time_format, invalid)
    return _from_text(table, column, time_format, invalid)


def _mask(column: pa.ChunkedArray) -> BoolArray:
    """Booleans as a numpy array."""
    return np.asarray(column.to_numpy(), dtype=bool)


def _numpy(column: pa.ChunkedArray) -> IntArray:
    """Integers as a numpy array."""
    return np.asarray(column.to_numpy(), dtype=np.int64)


def _from_numbers(
    values: npt.NDArray[np.generic], ok: BoolArray, column: pa.ChunkedArray, unit: str | None, invalid: InvalidRows
) -> Ticks:
    """Ticks from numbers, in the given unit or that of most of them."""
    invalid.add(~ok, lambda row: f"timestamp {column[row].as_py()!r} is not a time")
    if not ok.any():
        return Ticks(np.zeros(len(values), dtype=np.int64), 1)
    if values.dtype.kind == "i" and ok.all():
        known = unit or _unit_of_all(int(values.min()), int(values.max()))
        if known is not None:  # nothing to copy
            return Ticks(np.asarray(values, dtype=np.int64), PER_SECOND[known])
    if unit is None and values.dtype.kind in "iu":
        dates = _calendar_numbers(np.asarray(values, dtype=np.int64), ok)
        if dates is not None:
            return dates
    if unit is None:
        unit, other = _common_unit(values, ok)
        if other is not None:
            name = unit
            invalid.add(other, lambda row: f"timestamp {column[row].as_py()!r} is not in {name} like most others")
            values = np.where(other, 0, values)
    if values.dtype.kind != "f":
        too_large = (values.astype(np.float64) >= 2.0**63) & ok
        invalid.add(too_large, lambda row: f"timestamp {column[row].as_py()!r} is too large")
        return Ticks(np.where(ok, values, 0).astype(np.int64), PER_SECOND[unit])
    real = np.where(ok, values, 0).astype(np.float64)
    if (np.floor(real) != real).any():  # fractions are kept to the microsecond
        real = np.round(real * (MICRO / PER_SECOND[unit]))
        unit = "us"
    too_large = np.abs(real) >= 2.0**62
    invalid.add(too_large & ok, lambda row: f"timestamp {column[row].as_py()!r} is too large")
    return Ticks(np.where(too_large, 0, real).astype(np.int64), PER_SECOND[unit])


def _unit_of_all(low: int, high: int) -> str | None:
    """The unit of integers from low to high, if it is clear and they can't be calendar dates, else None."""
    if any(low >= 19000101 * scale and high <= 21001231 * scale + scale - 1 for _, scale in CALENDAR):
        return None
    if max(-low, high) < UNIT_STARTS[1]:
        return "s"
    levels = np.searchsorted(UNIT_STARTS, [low, high], side="right") - 1
    return UNITS[levels[0]] if levels[0] == levels[1] else None


def _common_unit(values: npt.NDArray[np.generic], ok: BoolArray) -> tuple[str, BoolArray | None]:
    """The unit of most values, and a mask of values that are clearly in another unit (None if there are none)."""
    size = np.abs(values[ok].astype(np.float64))
    high = float(size.max())
    if high < UNIT_STARTS[1]:
        return "s", None
    level = np.searchsorted(UNIT_STARTS, np.abs(values.astype(np.float64)), side="right") - 1
    has_unit = ok & (level >= 0)
    common = int(np.bincount(level[has_unit]).argmax())
    other = has_unit & (level != common)
    return UNITS[common], other if other.any() else None


def _calendar_numbers(values: IntArray, ok: BoolArray) -> Ticks | None:
    """Ticks if all values are calendar dates written as numbers, such as 20110523 or 20110523103000."""
    low, high = int(values[ok].min()), int(values[ok].max())
    for pattern, scale in CALENDAR:
        if low < 19000101 * scale or high > 21001231 * scale + scale - 1:
            continue
        unique, inverse = np.unique(np.where(ok, values, low), return_inverse=True)
        dates = pd.to_datetime(pd.Series(unique.astype(str)), format=pattern, errors="coerce", utc=True)
        if not dates.isna().any():
            return Ticks(_seconds(dates)[inverse], 1)
    return None


def _seconds(dates: pd.Series[pd.Timestamp]) -> IntArray:
    """Whole seconds since the epoch; no date may be missing."""
    return _microseconds(dates) // MICRO


def _microseconds(dates: pd.Series[pd.Timestamp]) -> IntArray:
    """Microseconds since the epoch; missing dates are 0."""
    whole = dates.fillna(pd.Timestamp(0, tz="UTC")).dt.tz_localize(None)
    return np.asarray(whole.to_numpy("datetime64[us]").astype(np.int64))


def _as_text(column: pa.ChunkedArray, pattern: str) -> pa.ChunkedArray:
    """Numbers as text, with the leading zeros that the pattern requires: 1052011 -> 01052011 for %d%m%Y."""
    if pa.types.is_floating(column.type):
        try:
            column = column.cast(pa.int64())
        except pa.ArrowInvalid:  # fractions
            return pc.fill_null(column.cast(pa.string()), "")
    width = len(pd.Timestamp("2000-12-31").strftime(pattern)) if pattern != "ISO8601" else 0
    return pc.fill_null(pc.ascii_lpad(column.cast(pa.string()), width, padding="0"), "")


def _from_text(table: RawTable, column: pa.ChunkedArray, pattern: str | None, invalid: InvalidRows) -> Ticks:
    """Ticks from dates as text; each distinct text is parsed once."""
    if pattern in (None, "ISO8601"):
        ticks = _from_iso(column)
        if ticks is not None:
            return ticks
    encoded = pc.dictionary_encode(column).combine_chunks()
    encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
    codes = encoded.indices.to_numpy()
    words = pc.replace_substring_regex(pc.utf8_trim_whitespace(encoded.dictionary), r"\s+(UTC|GMT)$", "")
    has_digit = pc.match_substring_regex(words, r"\d")
    texts = pd.Series(
        pc.if_else(has_digit, words, "").to_pylist(), dtype=object
    )  # pandas would parse `now` and `today`
    try:
        dates = _detected(table, texts) if pattern is None else _dates(texts, pattern)
    except ValueError as error:
        raise UserError(f"{table.path}: --timestamp_format {pattern!r} can't be used: {error}") from error
    missing = dates.isna().to_numpy()
    invalid.add(
        missing[codes], lambda row: f"timestamp {column[row].as_py()!r} is not a time in the format of the others"
    )
    micro = _microseconds(dates)
    if (micro % MICRO == 0).all():
        return Ticks((micro // MICRO)[codes], 1)
    return Ticks(micro[codes], MICRO)


def _from_iso(column: pa.ChunkedArray) -> Ticks | None:
    """Ticks if all texts are in Arrow's ISO 8601 format, all with or all without a zone; fast."""
    for zone in ("UTC", None):  # each rejects what the other accepts
        try:
            micro = _numpy(column.cast(pa.timestamp("us", tz=zone)).cast(pa.int64()))
        except pa.ArrowInvalid:
            continue
        return Ticks(micro // MICRO, 1) if (micro % MICRO == 0).all() else Ticks(micro, MICRO)
    return None


def _dates(texts: pd.Series[str], form: str) -> pd.Series[pd.Timestamp]:
    """The texts as dates in UTC; those that don't have the format are missing."""
    return pd.to_datetime(texts, format=form, errors="coerce", utc=True)


def _detected(table: RawTable, texts: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """The texts as dates, in the format of most of them.

    Raises UserError if no format fits, or several do with different results.
    """
    sample = texts.iloc[np.linspace(0, len(texts) - 1, min(len(texts), SAMPLE)).astype(int)]
    likely = [form for form in FORMATS if _dates(sample, form).notna().mean() >= 0.5]
    if not likely:
        example = next((text for text in texts if text), "")
        raise UserError(
            f"{table.path}: timestamps such as {example!r} are not recognised; give --timestamp_format, e.g. "
            "'%Y-%m-%d %H:%M' (or s, ms, us, ns for numbers)"
        )
    parsed = {form: _dates(texts, form) for form in likely}  # nearly always one
    fits = {form: int(dates.notna().sum()) for form, dates in parsed.items()}
    first, *others = [form for form in likely if fits[form] == max(fits.values())]
    for other in others:
        if not parsed[first].equals(parsed[other]):
            raise UserError(
                f"{table.path}: timestamps such as {texts.iloc[0]!r} fit both {first} and {other}; "
                "choose one with --timestamp_format"
            )
    return parsed[first]
