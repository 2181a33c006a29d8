"""Figures of a dataset, by hand."""

from collections.abc import Callable

import pytest

import datasets
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
DAY = 86_400


def test_by_hand(load_file: LoadFile) -> None:
    start = 1_000_000_000
    rows = [
        *((1, 10, start), (1, 11, start), (1, 10, start + DAY), (1, 12, start + 2 * DAY)),
        *((2, 10, start + 2 * DAY), (2, 11, start + 3 * DAY)),
    ]
    content = "user,item,rating,time\n" + "".join(f"{u},{i},{u + 2},{t}\n" for u, i, t in rows)
    figures = datasets.statistics(load_file(content))
    assert figures["users"] == 2
    assert figures["items"] == 3
    assert figures["interactions"] == 6
    assert figures["density"] == pytest.approx(1.0)
    assert (figures["length_mean"], figures["length_median"], figures["length_max"]) == (3.0, 3.0, 4)
    assert figures["length_p95"] == pytest.approx(3.9)
    assert figures["first_time"] == "2001-09-09T01:46:40+00:00"
    assert figures["last_time"] == "2001-09-12T01:46:40+00:00"
    assert figures["span_days"] == 3
    assert figures["tied_timestamps"] == pytest.approx(2 / 6)  # not across users, though their times are equal
    assert figures["repeat_rate"] == pytest.approx(1 / 6)
    assert figures["mean_rating"] == pytest.approx(20 / 6)


def test_without_times(load_file: LoadFile) -> None:
    figures = datasets.statistics(load_file("1 1\n1 2\n"))
    for key in ("first_time", "last_time", "span_days", "tied_timestamps", "mean_rating"):
        assert figures[key] is None
    assert figures["repeat_rate"] == 0


def test_times_beyond_calendars(load_file: LoadFile) -> None:
    figures = datasets.statistics(load_file(f"user,item,time\n1,2,{10**17}\n1,3,5\n", timestamp_format="s"))
    assert figures["last_time"] == str(10**17)
