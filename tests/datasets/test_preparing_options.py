"""Options of every dataset: points in time, and which options change the data's hash and cache key."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

import datasets
from common.errors import UserError
from datasets.sequence_data import SequenceData, with_hash
from datasets.time_options import to_seconds

LoadFile = Callable[..., SequenceData]
DAY = 86_400
ROWS = "user,item,rating,timestamp\n" + "".join(
    f"{u},{(u + i * i) % 7},{i % 5},{DAY * (i // 2)}\n" for u in range(9) for i in range(12)
)


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("1970-01-02", DAY),
        ("1970-01-02 00:00:05", DAY + 5),
        ("1970-01-02T01:00+01:00", DAY),
        ("1970-01-02T00:00:00Z", DAY),
        ("1969-12-31", -DAY),
        (978_300_760, 978_300_760),
        (0, 0),
        (-5, -5),
    ],
)
def test_times_are_dates_or_seconds(moment: str | int, seconds: int) -> None:
    assert to_seconds(moment) == seconds


@pytest.mark.parametrize("moment", ["yesterday", "", "2003-02-30", "01/02/2003", 2003, 20030228])
def test_invalid_moments_are_rejected(moment: str | int) -> None:
    with pytest.raises(ValidationError, match="2003-"):
        datasets.DATASETS["ml-1m"].Options(since=moment)


def test_empty_time_span_is_rejected() -> None:
    with pytest.raises(ValidationError, match="earlier"):
        datasets.DATASETS["ml-1m"].Options(since="2003-01-01", until="2003-01-01")


def test_hash_depends_on_the_content_only(load_file: LoadFile) -> None:
    plain = load_file(ROWS)
    same = [
        load_file(ROWS, name="elsewhere.csv"),
        load_file(ROWS, dataset_name="other"),
        load_file(ROWS, min_uc=2),  # drops nothing
        load_file(ROWS, filter_mode="once", tie_seed=3, subsample_seed=8),
        load_file(ROWS, since="1960-01-01", until=10**12),
        load_file(ROWS, items_repeat=False),
        load_file(ROWS.replace(",", ";")),
    ]
    assert {data.hash for data in same} == {plain.hash}
    others = [
        load_file(ROWS + "1,2,3,4\n"),
        load_file(ROWS.replace("1,2,1", "1,2,2")),
        load_file(ROWS, min_rating=1),
        load_file(ROWS, since="1970-01-02"),
        load_file(ROWS, until="1970-01-02"),
        load_file(ROWS, tie_order="item"),
        load_file(ROWS, tie_order="random"),
        load_file(ROWS, tie_order="random", tie_seed=1),
        load_file(ROWS, repeats="first"),
        load_file(ROWS, repeats="last"),
        load_file(ROWS, repeats="sum"),
        load_file(ROWS, subsample_users=3),
        load_file(ROWS, max_items=3),
        load_file(ROWS.replace("\n8,", "\neight,")),
    ]
    assert len({data.hash for data in [plain, *others]}) == len(others) + 1


def test_hash_sees_types_and_missing_arrays(load_file: LoadFile) -> None:
    data = load_file(ROWS)
    assert data.timestamps is not None
    assert data.hash == with_hash(data).hash
    changed = [
        {"ratings": None},
        {"timestamps": None},
        {"timestamps": data.timestamps.astype(np.int32)},
        {"item_ids": data.item_ids.astype(str)},
    ]
    hashes = {with_hash(datasets.SequenceData(**{**vars(data), **change})).hash for change in changed}
    assert len(hashes | {data.hash}) == 5


def test_hash_is_kept_in_the_cache(load_file: LoadFile, tmp_path: Path) -> None:
    first = load_file(ROWS)
    again = load_file(tmp_path / "mine.csv")
    assert isinstance(again.items, np.memmap)
    assert again.hash == first.hash == with_hash(again).hash


def test_merging_repeats_removes_all_repeats(load_file: LoadFile) -> None:
    assert load_file(ROWS).repeat_consumption
    for how in ("first", "last", "sum"):
        data = load_file(ROWS, repeats=how)
        assert not data.repeat_consumption
        assert datasets.statistics(data)["repeat_rate"] == 0


def test_tie_order_and_since_need_timestamps(load_file: LoadFile) -> None:
    for options in ({"tie_order": "random"}, {"since": "2000-01-01"}):
        with pytest.raises(UserError, match="no timestamps"):
            load_file("1 2\n1 3\n", **options)


def test_split_that_changes_the_data_changes_its_hash(load_file: LoadFile) -> None:
    data = load_file(ROWS)
    whole = datasets.split(data, "leave_one_out", datasets.SPLITS["leave_one_out"].Options())
    assert whole.data.hash == data.hash
    maker = datasets.SPLITS["strong_generalization"]
    part = datasets.split(data, "strong_generalization", maker.Options(heldout_users=2, min_heldout_items=2))
    assert part.data.hash == with_hash(part.data).hash != data.hash
