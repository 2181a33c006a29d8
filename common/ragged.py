"""Index arithmetic on ragged rows: ranges of different lengths, one after another in a flat array."""

import numpy as np
from numpy.typing import NDArray

Int = NDArray[np.int64]


def rows_of(lengths: Int) -> Int:
    """Row of each element of ragged rows.

    Parameters
    ----------
    lengths : int64 [n]
        Number of elements in each row, at least 0.

    Returns
    -------
    int64 [lengths.sum()]
        0 `lengths[0]` times, 1 `lengths[1]` times, and so on.

    Examples
    --------
    >>> rows_of(np.array([2, 0, 3])).tolist()
    [0, 0, 2, 2, 2]
    """
    return np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)


def concatenated_ranges(starts: Int, ends: Int) -> Int:
    """The integers of all ranges `starts[i]:ends[i]`, one range after another.

    Parameters
    ----------
    starts, ends : int64 [n]
        Bounds of each range, end exclusive and not below its start.

    Returns
    -------
    int64 [(ends - starts).sum()]
        Equal to `np.concatenate([np.arange(s, e) for s, e in zip(starts, ends)])`, without the loop.

    Examples
    --------
    >>> concatenated_ranges(np.array([5, 9, 1]), np.array([7, 9, 4])).tolist()
    [5, 6, 1, 2, 3]
    """
    lengths = ends - starts
    first = np.cumsum(lengths) - lengths  # where each range begins in the result
    positions: Int = np.arange(lengths.sum(), dtype=np.int64) + np.repeat(starts - first, lengths)
    return positions


def offsets_of(lengths: Int) -> Int:
    """Bounds of ragged rows in a flat array: row i is `offsets[i]:offsets[i + 1]`.

    Parameters
    ----------
    lengths : int64 [n]
        Number of elements in each row.

    Returns
    -------
    int64 [n + 1]
        0, then the running sum of `lengths`.

    Examples
    --------
    >>> offsets_of(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
