"""Exact copies: the same user, item and second. They don't count as repeats, are reported, and can be dropped."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

import datasets
from common.errors import UserError
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
ROWS = [f"{user},{(user + step) % 20},{1_600_000_000 + 60 * step}\n" for user in range(20) for step in range(12)]


def table(*more: str) -> str:
    return "user,item,timestamp\n" + "".join([*ROWS, *more])


def test_copies_are_no_repeat_consumption(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "datasets")
    copied = load_file(table(*ROWS[:12]))
    assert (copied.copies, copied.repeat_rate, copied.repeat_consumption) == (12, 0.0, False)
    said = "repeats: 12 of 252 interactions"
    assert said in caplog.text and "--drop_copies true" in caplog.text
    caplog.clear()
    again = load_file(table(*ROWS[:12]))
    assert said in caplog.text and (again.copies, again.repeat_rate) == (12, 0.0)
    later = [row.replace("1600000", "1700000") for row in ROWS[:12]]
    repeated = load_file(table(*later), name="later.csv")
    assert (repeated.copies, repeated.repeat_consumption) == (0, True)
    assert repeated.repeat_rate == pytest.approx(12 / 252) == datasets.statistics(repeated)["repeat_rate"]
    assert "so seen items are not filtered" in caplog.text


def test_dropping_copies_drops_nothing_else(load_file: LoadFile) -> None:
    later = [row.replace("1600000", "1700000") for row in ROWS[:5]]
    dropped = load_file(table(*later, *ROWS[:12], ROWS[0]), drop_copies=True)
    assert [step.rows for step in dropped.funnel][-2:] == [258, 245]
    assert dropped.hash == load_file(table(*later), name="without.csv").hash
    assert dropped.copies == 0 and dropped.repeat_consumption


def test_copies_with_other_ratings_and_milliseconds(load_file: LoadFile) -> None:
    """A copy has the same whole second; the first row of the file stays."""
    rows = "user,item,rating,timestamp\n1,7,5,1600000000100\n1,7,3,1600000000900\n1,8,2,1600000001000\n"
    assert load_file(rows).copies == 1
    dropped = load_file(rows, drop_copies=True)
    assert dropped.ratings is not None and dropped.ratings.tolist() == [5, 2]


def test_copies_need_timestamps(load_file: LoadFile) -> None:
    assert load_file("user,item\n1,2\n1,2\n").repeat_rate == 0.5
    with pytest.raises(UserError, match="drop_copies can't be used"):
        load_file("user,item\n1,2\n1,2\n", drop_copies=True)
