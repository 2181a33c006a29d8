"""A dataset in figures."""

from typing import Any

import numpy as np

from datasets.moments import to_text
from datasets.sequence_data import SECONDS_OF_DAY, IntArray, SequenceData


def statistics(data: SequenceData) -> dict[str, Any]:
    """Size, density, history lengths, time span, ties and repeats of a prepared dataset.

    density: interactions / (users * items); lengths in interactions; first_time, last_time: ISO 8601 UTC, span_days:
    days between them; tied_timestamps: share of interactions at the same second as a neighbour in the user's history;
    repeat_rate: share of interactions with an item that the user had before. Without timestamps, the figures about
    time are None.
    """
    lengths = data.lengths
    return {
        "name": data.name,
        "hash": data.hash,
        "users": data.num_users,
        "items": data.num_items,
        "interactions": data.num_interactions,
        "density": data.num_interactions / (data.num_users * data.num_items),
        "length_mean": float(lengths.mean()),
        "length_median": float(np.median(lengths)),
        "length_p95": float(np.percentile(lengths, 95)),
        "length_max": int(lengths.max()),
        **_time_statistics(data),
        "repeat_rate": repeat_rate(data),
        "mean_rating": None if data.ratings is None else float(data.ratings.mean(dtype=np.float64)),
    }


def _time_statistics(data: SequenceData) -> dict[str, Any]:
    """What is known of time."""
    if data.timestamps is None:
        return dict.fromkeys(("first_time", "last_time", "span_days", "tied_timestamps"))
    first, last = int(data.timestamps.min()), int(data.timestamps.max())
    return {
        "first_time": to_text(first),
        "last_time": to_text(last),
        "span_days": (last - first) / SECONDS_OF_DAY,
        "tied_timestamps": tied_share(data.timestamps, data.offsets),
    }


def tied_share(timestamps: IntArray, offsets: IntArray) -> float:
    """Share of interactions whose time is that of the one before or after in the same history."""
    same_as_next = np.zeros(len(timestamps), dtype=bool)
    same_as_next[:-1] = timestamps[1:] == timestamps[:-1]
    same_as_next[offsets[1:] - 1] = False  # a user's last and the next user's first
    tied = same_as_next.copy()
    tied[1:] |= same_as_next[:-1]
    return float(tied.mean())


def repeat_rate(data: SequenceData) -> float:
    """Share of interactions with an item that occurs earlier in the same history."""
    pairs = np.repeat(np.arange(data.num_users, dtype=np.int64) * (data.num_items + 1), data.lengths)
    pairs += data.items
    pairs.sort()
    return float(np.count_nonzero(pairs[1:] == pairs[:-1]) / len(pairs))
