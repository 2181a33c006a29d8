"""Convert raw columns to ids, ratings and timestamps; every invalid row is reported or counted."""

from __future__ import annotations

from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.base import RawInteractions
from datasets.funnel import Step
from datasets.readers.numbers import parse_numbers
from datasets.readers.table import BadRows, InvalidRows, RawTable
from datasets.readers.times import parse_times

LONGEST_ID = 256
MISSING = ("", "NULL", "NaN", "nan", "\\N", "<NA>")  # texts that stand for a missing id
DIGIT_STEPS = np.array([10**power for power in range(1, 19)], dtype=np.int64)


def to_interactions(
    table: RawTable,
    bad_rows: BadRows,
    *,
    time_format: str | None = None,
    integer_ids: Collection[str] = (),
    rating_advice: str = "",
    missing: Collection[str] = MISSING,
) -> RawInteractions:
    """Convert the columns user, item and, if present, rating and timestamp.

    Parameters
    ----------
    table : the raw columns; they are removed from it to save memory
    bad_rows : what to do with invalid rows
    time_format : see `parse_times`
    integer_ids : roles (user, item) whose ids must be integers; other ids are integers if all of a column are
    rating_advice : end of the message about a rating that is not a number
    missing : texts that stand for a missing id

    Raises
    ------
    UserError
        A row is invalid and not skipped, or the table is empty.
    """
    if table.num_rows == 0:
        raise UserError(f"{table.path} has no interactions")
    invalid = InvalidRows(table.num_rows)
    columns: dict[str, npt.NDArray[np.generic] | pd.Categorical] = {}
    per_second = 1
    for role in list(table.columns):
        # Raw columns can be large, so each is deleted once it is converted.
        if role == "timestamp":
            ticks = parse_times(table, time_format, invalid)
            columns[role], per_second = ticks.values, ticks.per_second
        elif role == "rating":
            columns[role] = _ratings(table, invalid, rating_advice)
        elif role in integer_ids:
            columns[role] = _integers(table, role, invalid)
        else:
            columns[role] = _ids(table, role, invalid, missing)
        del table.columns[role]
    keep, funnel = invalid.usable_rows(table, bad_rows), table.funnel
    if keep is not None:
        columns = {role: values[keep] for role, values in columns.items()}
        funnel += (Step("drop rows with values that can't be read", len(keep)),)
    frame = pd.DataFrame({role: pd.Series(values, copy=False) for role, values in columns.items()}, copy=False)
    return RawInteractions(_as_integers_where_possible(frame), per_second, funnel)


def _is_text(kind: pa.DataType) -> bool:
    """Whether a type is text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray | None:
    """The column if it is text (without nulls), else None."""
    if _is_text(column.type):
        return pc.fill_null(column, "") if column.null_count else column
    return None


def _ids(
    table: RawTable, role: str, invalid: InvalidRows, missing: Collection[str]
) -> npt.NDArray[np.int64] | pd.Categorical:
    """int64 [rows] if all ids are plain integers, otherwise categories of text."""
    column = table.columns[role]
    if pa.types.is_dictionary(column.type):
        if _is_text(column.type.value_type):
            return _from_categories(*_codes_of(column), role, invalid, missing)
        column = column.cast(column.type.value_type)
    text = _text(column)
    if text is None:
        return _typed_ids(table, role, column, invalid)
    integers = plain_integers(text)
    if integers is not None:
        return integers
    return _from_categories(*_codes_of(pc.dictionary_encode(text)), role, invalid, missing)


def _codes_of(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int32], pa.Array]:
    """int32 [rows] codes, and the distinct texts that occur; a missing text becomes the empty one."""
    unified = column.unify_dictionaries()
    words = unified.chunk(0).dictionary if unified.num_chunks else pa.array([], type=column.type.value_type)
    if words.null_count:
        plain = column.cast(column.type.value_type)
        return _codes_of(pc.dictionary_encode(pc.fill_null(plain, "")))
    empty = pc.index(words, "").as_py()
    if empty < 0:
        empty = len(words)
        words = pa.concat_arrays([words, pa.array([""], type=words.type)])
    codes = np.empty(len(unified), dtype=np.int32)
    start = 0
    for chunk in unified.chunks:
        codes[start : start + len(chunk)] = pc.fill_null(chunk.indices, empty).to_numpy()
        start += len(chunk)
    occurs = np.bincount(codes, minlength=len(words)) > 0
    if occurs.all():
        return codes, words
    dense = np.cumsum(occurs, dtype=np.int32) - np.int32(1)
    return dense[codes], words.filter(pa.array(occurs))


def _from_categories(
    codes: npt.NDArray[np.int32], words: pa.Array, role: str, invalid: InvalidRows, missing: Collection[str]
) -> npt.NDArray[np.int64] | pd.Categorical:
    """int64 [rows] if all words are plain integers, otherwise categories; rows of words that aren't ids are invalid."""
    integers = plain_integers(pa.chunked_array([words]))
    if integers is not None:
        return integers[codes]

    def mark(is_bad: pa.Array, reason: Callable[[str], str]) -> None:
        bad = np.asarray(is_bad.to_numpy(zero_copy_only=False), dtype=bool)
        if bad.any():
            invalid.add(bad[codes], lambda row: reason(words[int(codes[row])].as_py()))

    mark(pc.is_in(words, pa.array(list(missing), words.type)), lambda _: f"there is no {role} id")
    long = pc.greater(pc.utf8_length(words), LONGEST_ID)
    mark(long, lambda _: f"the {role} id has more than {LONGEST_ID} characters")
    odd = pc.match_substring_regex(words, r"[\x00-\x1f\x7f]")
    mark(odd, lambda word: f"the {role} id {word[:40]!r} has control characters")
    return pd.Categorical.from_codes(codes, categories=words.to_pandas())


def plain_integers(text: pa.ChunkedArray) -> npt.NDArray[np.int64] | None:
    """int64 [rows] if every text is a plain integer: 7, but not 007, +7 or 7.0, which may be different ids."""
    try:
        values = np.asarray(text.cast(pa.int64()).to_numpy(), dtype=np.int64)
    except pa.ArrowInvalid:
        return None
    if len(values) and values.min() == np.iinfo(np.int64).min:  # which has no absolute value
        return None
    digits = int(np.searchsorted(DIGIT_STEPS, np.abs(values), side="right").sum()) + len(values)
    written = pc.sum(pc.binary_length(text)).as_py() or 0
    return values if written == digits + int((values < 0).sum()) else None


def _typed_ids(table: RawTable, role: str, column: pa.ChunkedArray, invalid: InvalidRows) -> npt.NDArray[np.int64]:
    """Ids from a typed column (Parquet)."""
    missing = np.asarray(column.is_null().to_numpy(), dtype=bool)
    invalid.add(missing, lambda row: f"there is no {role} id")
    if pa.types.is_integer(column.type):
        try:
            return np.asarray(pc.fill_null(column, 0).cast(pa.int64()).to_numpy(), dtype=np.int64)
        except pa.ArrowInvalid as error:
            raise UserError(f"{table.path}: {role} ids don't fit in signed 64-bit integers: {error}") from error
    if not pa.types.is_floating(column.type):
        raise UserError(f"{table.path}: the {role} column has type {column.type}; expected integers or text")
    values = np.asarray(pc.fill_null(column, 0).to_numpy(), dtype=np.float64)
    empty = np.isnan(values) & ~missing
    invalid.add(empty, lambda row: f"there is no {role} id")
    with np.errstate(invalid="ignore"):
        broken = ~empty & ((np.floor(values) != values) | (np.abs(values) >= 2.0**53))
    invalid.add(broken, lambda row: f"the {role} id {column[row].as_py()!r} is not a whole number")
    return np.where(empty | broken, 0, values).astype(np.int64)


def _integers(table: RawTable, role: str, invalid: InvalidRows) -> npt.NDArray[np.int64]:
    """Ids that must be integers."""
    column = table.columns[role]
    text = _text(column)
    if text is None:
        return _typed_ids(table, role, column, invalid)
    values, ok = parse_numbers(text)
    if values.dtype.kind == "f":
        ok = ok & (np.floor(values) == values) & (np.abs(values) < 2.0**53)
        values = np.where(ok, values, 0)
    invalid.add(~ok, lambda row: f"the {role} id {text[row].as_py()[:40]!r} is not an integer")
    return values.astype(np.int64)


def _ratings(table: RawTable, invalid: InvalidRows, advice: str) -> npt.NDArray[np.float32]:
    """float32 [rows]."""
    column = table.columns["rating"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = _text(column)
    if text is not None:
        values, ok = parse_numbers(text)
    elif pa.types.is_integer(column.type) or pa.types.is_floating(column.type):
        values = np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(), dtype=np.float64)
        ok = np.isfinite(values)
    else:
        raise UserError(f"{table.path}: the rating column has type {column.type}; expected numbers")
    invalid.add(~ok, lambda row: f"the rating {column[row].as_py()!r} is not a number{advice}")
    large = ok & (np.abs(values) > np.finfo(np.float32).max)
    invalid.add(large, lambda row: f"the rating {column[row].as_py()!r} is too large")
    return np.where(ok & ~large, values, 0).astype(np.float32)


def _as_integers_where_possible(frame: pd.DataFrame) -> pd.DataFrame:
    """Convert ids to integers if all that remain without the invalid rows are plain integers."""
    for role in ("user", "item"):
        column = frame[role]
        if not isinstance(column.dtype, pd.CategoricalDtype):
            continue
        used = column.cat.remove_unused_categories()
        words = pa.chunked_array([pa.array(used.cat.categories, type=pa.large_string())])
        integers = plain_integers(words)
        frame[role] = used if integers is None else integers[used.cat.codes.to_numpy()]
    return frame
