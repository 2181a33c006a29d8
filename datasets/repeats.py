"""Repeated interactions: how many there are, and which are exact copies of others."""

from collections.abc import Iterator

import numpy as np

from common.ragged import rows_of
from datasets.blocks import blocks
from datasets.order import time_order
from datasets.rows import Rows
from datasets.sequence_data import IntArray, SequenceData


def exact_copies(data: SequenceData) -> int:
    """Number of interactions with the user, the item and the second of an earlier one; 0 without timestamps.

    Each user's interactions must be in time order.
    """
    if data.timestamps is None:
        return 0
    copies = 0
    for bounds in _user_blocks(data):
        part = slice(bounds[0], bounds[-1])
        times, items = data.timestamps[part], data.items[part]
        begins = np.ones(len(items), dtype=bool)  # of interactions of one user at one time
        begins[1:] = times[1:] != times[:-1]
        begins[bounds[:-1] - bounds[0]] = True
        tied = ~begins
        tied[:-1] |= ~begins[1:]
        pairs = np.cumsum(begins, dtype=np.int64)[tied] * (data.num_items + 1) + items[tied]
        copies += len(pairs) - _distinct(pairs)
    return copies


def repeat_rate(data: SequenceData, copies: int) -> float:
    """Share of interactions with an item that the user had before, leaving out `copies` exact copies of others."""
    distinct = 0
    for bounds in _user_blocks(data):
        pairs = rows_of(np.diff(bounds)) * (data.num_items + 1)
        pairs += data.items[bounds[0] : bounds[-1]]
        distinct += _distinct(pairs)
    left = len(data.items) - copies
    return (left - distinct) / left


def _user_blocks(data: SequenceData) -> Iterator[IntArray]:
    """Offsets of the first users with a block of items, up to the user after them; of the next users, and so on."""
    offsets = np.asarray(data.offsets)
    for part in blocks(len(data.items)):
        first, last = np.searchsorted(offsets, [part.start, part.stop])
        if first < last:
            yield offsets[first : last + 1]


def _distinct(keys: IntArray) -> int:
    """The number of distinct keys; sorts them in place."""
    keys.sort()
    return len(keys) - int(np.count_nonzero(keys[1:] == keys[:-1]))


def drop_exact_copies(rows: Rows) -> None:
    """Drop rows with the user, the item, the second (and the part) of an earlier row."""
    seconds = rows.seconds()
    order = time_order(rows.users, rows.items, seconds, "item")  # copies are neighbours, in the order of the rows
    same = np.ones(max(len(order) - 1, 0), dtype=bool)
    for column in (rows.users, rows.items, seconds, rows.parts):
        if column is not None:
            ordered = column[order]
            same &= ordered[1:] == ordered[:-1]
    kept = np.ones(len(rows), dtype=bool)
    kept[order[1:][same]] = False
    rows.keep_where(kept)
