"""Timestamps in all usual formats are read as seconds UTC, and others are rejected."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.errors import UserError
from datasets.readers import times
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


FINER = {
    "Kuaishou": (
        "user_id,video_id,date,hourmin,time_ms",
        "1,10,20220401,2200,1648821600500\n1,20,20220401,100,1648746000500",
    ),
    "a clock of its own": ("user,item,time,date", "1,10,22:00,2022-04-01 22:00\n1,20,01:00,2022-04-01 01:00"),
    "days in seconds": (
        "user,item,time,datetime",
        "1,10,1648771200,2022-04-01 22:00\n1,20,1648771200,2022-04-01 01:00",
    ),
}


@pytest.mark.parametrize(("header", "rows"), FINER.values(), ids=FINER.keys())
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_finest_time_column_is_used(load_file: LoadFile, tmp_path: Path, header: str, rows: str, kind: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_text(f"{header}\n{rows}\n")
    if kind == "parquet":
        path = tmp_path / "rows.parquet"
        pd.read_csv(tmp_path / "rows.csv").to_parquet(path)
    data = load_file(path)
    assert data.item_ids[data.items - 1].tolist() == [20, 10]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("user,item,date,visited\n1,2,2022-04-01,2022-04-01 10:00\n", "'visited' looks like a finer time"),
        ("user,item,date,hour_min\n1,2,2022-04-01,1000\n", "To use 'hour_min' as well, join them"),
        ("user,item,date,at\n1,2,2022-04-01,10:00\n", "frame['date'].astype(str) + ' ' + frame['at']"),
        ("user,item,day,time\n1,2,20220401,10:00\n", "frame['day'].astype(str) + ' ' + frame['time']"),
    ],
)
def test_a_day_with_a_finer_column_is_a_warning(
    load_file: LoadFile, caplog: pytest.LogCaptureFixture, content: str, part: str
) -> None:
    load_file(content)
    assert part in caplog.text
    caplog.clear()
    load_file(content, timestamp_column="day" if "day" in content else "date")
    load_file(f"user,item,timestamp,date,watch_time\n1,2,{SECOND},2022-04-01,10:00\n")
    assert "finer time" not in caplog.text and "join them" not in caplog.text


def test_a_rating_is_not_offered_as_the_time(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    load_file("user,item,rating,price,bought\n1,2,3,4,2020-01-01\n", rating_column="")
    assert "If one of 'bought' holds the time" in caplog.text


def test_placeholders_among_times_are_counted(load_file: LoadFile, caplog: pytest.LogCaptureFixture) -> None:
    rows = "".join(f"1,{item},{SECOND + item}\n" for item in range(9))
    load_file(f"user,item,time\n{rows}1,10,0\n1,11,-1\n1,12,7258118400\n")
    assert "2 timestamps are before 1970-01-02, such as 0" in caplog.text
    assert "1 timestamps are in 2100 or later" in caplog.text
    caplog.clear()
    load_file(f"user,item,time\n{rows}")
    load_file("user,item,time\n1,2,0\n1,3,5\n")
    assert "timestamps are" not in caplog.text


@pytest.mark.parametrize(("step", "is_odd"), [(128, True), (1000, True), (60, False), (86_400, False), (1, False)])
def test_rounded_times_are_a_warning(
    load_file: LoadFile, caplog: pytest.LogCaptureFixture, step: int, is_odd: bool
) -> None:
    load_file("user,item,time\n" + "".join(f"1,{i},{(SECOND // step + i * i) * step}\n" for i in range(150)))
    assert (f"multiples of {step} seconds" in caplog.text) == is_odd


def test_times_of_32_bit_floats_are_a_warning(
    load_file: LoadFile, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame({"user": [1, 1], "item": [2, 3], "time": np.array([SECOND, NEXT], dtype=np.float32)})
    frame.to_parquet(tmp_path / "rows.parquet")
    load_file(tmp_path / "rows.parquet")
    assert "accurate to 64 seconds only" in caplog.text
    caplog.clear()
    frame.assign(time=np.array([5, 7], dtype=np.float32)).to_parquet(tmp_path / "rows.parquet")
    load_file(tmp_path / "rows.parquet")
    assert "32-bit" not in caplog.text


def test_dates_are_parsed_once(load_file: LoadFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each distinct date is parsed once, apart from a sample from which the format is detected."""
    parsed: list[int] = []
    real = times.pd.to_datetime

    def counted(texts: "pd.Series[str]", **options: object) -> object:
        parsed.append(len(texts))
        return real(texts, **options)

    monkeypatch.setattr(times.pd, "to_datetime", counted)
    start = datetime(2001, 1, 1)
    rows = "".join(f"1,{i},{start + timedelta(minutes=i):%d.%m.%Y %H:%M}\n" for i in range(5000))
    load_file("user,item,time\n" + rows * 2)
    assert sorted(parsed)[-2:] == [times.SAMPLE, 5000]
