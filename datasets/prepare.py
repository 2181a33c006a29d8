"""From rows to sequences: filter, dense ids, stable time order."""

import logging
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from common.errors import UserError
from datasets.sequence_data import SequenceData

logger = logging.getLogger(__name__)

PREPARE_VERSION = 1

Codes = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Filters:
    """Which interactions stay.

    min_rating: keep ratings >= this; None keeps all.
    min_uc, min_sc: least interactions of a user, of an item.
    mode: "core" repeats both until nothing changes; "once" drops rare items, then users who now have too few.
    """

    min_rating: float | None = None
    min_uc: int = 0
    min_sc: int = 0
    mode: Literal["core", "once"] = "core"

    def __str__(self) -> str:
        return (
            f"min_rating {'null' if self.min_rating is None else f'{self.min_rating:g}'}, "
            f"min_uc {self.min_uc}, min_sc {self.min_sc}, filter_mode {self.mode}"
        )


def encode(column: "pd.Series[int] | pd.Series[str]") -> tuple[Codes, npt.NDArray[np.generic]]:
    """Dense codes of a column of ids (integers, or text as categories or plain), in the order of the ids.

    Returns (int32 [rows] codes, [distinct] sorted ids: int64, or str by code point).
    """
    if pd.api.types.is_integer_dtype(column.dtype):
        return _encode_integers(column.to_numpy(dtype=np.int64))
    if isinstance(column.dtype, pd.CategoricalDtype):
        used = column.cat.remove_unused_categories()
        codes, unique = used.cat.codes.to_numpy(), used.cat.categories
    else:
        codes, unique = pd.factorize(column, sort=False)
    ids = pa.array(unique, type=pa.large_string())
    order = pc.sort_indices(ids).to_numpy()  # by UTF-8 bytes, which is by code point
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes], np.asarray(ids.take(pa.array(order)).to_pylist(), dtype=np.str_)


def _encode_integers(ids: npt.NDArray[np.int64]) -> tuple[Codes, npt.NDArray[np.int64]]:
    """`encode` for integers: a table lookup where their range is small, else a hash table."""
    if len(ids) == 0:
        return np.zeros(0, dtype=np.int32), ids
    low, high = int(ids.min()), int(ids.max())
    if high - low < 4 * len(ids) + 1024:
        shifted = ids - low
        present = np.zeros(high - low + 1, dtype=bool)
        present[shifted] = True
        dense = np.cumsum(present, dtype=np.int32) - np.int32(1)
        return dense[shifted], np.flatnonzero(present).astype(np.int64) + low
    codes, unique = pd.factorize(ids)
    order = np.argsort(unique)
    rank = np.empty(len(order), dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return rank[codes], unique[order]


def filter_rows(users: Codes, items: Codes, filters: Filters) -> npt.NDArray[np.int64] | None:
    """Row numbers that survive min_uc and min_sc, ascending; None if all do. Codes are dense: int32 [rows]."""
    rows: npt.NDArray[np.int64] | None = None
    while True:
        before = len(users)
        for codes_first, least in ((False, filters.min_sc), (True, filters.min_uc)):
            codes = users if codes_first else items
            if least <= 1 or len(codes) == 0:
                continue
            enough = np.bincount(codes) >= least
            keep = enough[codes]
            if keep.all():
                continue
            rows = np.flatnonzero(keep) if rows is None else rows[keep]
            users, items = users[keep], items[keep]
        if filters.mode == "once" or len(users) == before:
            return rows


def time_order(users: Codes, ticks: npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
    """Permutation [rows] that groups rows by user and sorts each by time; ties keep the order of the rows."""
    if ticks is None or len(ticks) == 0:
        return np.argsort(users, kind="stable")
    low, high = int(ticks.min()), int(ticks.max())
    span = high - low + 1
    if (int(users.max()) + 1) * span < 2**63:  # one key for both: one sort in place of two
        key = users.astype(np.int64)
        key *= span
        key += ticks
        key -= low
        return np.argsort(key, kind="stable")
    return np.lexsort((ticks, users))


def _densify(codes: Codes, ids: npt.NDArray[np.generic]) -> tuple[Codes, npt.NDArray[np.generic]]:
    """Renumber codes so that each of the ids left occurs."""
    present = np.bincount(codes, minlength=len(ids)) > 0
    if present.all():
        return codes, ids
    dense = np.cumsum(present, dtype=np.int32) - np.int32(1)
    return dense[codes], ids[present]


def _rating_rows(frame: pd.DataFrame, filters: Filters, name: str) -> npt.NDArray[np.int64] | None:
    """Row numbers with a rating of at least min_rating; None if that is all of them."""
    if filters.min_rating is None:
        return None
    if "rating" not in frame:
        if filters.min_rating > 0:
            raise UserError(
                f"{name} has no ratings, so min_rating {filters.min_rating:g} can't be applied: set min_rating to null"
            )
        return None
    keep = frame["rating"].to_numpy() >= filters.min_rating
    if keep.all():
        return None
    rows = np.flatnonzero(keep)
    dropped = len(keep) - len(rows)
    logger.info("%s: %d of %d rows are dropped, rated below %g", name, dropped, len(keep), filters.min_rating)
    return rows


def prepare(
    frame: pd.DataFrame,
    filters: Filters,
    *,
    name: str,
    digest: str,
    repeats: bool = False,
    ticks_per_second: int = 1,
) -> SequenceData:
    """Filter rows, give dense sorted ids, order each user's rows by time (ties by row).

    frame: columns user, item (int64 or str), optional rating (float), timestamp (int64 ticks), in the file's order.
    Raises UserError if nothing is left, naming the filters, or if ratings are filtered that are not there.
    """
    users, user_ids = encode(frame["user"])
    items, item_ids = encode(frame["item"])
    before = f"{len(frame):,} rows, {len(user_ids):,} users, {len(item_ids):,} items"
    rows = _rating_rows(frame, filters, name)
    if rows is not None:
        users, items = users[rows], items[rows]
    kept = filter_rows(users, items, filters)
    if kept is not None:
        users, items = users[kept], items[kept]
        rows = kept if rows is None else rows[kept]
    if len(users) == 0:
        raise UserError(f"no interaction of {name} is left after the filters ({filters}) of {before}: lower them")
    users, user_ids = _densify(users, user_ids)
    items, item_ids = _densify(items, item_ids)
    ticks = ratings = None
    if "timestamp" in frame:
        ticks = frame["timestamp"].to_numpy(dtype=np.int64)
        ticks = ticks if rows is None else ticks[rows]
    order = time_order(users, ticks)
    if ticks is not None:
        ticks = ticks[order]
        if ticks_per_second != 1:
            ticks = ticks // ticks_per_second
    if "rating" in frame:
        ratings = frame["rating"].to_numpy(dtype=np.float32)
        ratings = ratings[order] if rows is None else ratings[rows[order]]
    offsets = np.zeros(len(user_ids) + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=len(user_ids)), out=offsets[1:])
    return SequenceData(
        name=name,
        items=items[order] + np.int32(1),  # 0 is PAD
        offsets=offsets,
        timestamps=ticks,
        ratings=ratings,
        user_ids=user_ids,
        item_ids=item_ids,
        hash=digest,
        repeats=repeats,
    )
