"""Convert raw columns to ids, ratings and timestamps; every invalid row is reported or counted."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.base import RawInteractions
from datasets.funnel import Step
from datasets.readers.ids import PUBLISHED, IdRules, plain_integers, read_ids, read_integer_ids, text_of
from datasets.readers.numbers import parse_numbers
from datasets.readers.parts import read_parts
from datasets.readers.table import BadRows, InvalidRows, RawTable
from datasets.readers.times import parse_times


def to_interactions(
    table: RawTable,
    bad_rows: BadRows,
    *,
    time_format: str | None = None,
    integer_ids: Collection[str] = (),
    rating_advice: str = "",
    ids: IdRules = PUBLISHED,
) -> RawInteractions:
    """Convert the columns user, item and, if present, rating, timestamp and part.

    Parameters
    ----------
    table : the raw columns; they are removed from it to save memory
    bad_rows : what to do with invalid rows
    time_format : see `parse_times`
    integer_ids : roles (user, item) whose ids must be integers; other ids are integers if all of a column are
    rating_advice : end of the message about a rating that is not a number
    ids : how ids of text are read

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
        elif role == "part":
            columns[role] = read_parts(table, invalid)
        elif role in integer_ids:
            columns[role] = read_integer_ids(table, role, invalid)
        else:
            columns[role] = read_ids(table, role, invalid, ids)
        del table.columns[role]
    keep, funnel = invalid.usable_rows(table, bad_rows), table.funnel
    if keep is not None:
        columns = {role: values[keep] for role, values in columns.items()}
        funnel += (Step("drop rows with values that can't be read", len(keep)),)
    frame = pd.DataFrame({role: pd.Series(values, copy=False) for role, values in columns.items()}, copy=False)
    return RawInteractions(_as_integers_where_possible(frame), per_second, funnel)


def _ratings(table: RawTable, invalid: InvalidRows, advice: str) -> npt.NDArray[np.float32]:
    """float32 [rows]."""
    column = table.columns["rating"]
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    text = text_of(column, f"{table.path}: the rating column")
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
