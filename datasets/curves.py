"""Curves that describe a dataset, for plots."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from common.ragged import concatenated_ranges
from datasets.sequence_data import IntArray, SequenceData
from datasets.splits.leakage import future_shares
from datasets.splits.select import previous_in_user
from datasets.stats import latest_split

FloatArray = npt.NDArray[np.float64]

POINTS = 200  # per curve
PERIODS = 60  # of equal length, from the first interaction to the last
LONGEST_GAP = 20 * 365 * 86_400


@dataclass(frozen=True)
class Curve:
    """A line through points x, y (float64 [n], ascending in x)."""

    x: FloatArray
    y: FloatArray

    def as_lists(self) -> dict[str, list[float]]:
        """As lists for JSON, with six significant digits."""
        return {"x": [float(f"{v:.6g}") for v in self.x], "y": [float(f"{v:.6g}") for v in self.y]}


def curves(data: SequenceData) -> dict[str, Curve | None]:
    """Compute all curves of a dataset, by name; None if the data lacks what a curve needs.

    - popularity: interactions of an item (y) by its popularity rank (x).
    - lengths: share of users (y) with at least x interactions.
    - repeats: share of interactions that repeat an item of the user (y) by position in the history (x).
    - activity: interactions per day (y) by time (x, seconds UTC, the middle of each period).
    - gaps: share of a user's consecutive interactions (y) that are at most x seconds apart.
    - future: share of leave-one-out test targets (y) for which at most a share x of the training interactions is newer.
    """
    return {
        "popularity": _popularity(data),
        "lengths": _lengths(data),
        "repeats": _repeats(data),
        "activity": _activity(data),
        "gaps": _gaps(data),
        "future": _future(data),
    }


def _spread(highest: int) -> IntArray:
    """Integers from 1 to `highest`: all small ones, and fewer and fewer of the large ones."""
    return np.unique(np.round(np.geomspace(1, max(highest, 1), POINTS)).astype(np.int64))


def _popularity(data: SequenceData) -> Curve:
    counts = np.sort(np.bincount(np.asarray(data.items), minlength=data.num_items + 1)[1:])[::-1]
    rank = _spread(len(counts))
    return Curve(rank.astype(np.float64), counts[rank - 1].astype(np.float64))


def _lengths(data: SequenceData) -> Curve:
    lengths = np.sort(data.lengths)
    length = _spread(int(lengths[-1]))
    shorter = np.searchsorted(lengths, length, side="left")
    return Curve(length.astype(np.float64), 1 - shorter / len(lengths))


def _repeats(data: SequenceData) -> Curve:
    """Positions in the history are binned as 1, 2, 3-4, 5-8, ...; x is the geometric mean of a bin's bounds."""
    place = concatenated_ranges(np.ones_like(data.lengths), data.lengths + 1)
    bins = np.ceil(np.log2(place)).astype(np.int64)
    repeated = np.bincount(bins, weights=previous_in_user(data) >= 0)
    upper = 2.0 ** np.arange(len(repeated))
    return Curve(np.sqrt(np.maximum(upper / 2 + 1, 1) * upper), repeated / np.bincount(bins))


def _activity(data: SequenceData) -> Curve | None:
    if data.timestamps is None:
        return None
    times = np.asarray(data.timestamps)
    first, last = int(times.min()), int(times.max())
    counts, edges = np.histogram(times, PERIODS, (first, max(last, first + 1)))
    days = (edges[1:] - edges[:-1]) / 86_400
    return Curve((edges[1:] + edges[:-1]) / 2, np.asarray(counts / days))


def _gaps(data: SequenceData) -> Curve | None:
    if data.timestamps is None:
        return None
    gaps = np.diff(np.asarray(data.timestamps))
    within = np.ones(len(gaps), dtype=bool)
    within[np.asarray(data.offsets[1:-1]) - 1] = False  # between two users
    gaps = np.sort(gaps[within])
    if len(gaps) == 0:
        return None
    seconds = _spread(LONGEST_GAP)
    return Curve(seconds.astype(np.float64), np.searchsorted(gaps, seconds, side="right") / len(gaps))


def _future(data: SequenceData) -> Curve | None:
    split = latest_split(data)
    shares = None if split is None else future_shares(split)
    if shares is None:
        return None
    share = np.linspace(0, 1, 101)
    return Curve(share, np.searchsorted(np.sort(shares), share + 1e-12, side="right") / len(shares))
