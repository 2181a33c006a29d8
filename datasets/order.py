"""The order of a user's interactions: by time, with a rule for ties."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from datasets.encode import Codes

TieOrder = Literal["file", "item", "random"]
IntArray = npt.NDArray[np.int64]
KEY_BITS = 63


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
        first = stable_argsort(items)
    else:
        random = np.random.Generator(np.random.PCG64(tie_seed))
        first = np.argsort(random.random(len(users)), kind="stable")
    return first[_stable_order(users[first], ticks[first])]


def _stable_order(users: Codes, ticks: IntArray | None) -> IntArray:
    """Stable order by user, then time."""
    if ticks is None or len(ticks) == 0 or bool((ticks[1:] >= ticks[:-1]).all()):
        return stable_argsort(users)
    by_time = stable_argsort(ticks)
    return by_time[stable_argsort(users[by_time])]


def stable_argsort(values: npt.NDArray[np.integer]) -> IntArray:  # type: ignore[type-arg]
    """`np.argsort(values, kind="stable")`.

    Where a value and its place fit in 63 bits, these keys are sorted, which takes a tenth of the time.
    """
    count = len(values)
    if count == 0:
        return np.zeros(0, dtype=np.int64)
    low, high = int(values.min()), int(values.max())
    place_bits = (count - 1).bit_length()
    if (high - low).bit_length() + place_bits > KEY_BITS:
        return np.argsort(values, kind="stable")
    keys = values.astype(np.int64)
    keys -= low
    keys <<= place_bits
    keys |= np.arange(count, dtype=np.int64)
    keys.sort()
    keys &= (1 << place_bits) - 1
    return keys
