"""Windows over users' histories, and how they become padded arrays: index arithmetic without loops."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from common.ragged import concatenated_ranges, rows_of

Int = NDArray[np.int64]
Numbers = TypeVar("Numbers", bound=np.generic)


@dataclass(frozen=True)
class Windows:
    """N windows: `items[start:end]` of user `user`; all int64 [N], positions in the flat arrays, end exclusive."""

    user: Int
    start: Int
    end: Int

    def __len__(self) -> int:
        return len(self.user)

    def take(self, rows: Int) -> "Windows":
        """Select the windows at `rows`, in that order."""
        return Windows(self.user[rows], self.start[rows], self.end[rows])


def sliding_windows(starts: Int, ends: Int, max_len: int, step: int | None) -> Windows:
    """Windows of at most `max_len` items, ending at each user's last training item and every `step` items before it.

    A user's windows end at `end`, `end - step`, ... as long as `max_len` items are left. Every user with items has at
    least one window, however short.

    Parameters
    ----------
    starts, ends : int64 [users], bounds of each user's training interactions in the flat arrays, end exclusive
    max_len : items in a window
    step : distance between the ends of consecutive windows (`train_window`); 0 or None = only the last window
    """
    lengths = ends - starts
    counts = np.ones_like(lengths)
    if step:
        counts += np.maximum(lengths - max_len, 0) // step
    counts[lengths <= 0] = 0
    user = rows_of(counts)
    nth = concatenated_ranges(np.zeros_like(counts), counts)
    end = ends[user] - nth * (step or 0)
    return Windows(user, np.maximum(starts[user], end - max_len), end)


def gather_padded(flat: NDArray[Numbers], start: Int, end: Int, length: int) -> NDArray[Numbers]:
    """The last `length` values of each `flat[start:end]`, left-padded with 0: [N, length] of flat's type."""
    padded = np.zeros((len(start), length), dtype=flat.dtype)
    lengths = end - start
    whole, short = lengths >= length, (lengths > 0) & (lengths < length)
    if whole.any():  # one copy per row
        padded[whole] = sliding_window_view(flat, length)[end[whole] - length]
    if short.any():
        filled = np.zeros(padded.shape, dtype=bool)
        filled[short] = np.arange(length) >= (length - lengths[short])[:, None]
        padded[filled] = flat[concatenated_ranges(start[short], end[short])]
    return padded
