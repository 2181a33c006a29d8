"""Repeated interactions: how many there are, and which are exact copies of others."""

import numpy as np

from datasets.order import time_order
from datasets.rows import Rows
from datasets.sequence_data import IntArray, SequenceData


def exact_copies(data: SequenceData) -> int:
    """Number of interactions with the user, the item and the second of an earlier one; 0 without timestamps.

    Each user's interactions must be in time order.
    """
    times, items = data.timestamps, np.asarray(data.items)
    if times is None or len(items) < 2:
        return 0
    begins = np.ones(len(items), dtype=bool)  # of interactions of one user at one time
    begins[1:] = times[1:] != times[:-1]
    begins[np.asarray(data.offsets[:-1])] = True
    tied = ~begins
    tied[:-1] |= ~begins[1:]
    pairs = np.cumsum(begins, dtype=np.int64)[tied] * (data.num_items + 1) + items[tied]
    return len(pairs) - _distinct(pairs)


def repeat_rate(data: SequenceData, copies: int) -> float:
    """Share of interactions with an item that the user had before, leaving out `copies` exact copies of others."""
    pairs = np.repeat(np.arange(data.num_users, dtype=np.int64) * (data.num_items + 1), data.lengths)
    pairs += data.items
    left = len(pairs) - copies
    return (left - _distinct(pairs)) / left


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
