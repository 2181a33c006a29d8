"""The order of a user's interactions: by time, with a rule for ties."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from datasets.encode import Codes

TieOrder = Literal["file", "item", "random"]
IntArray = npt.NDArray[np.int64]


def time_order(
    users: Codes, items: Codes, ticks: IntArray | None, tie_order: TieOrder = "file", tie_seed: int = 0
) -> IntArray:
    """Permutation that groups rows by user and sorts each user's rows by time.

    Parameters
    ----------
    users, items : int32 [rows]
    ticks : int64 [rows] timestamps; None = the rows are in time order
    tie_order : order of rows with equal timestamps: "file" = row order, "item" = by item code, then row order,
        "random" = by random numbers drawn with tie_seed

    Returns
    -------
    int64 [rows]
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
    """Stable order by user, then time."""
    if ticks is None or len(ticks) == 0:
        return np.argsort(users, kind="stable")
    low, high = int(ticks.min()), int(ticks.max())
    span = high - low + 1
    if (int(users.max()) + 1) * span < 2**63:  # both fit in one key, which needs one sort instead of two
        key = users.astype(np.int64)
        key *= span
        key += ticks
        key -= low
        return np.argsort(key, kind="stable")
    return np.lexsort((ticks, users))
