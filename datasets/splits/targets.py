"""From a user's held-out period to input and targets: what splits that cut by position have in common."""

from typing import Literal

import numpy as np

from common.ragged import concatenated_ranges, offsets_of, rows_of
from datasets.sequence_data import Heldout, IntArray, SequenceData

Targets = Literal["last", "all", "next"]


def hold_out(data: SequenceData, users: IntArray, begin: IntArray, end: IntArray, targets: Targets) -> Heldout:
    """Inputs and targets of users with the held-out interactions `items[begin:end]` each (positions, int64 [n]).

    next: the first one is the target. last: the last one is; those before it are input. all: each distinct item of the
    period is a target, where it first occurs. The input is the user's history from its start. Users with an empty
    period or an empty input are left out.
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
