"""Statistics and curves of a dataset, computed by hand and by slow references."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import datasets
from datasets.curves import curves
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
DAY = 86_400
START = 1_000_000_000


def small(load_file: LoadFile) -> SequenceData:
    rows = [
        *((1, 10, START), (1, 11, START), (1, 10, START + DAY), (1, 12, START + 2 * DAY)),
        *((2, 10, START + 2 * DAY), (2, 11, START + 3 * DAY)),
    ]
    return load_file("user,item,rating,time\n" + "".join(f"{u},{i},{u + 2},{t}\n" for u, i, t in rows))


def test_by_hand(load_file: LoadFile) -> None:
    figures = datasets.statistics(small(load_file))
    assert figures["users"] == 2
    assert figures["items"] == 3
    assert figures["interactions"] == 6
    assert figures["density"] == pytest.approx(5 / 6)  # user 1 has item 10 twice, user 2 hasn't item 12
    assert (figures["length_mean"], figures["length_median"], figures["length_max"]) == (3.0, 3.0, 4)
    assert figures["length_p95"] == pytest.approx(3.9)
    assert figures["first_time"] == "2001-09-09T01:46:40+00:00"
    assert figures["last_time"] == "2001-09-12T01:46:40+00:00"
    assert figures["span_days"] == 3
    assert figures["tied_timestamps"] == pytest.approx(2 / 6)  # not across users, though their times are equal
    assert figures["repeat_rate"] == pytest.approx(1 / 6)
    assert figures["mean_rating"] == pytest.approx(20 / 6)
    # User 1 is tested on item 12 and trains on the first two; user 2 is too short and trains on both.
    assert figures["tied_test_targets"] == figures["tied_validation_targets"] == 0
    assert figures["future_leak"] == 1.0
    assert figures["future_training"] == pytest.approx(1 / 4)


def test_curves_by_hand(load_file: LoadFile) -> None:
    drawn = curves(small(load_file))
    points = {
        name: dict(zip(curve.x.tolist(), curve.y.tolist(), strict=True)) for name, curve in drawn.items() if curve
    }
    assert points["popularity"] == {1: 3, 2: 2, 3: 1}
    assert points["lengths"] == {1: 1, 2: 1, 3: 0.5, 4: 0.5}
    assert list(points["repeats"].values()) == pytest.approx([0, 0, 1 / 2])  # places 1, 2, and 3 to 4
    assert sum(points["activity"].values()) * 3 / 60 == pytest.approx(6)
    assert points["gaps"][1] == pytest.approx(1 / 4)
    assert max(points["gaps"].values()) == 1
    assert points["future"][0.24] == 0
    assert points["future"][0.25] == 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4)), min_size=1, max_size=7), min_size=1, max_size=6)
)
def test_ties_and_leakage_equal_a_slow_reference(histories: list[list[tuple[int, int]]]) -> None:
    histories = [sorted(history, key=lambda event: event[0]) for history in histories]
    flat = [event for history in histories for event in history]
    data = SequenceData(
        name="small",
        items=np.array([item for _, item in flat], dtype=np.int32),
        offsets=np.cumsum([0, *map(len, histories)]),
        timestamps=np.array([time for time, _ in flat], dtype=np.int64),
        ratings=None,
        user_ids=np.arange(len(histories)),
        item_ids=np.arange(4),
        hash="",
        repeat_consumption=True,
    )
    tested = [history for history in histories if len(history) >= 3]
    training = [t for history in histories for t, _ in (history[:-2] if len(history) >= 3 else history)]

    def undecided(history: list[tuple[int, int]], place: int) -> bool:
        return len({item for time, item in history if time == history[place][0]}) > 1

    figures = datasets.statistics(data)
    if not tested:
        assert figures["future_leak"] is figures["tied_test_targets"] is None
        return
    assert figures["tied_test_targets"] == sum(undecided(history, -1) for history in tested)
    assert figures["tied_validation_targets"] == sum(undecided(history, -2) for history in tested)
    newer = [np.mean([t > history[-1][0] for t in training]) for history in tested]
    assert figures["future_leak"] == pytest.approx(np.mean([history[-1][0] < max(training) for history in tested]))
    assert figures["future_training"] == pytest.approx(np.mean(newer))
    once = [set(history) for history in histories]  # without exact copies
    repeated = sum(len(events) - len({item for _, item in events}) for events in once)
    assert figures["exact_copies"] == len(flat) - sum(map(len, once))
    assert figures["repeat_rate"] == pytest.approx(repeated / sum(map(len, once)))


def test_without_times(load_file: LoadFile) -> None:
    data = load_file("1 1\n1 2\n1 3\n")
    figures = datasets.statistics(data)
    for key in ("first_time", "last_time", "span_days", "tied_timestamps", "mean_rating", "future_leak"):
        assert figures[key] is None
    assert figures["repeat_rate"] == 0
    drawn = curves(data)
    assert [name for name, curve in drawn.items() if curve is None] == ["activity", "gaps", "future"]


@pytest.mark.parametrize("content", ["user,item,time\n1,2,5\n", "user,item,time\n1,2,5\n2,2,5\n"])
def test_the_smallest_data(load_file: LoadFile, content: str) -> None:
    data = load_file(content)
    assert datasets.statistics(data)["length_max"] == 1
    drawn = curves(data)
    assert drawn["gaps"] is drawn["future"] is None
    assert drawn["activity"] is not None


def test_times_beyond_calendars(load_file: LoadFile) -> None:
    figures = datasets.statistics(load_file(f"user,item,time\n1,2,{10**17}\n1,3,5\n", timestamp_format="s"))
    assert figures["last_time"] == str(10**17)


def test_curves_are_plain_json_numbers(load_file: LoadFile) -> None:
    for curve in curves(small(load_file)).values():
        assert curve is not None
        lists: dict[str, Any] = curve.as_lists()
        assert len(lists["x"]) == len(lists["y"])
        assert {type(value) for value in lists["x"] + lists["y"]} == {float}
        assert np.isfinite(lists["y"]).all()
        assert lists["x"] == sorted(lists["x"])
