"""Removing items that have no training interactions."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from common.ragged import offsets_of
from datasets.sequence_data import SequenceData
from datasets.splits.select import select_interactions, users_of


def only_known_items(data: SequenceData, trained: npt.NDArray[np.bool_]) -> tuple[SequenceData, npt.NDArray[np.bool_]]:
    """Remove items without training interactions, and users without interactions.

    Parameters
    ----------
    data : the data
    trained : bool [nnz], which interactions are for training

    Returns
    -------
    The remaining data, with items renumbered in the same order, and which users remain: bool [users].
    """
    items = np.asarray(data.items)
    known = np.zeros(data.num_items + 1, dtype=bool)
    known[items[trained]] = True
    if known[1:].all():
        return data, np.ones(data.num_users, dtype=bool)
    kept = np.flatnonzero(known[items])
    lengths = np.bincount(users_of(data)[kept], minlength=data.num_users)
    left = lengths > 0
    smaller = replace(
        select_interactions(data, kept),
        items=np.cumsum(known, dtype=np.int32)[items[kept]],
        offsets=offsets_of(lengths[left]),
        user_ids=data.user_ids[left],
        item_ids=data.item_ids[known[1:]],
    )
    return smaller, left
