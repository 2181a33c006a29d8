"""The order of a user's interactions: by time, and what decides where times are equal."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from datasets.encode import Codes

TieOrder = Literal["file", "item", "random"]
IntArray = npt.NDArray[np.int64]


def time_order(
    users: Codes, items: Codes, ticks: IntArray | None, tie_order: TieOrder = "file", tie_seed: int = 0
) -> IntArray:
    """Permutation [rows] that groups rows by user and sorts each by time.

    Ties are in the order of the rows (file), of the items' codes (item; then of the rows), or of random numbers drawn
    with tie_seed. Without times (ticks is None) the order of the rows is the order in time.
    """
    if ticks is None or tie_order == "file":
        return _stable_order(users, ticks)
    if tie_order == "item":
        first = np.argsort(items, kind="stable")
    else:
        random = np.random.Generator(np.random.PCG64(tie_seed))
        first = np.argsort(random.random(len(users)), kind="stable")
    return first[_stable_order(users[first], ticks[first])]


def _stable_order(users: Codes, ticks: IntArray | None) -> IntArray:
    """By user, then time; equal ones stay as they stand."""
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
