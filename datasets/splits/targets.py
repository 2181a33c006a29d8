"""Inputs and targets from users' held-out periods, for splits that cut by position."""

from typing import Literal

import numpy as np

from common.ragged import concatenated_ranges, offsets_of, rows_of
from datasets.sequence_data import Heldout, IntArray, SequenceData

Targets = Literal["last", "all", "next"]


def hold_out(data: SequenceData, users: IntArray, begin: IntArray, end: IntArray, targets: Targets) -> Heldout:
    """Make inputs and targets of users from their held-out periods.

    The input is the history from its start up to the period. Users without a period or an input are left out.

    Parameters
    ----------
    data : the data
    users : int64 [n]
    begin, end : int64 [n], bounds of each user's held-out interactions in `data.items`
    targets : `next`: the first interaction of the period. `last`: the last one; those before it belong to the input.
        `all`: the first occurrence of each distinct item of the period
    """
    start = np.asarray(data.offsets)[users]
    input_end = end - 1 if targets == "last" else begin
    usable = (end > begin) & (input_end > start)
    users, start, begin, end, input_end = (array[usable] for array in (users, start, begin, end, input_end))
    if targets == "all":
        positions, counts = _distinct(data, begin, end)
    else:
        positions, counts = input_end, np.ones(len(users), dtype=np.int64)
    return Heldout(
        users=users,
        input_start=start,
        input_end=input_end,
        targets=positions,
        target_offsets=offsets_of(counts),
    )


def _distinct(data: SequenceData, begin: IntArray, end: IntArray) -> tuple[IntArray, IntArray]:
    """Positions of the first occurrence of each item in each period, ascending, and their number per period [n]."""
    row = rows_of(end - begin)
    positions = concatenated_ranges(begin, end)
    pair = row * (data.num_items + 1) + np.asarray(data.items)[positions]
    _, first = np.unique(pair, return_index=True)
    first.sort()
    return positions[first], np.bincount(row[first], minlength=len(begin))
