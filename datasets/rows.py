"""Interactions as columns in file order, and the steps that drop or merge rows."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from datasets.blocks import blocks, counts, kept, looked_up
from datasets.encode import Codes
from datasets.order import stable_argsort

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
    scratch : folder for the files of long arrays; None = they are in memory
    """

    COLUMNS: ClassVar = ("users", "items", "ticks", "ratings", "parts")

    users: Codes
    items: Codes
    ticks: IntArray | None
    ratings: npt.NDArray[np.float32] | None
    user_ids: npt.NDArray[np.generic]
    item_ids: npt.NDArray[np.generic]
    ticks_per_second: int = 1
    parts: npt.NDArray[np.int8] | None = None
    scratch: Path | None = None

    def __len__(self) -> int:
        return len(self.users)

    def keep(self, places: IntArray) -> None:
        """Keep the rows at these indices, in that order."""
        self._replace(lambda values: looked_up(values, places, self.scratch))

    def keep_where(self, mask: npt.NDArray[np.bool_]) -> None:
        """Keep the rows where the mask is true."""
        if not mask.all():
            self._replace(lambda values: kept(values, mask, self.scratch))

    def _replace(self, changed: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> None:
        """Replace each column, so that only one exists twice at a time."""
        for name in self.COLUMNS:
            column = getattr(self, name)
            if column is not None:
                setattr(self, name, changed(column))

    def seconds(self) -> IntArray | None:
        """int64 [rows]: timestamps in whole seconds, rounded down."""
        if self.ticks is None or self.ticks_per_second == 1:
            return self.ticks
        return self.ticks // self.ticks_per_second


def filter_rows(rows: Rows, min_uc: int, min_sc: int, mode: Literal["core", "once"]) -> None:
    """Keep items with at least min_sc rows, then users with at least min_uc; mode "core" repeats until both hold."""
    alive = np.ones(len(rows), dtype=bool)
    users, items = _Frequency(rows.users, min_uc), _Frequency(rows.items, min_sc)
    while True:
        fewer = items.drop_rare(alive, users)
        fewer |= users.drop_rare(alive, items)
        if mode == "once" or not fewer:
            break
    rows.keep_where(alive)


class _Frequency:
    """The number of rows of each user, or of each item."""

    def __init__(self, codes: Codes, least: int) -> None:
        self.codes = codes
        self._least = least
        self._counts = counts(codes, int(codes.max(initial=-1)) + 1)

    def drop_rare(self, alive: npt.NDArray[np.bool_], other: "_Frequency") -> bool:
        """Mark the rows of rare codes as dropped, in `alive` [rows] and in both counts; False if there are none."""
        rare = (self._counts > 0) & (self._counts < self._least)
        if not rare.any():
            return False
        for block in blocks(len(alive)):
            dropped = alive[block] & rare[self.codes[block]]
            if dropped.any():
                alive[block] &= ~dropped
                codes, lost = np.unique(other.codes[block][dropped], return_counts=True)
                other._counts[codes] -= lost
        self._counts[rare] = 0
        return True


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
    order = stable_argsort(pair)
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
    present = np.flatnonzero(counts(rows.users, len(rows.user_ids)))
    # Uniform draws only, as their stream is the same in every version of numpy.
    drawn = np.random.Generator(np.random.PCG64(seed)).random(len(present))
    chosen = np.zeros(len(rows.user_ids), dtype=bool)
    chosen[present[np.argsort(drawn, kind="stable")[:count]]] = True
    rows.keep_where(looked_up(chosen, rows.users))


def keep_popular_items(rows: Rows, count: int | None) -> None:
    """Keep the `count` items with the most rows, ties broken by the lower id; None keeps all."""
    if count is None or len(rows) == 0:
        return
    frequency = counts(rows.items, len(rows.item_ids))
    chosen = np.zeros(len(frequency), dtype=bool)
    chosen[np.argsort(-frequency, kind="stable")[:count]] = True
    rows.keep_where(looked_up(chosen, rows.items))
