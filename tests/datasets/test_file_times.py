"""Timestamps in all usual formats are read as seconds UTC, and others are rejected."""

from collections.abc import Callable

import pytest

from common.errors import UserError
from datasets.sequence_data import SequenceData

LoadFile = Callable[..., SequenceData]
SECOND = 1_306_146_600  # 2011-05-23 10:30:00 UTC
NEXT = SECOND + 86_400
MIDNIGHT = 1_306_108_800


def seconds(data: SequenceData) -> list[int]:
    assert data.timestamps is not None
    return data.timestamps.tolist()


CLOCKED = {
    "seconds": (f"{SECOND}", f"{NEXT}"),
    "seconds with fractions": (f"{SECOND}.0", f"{NEXT}.0"),
    "exponents": ("1.3061466e9", "1.306233e9"),
    "milliseconds": (f"{SECOND}000", f"{NEXT}000"),
    "microseconds": (f"{SECOND}000000", f"{NEXT}000000"),
    "nanoseconds": (f"{SECOND}000000000", f"{NEXT}000000000"),
    "ISO": ("2011-05-23T10:30:00", "2011-05-24T10:30:00"),
    "ISO, blank": ("2011-05-23 10:30:00", "2011-05-24 10:30:00"),
    "ISO, Z": ("2011-05-23T10:30:00Z", "2011-05-24T10:30:00Z"),
    "ISO, zone": ("2011-05-23T12:30:00+02:00", "2011-05-24T03:30:00-07:00"),
    "ISO, UTC": ("2011-05-23 10:30:00 UTC", "2011-05-24 10:30:00 UTC"),
    "American": ("5/23/2011 10:30", "5/24/2011 10:30"),
    "British": ("23/05/2011 10:30:00", "24/05/2011 10:30:00"),
    "German": ("23.05.2011 10:30", "24.05.2011 10:30"),
    "half day": ("05/23/2011 10:30 AM", "05/24/2011 10:30 AM"),
    "two digits of the year": ("5/23/11 10:30", "5/24/11 10:30"),
    "Twitter": ("Mon May 23 10:30:00 +0000 2011", "Tue May 24 10:30:00 +0000 2011"),
    "number": ("20110523103000", "20110524103000"),
}
DAYS = {
    "ISO": ("2011-05-23", "2011-05-24"),
    "number": ("20110523", "20110524"),
    "Amazon": ('"05 23, 2011"', '"05 24, 2011"'),
    "words": ('"May 23, 2011"', '"May 24, 2011"'),
    "American": ("05/23/2011", "05/24/2011"),
    "dashes": ("23-05-2011", "24-05-2011"),
}


@pytest.mark.parametrize("times", CLOCKED.values(), ids=CLOCKED.keys())
def test_clock_times(load_file: LoadFile, times: tuple[str, str]) -> None:
    assert seconds(load_file(f"user,item,time\n1,10,{times[1]}\n1,20,{times[0]}\n")) == [SECOND, NEXT]


@pytest.mark.parametrize("times", DAYS.values(), ids=DAYS.keys())
def test_days(load_file: LoadFile, times: tuple[str, str]) -> None:
    assert seconds(load_file(f"user,item,date\n1,10,{times[1]}\n1,20,{times[0]}\n")) == [MIDNIGHT, MIDNIGHT + 86_400]


def test_fractions_decide_the_order_within_a_second(load_file: LoadFile) -> None:
    for late, early in ((f"{SECOND}999", f"{SECOND}001"), (f"{SECOND}.75", f"{SECOND}.25")):
        data = load_file(f"user,item,time\n1,10,{late}\n1,20,{early}\n")
        assert seconds(data) == [SECOND, SECOND]
        assert data.item_ids[data.items - 1].tolist() == [20, 10]
    iso = "2011-05-23T10:30:00"
    data = load_file(f"user,item,time\n1,10,{iso}.9\n1,20,{iso}.1\n1,30,{iso}\n")
    assert data.item_ids[data.items - 1].tolist() == [30, 20, 10]


def test_day_and_month_are_not_guessed(load_file: LoadFile) -> None:
    content = "user,item,time\n1,10,03/04/2011\n1,20,05/06/2011\n"
    with pytest.raises(UserError, match="--timestamp_format"):
        load_file(content)
    american = seconds(load_file(content, timestamp_format="%m/%d/%Y"))
    british = seconds(load_file(content, timestamp_format="%d/%m/%Y"))
    assert american != british


def test_timestamp_unit_can_be_given(load_file: LoadFile) -> None:
    assert seconds(load_file("user,item,time\n1,10,5000\n1,20,7000\n", timestamp_format="ms")) == [5, 7]
    assert seconds(load_file("user,item,time\n1,10,20110523\n", timestamp_format="s")) == [20110523]


def test_small_and_negative_numbers_are_seconds(load_file: LoadFile) -> None:
    assert seconds(load_file("user,item,time\n1,10,3\n1,20,-1\n1,30,0\n")) == [-1, 0, 3]


@pytest.mark.parametrize("days", [("44561", "44562.5"), ("44561", "44570"), ("3", "44570")])
def test_spreadsheet_dates_are_a_warning(
    load_file: LoadFile, caplog: pytest.LogCaptureFixture, days: tuple[str, str]
) -> None:
    load_file(f"user,item,time\n1,10,{days[0]}\n1,20,{days[1]}\n")
    assert ("spreadsheet dates" in caplog.text) == (days[0] != "3")


def test_timestamp_in_another_unit_is_a_bad_row(load_file: LoadFile) -> None:
    content = f"user,item,time\n1,10,{SECOND}\n1,20,{NEXT}000\n1,30,{NEXT}\n"
    with pytest.raises(UserError, match=r"line 3: .*not in s like most others"):
        load_file(content)
    assert seconds(load_file(content, skip_bad_rows=True)) == [SECOND, NEXT]


def test_invalid_timestamps_are_rejected(load_file: LoadFile) -> None:
    with pytest.raises(UserError, match="not recognised"):
        load_file("user,item,time\n1,10,yesterday\n1,20,today\n")
    with pytest.raises(UserError, match="line 4: timestamp '2011-05' is not"):
        load_file("user,item,time\n1,10,05/23/2011\n1,20,05/24/2011\n1,30,2011-05\n")
    with pytest.raises(UserError, match="line 3: timestamp '' is not a time"):
        load_file(f"user,item,time\n1,10,{SECOND}\n1,20,\n1,20,{SECOND}\n")
    with pytest.raises(UserError, match="line 3: timestamp 'inf'"):
        load_file(f"user,item,time\n1,10,{SECOND}\n1,20,inf\n1,20,{SECOND}\n")
