"""Selecting and reordering interactions, for splits that don't cut by position."""

from dataclasses import replace

import numpy as np

from common.ragged import offsets_of, rows_of
from datasets.sequence_data import IntArray, SequenceData


def users_of(data: SequenceData) -> IntArray:
    """int64 [nnz]: user of each interaction, ascending."""
    return rows_of(data.lengths)


def select_interactions(data: SequenceData, places: IntArray) -> SequenceData:
    """Select the interactions at `places`, in that order; it must keep the users in order. Forgets the data's parts."""
    counts = np.bincount(users_of(data)[places], minlength=data.num_users)
    return replace(
        data,
        items=np.asarray(data.items)[places],
        offsets=offsets_of(counts),
        timestamps=None if data.timestamps is None else np.asarray(data.timestamps)[places],
        ratings=None if data.ratings is None else np.asarray(data.ratings)[places],
        parts=None,
    )


def previous_in_user(data: SequenceData) -> IntArray:
    """int64 [nnz]: position of the user's previous interaction with the same item; -1 if there is none."""
    pair = users_of(data) * (data.num_items + 1) + np.asarray(data.items)
    order = np.argsort(pair, kind="stable")
    again = pair[order[1:]] == pair[order[:-1]]
    previous = np.full(data.num_interactions, -1, dtype=np.int64)
    previous[order[1:][again]] = order[:-1][again]
    return previous
