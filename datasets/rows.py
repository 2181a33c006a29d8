"""Interactions as columns in file order, and the steps that drop or merge rows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from datasets.encode import Codes

Repeats = Literal["keep", "first", "last", "sum"]
IntArray = npt.NDArray[np.int64]


@dataclass
class Rows:
    """Columns of equal length. The steps below change them in place, one column at a time.

    Attributes
    ----------
    users, items : int32 [rows], indices into `user_ids` and `item_ids`
    ticks : int64 [rows], or None without timestamps
    ratings : float32 [rows], or None without ratings
    user_ids, item_ids : sorted original ids; some may not occur in the rows
    ticks_per_second : unit of `ticks`
    parts : int8 [rows], 0 training, 1 validation, 2 test; None if the data doesn't come with its split
    """

    users: Codes
    items: Codes
    ticks: IntArray | None
    ratings: npt.NDArray[np.float32] | None
    user_ids: npt.NDArray[np.generic]
    item_ids: npt.NDArray[np.generic]
    ticks_per_second: int = 1
    parts: npt.NDArray[np.int8] | None = None

    def __len__(self) -> int:
        return len(self.users)

    def keep(self, places: IntArray | npt.NDArray[np.bool_]) -> None:
        """Keep the rows at these indices, in that order, or where a mask is true."""
        self.users = self.users[places]
        self.items = self.items[places]
        self.ticks = None if self.ticks is None else self.ticks[places]
        self.ratings = None if self.ratings is None else self.ratings[places]
        self.parts = None if self.parts is None else self.parts[places]

    def keep_where(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep the rows where the mask is true."""
        if not mask.all():
            self.keep(mask)

    def seconds(self) -> IntArray | None:
        """int64 [rows]: timestamps in whole seconds, rounded down."""
        if self.ticks is None or self.ticks_per_second == 1:
            return self.ticks
        return self.ticks // self.ticks_per_second


def filter_rows(rows: Rows, min_uc: int, min_sc: int, mode: Literal["core", "once"]) -> None:
    """Keep items with at least min_sc rows, then users with at least min_uc; mode "core" repeats until both hold."""
    while True:
        before = len(rows)
        if min_sc > 1 and before:
            rows.keep_where((np.bincount(rows.items) >= min_sc)[rows.items])
        if min_uc > 1 and len(rows):
            rows.keep_where((np.bincount(rows.users) >= min_uc)[rows.users])
        if mode == "once" or len(rows) == before:
            return


def merge_repeats(rows: Rows, how: Repeats) -> None:
    """Merge a user's rows with the same item (and part) into one. Each user's rows must be in time order.

    Parameters
    ----------
    rows : changed in place
    how : "keep" merges nothing; "first" and "last" keep that row; "sum" keeps the last row, whose rating becomes the
        sum of the ratings, or the number of rows if there are no ratings
    """
    if how == "keep" or len(rows) == 0:
        return
    pair = rows.users.astype(np.int64) * len(rows.item_ids) + rows.items
    if rows.parts is not None:
        pair = 3 * pair + rows.parts
    order = np.argsort(pair, kind="stable")
    pair = pair[order]
    begins = np.flatnonzero(np.concatenate(([True], pair[1:] != pair[:-1])))
    ends = np.concatenate((begins[1:], [len(pair)]))
    places = order[begins] if how == "first" else order[ends - 1]
    if how == "sum":
        summed = np.empty(len(rows), dtype=np.float32)
        counts = (ends - begins).astype(np.float64)
        ratings = rows.ratings
        summed[places] = counts if ratings is None else np.add.reduceat(ratings[order].astype(np.float64), begins)
        rows.ratings = summed
    rows.keep(np.sort(places))


def sample_users(rows: Rows, count: int | None, seed: int) -> None:
    """Keep `count` of the users that have rows, drawn uniformly with `seed`; None keeps all."""
    if count is None or len(rows) == 0:
        return
    present = np.flatnonzero(np.bincount(rows.users))
    # Uniform draws only, as their stream is the same in every version of numpy.
    drawn = np.random.Generator(np.random.PCG64(seed)).random(len(present))
    chosen = np.zeros(len(rows.user_ids), dtype=bool)
    chosen[present[np.argsort(drawn, kind="stable")[:count]]] = True
    rows.keep_where(chosen[rows.users])


def keep_popular_items(rows: Rows, count: int | None) -> None:
    """Keep the `count` items with the most rows, ties broken by the lower id; None keeps all."""
    if count is None or len(rows) == 0:
        return
    frequency = np.bincount(rows.items, minlength=len(rows.item_ids))
    chosen = np.zeros(len(frequency), dtype=bool)
    chosen[np.argsort(-frequency, kind="stable")[:count]] = True
    rows.keep_where(chosen[rows.items])
