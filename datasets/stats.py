"""Statistics of a dataset."""

from typing import Any

import numpy as np

from datasets.funnel import as_records
from datasets.repeats import exact_copies, repeat_rate
from datasets.sequence_data import SECONDS_OF_DAY, IntArray, SequenceData, Split
from datasets.splits.leakage import future_shares
from datasets.splits.leave_one_out import LeaveOneOut, LeaveOneOutOptions
from datasets.time_options import to_text

TIME_STATISTICS = (
    *("first_time", "last_time", "span_days", "tied_timestamps", "tied_test_targets", "tied_validation_targets"),
    *("future_leak", "future_training"),
)


def statistics(data: SequenceData) -> dict[str, Any]:
    """Size, density, history lengths, time span, ties and repeats of a prepared dataset.

    - density: share of all user-item pairs that occur.
    - length_...: interactions per user.
    - exact_copies: number of interactions with the user, the item and the second of an earlier one.
    - repeat_rate: share of the other interactions with an item that the user had before.
    - funnel: the steps of reading and preparing, with the rows, users and items left after each.
    - first_time, last_time: ISO 8601, UTC; span_days: days between them.
    - tied_timestamps: share of interactions that share a timestamp with a neighbour in the user's history.
    - tied_test_targets, tied_validation_targets: number of leave-one-out targets that depend on the order of tied
      interactions.
    - future_leak: share of leave-one-out test targets older than the newest training interaction.
    - future_training: share of training interactions newer than a leave-one-out test target, on average.

    The statistics about time are None without timestamps; those of leave-one-out also if no history is long enough.
    """
    lengths, copies = data.lengths, exact_copies(data)
    repeats = repeat_rate(data, copies)
    return {
        "name": data.name,
        "hash": data.hash,
        "users": data.num_users,
        "items": data.num_items,
        "interactions": data.num_interactions,
        "density": (data.num_interactions - copies) * (1 - repeats) / (data.num_users * data.num_items),
        "length_mean": float(lengths.mean()),
        "length_median": float(np.median(lengths)),
        "length_p95": float(np.percentile(lengths, 95)),
        "length_max": int(lengths.max()),
        "repeat_rate": repeats,
        "exact_copies": copies,
        "mean_rating": None if data.ratings is None else float(data.ratings.mean(dtype=np.float64)),
        **_time_statistics(data),
        "funnel": as_records(data.funnel),
    }


def _time_statistics(data: SequenceData) -> dict[str, Any]:
    """The statistics about time."""
    figures: dict[str, Any] = dict.fromkeys(TIME_STATISTICS)
    if data.timestamps is None:
        return figures
    first, last = int(data.timestamps.min()), int(data.timestamps.max())
    figures["first_time"], figures["last_time"] = to_text(first), to_text(last)
    figures["span_days"] = (last - first) / SECONDS_OF_DAY
    figures["tied_timestamps"] = tied_share(data.timestamps, data.offsets)
    split = latest_split(data)
    if split is not None:
        undecided = undecided_places(data, data.timestamps)
        figures["tied_test_targets"] = int(undecided[split.test.targets].sum())
        figures["tied_validation_targets"] = int(undecided[split.validation.targets].sum())
        shares = future_shares(split)
        assert shares is not None
        figures["future_leak"] = float((shares > 0).mean())
        figures["future_training"] = float(shares.mean())
    return figures


def latest_split(data: SequenceData) -> Split | None:
    """The data's leave-one-out split; None if no history is long enough for it."""
    return LeaveOneOut().make(data, LeaveOneOutOptions()) if data.lengths.max() >= 3 else None


def undecided_places(data: SequenceData, timestamps: IntArray) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """bool [nnz]: positions whose item depends on the order of the user's tied interactions."""
    items = np.asarray(data.items)
    begins = np.ones(len(items), dtype=bool)
    begins[1:] = timestamps[1:] != timestamps[:-1]
    begins[np.asarray(data.offsets[:-1])] = True
    starts = np.flatnonzero(begins)
    several = np.minimum.reduceat(items, starts) != np.maximum.reduceat(items, starts)
    return np.repeat(several, np.diff(np.append(starts, len(items))))


def tied_share(timestamps: IntArray, offsets: IntArray) -> float:
    """Share of interactions that share a timestamp with the one before or after in the same history."""
    same_as_next = np.zeros(len(timestamps), dtype=bool)
    same_as_next[:-1] = timestamps[1:] == timestamps[:-1]
    same_as_next[offsets[1:] - 1] = False  # a user's last and the next user's first
    tied = same_as_next.copy()
    tied[1:] |= same_as_next[:-1]
    return float(tied.mean())
