"""Files that continue another one: the same dataset as one file of all rows, and only new files are read."""

from __future__ import annotations

import logging
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

import datasets
from common.errors import UserError
from datasets.base import RawInteractions
from datasets.file import File
from datasets.file_options import FileOptions
from datasets.sequence_data import ARRAYS, SequenceData

HEADER = "user,item,rating,timestamp\n"
PLAIN = {"min_uc": 0, "min_sc": 0, "min_rating": None}


def lines(seed: int, count: int = 60, user: str = "", ticks: int = 1) -> list[str]:
    """Rows with few users, items and times, so that there are ties, repeats, copies and rare ones."""
    random = np.random.default_rng(seed)
    columns = [random.integers(1, 12, count), random.integers(1, 30, count), random.integers(1, 6, count)]
    times = 1_600_000_000 * ticks + random.integers(0, 40 * ticks, count)
    return [f"{user}{u},{i},{r},{t}\n" for u, i, r, t in zip(*columns, times, strict=True)]


def load(folder: Path, pieces: list[list[str]], **options: Any) -> SequenceData:
    """The dataset of files with these rows, the first of which the others continue."""
    paths = [folder / f"night{number}.csv" for number in range(len(pieces))]
    for path, piece in zip(paths, pieces, strict=True):
        path.write_text(HEADER + "".join(piece))
    given = {**PLAIN, "local_data_folder": folder / "Data", **options}
    appended = tuple(paths[1:]) or None
    return datasets.load("file", FileOptions(dataset_path=paths[0], appended_paths=appended, **given))


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    read, names = File.read, []

    def record(self: File, options: FileOptions) -> RawInteractions:
        names.append(options.dataset_path.name)
        return read(self, options)

    monkeypatch.setattr(File, "read", record)
    return names


def assert_same(one: SequenceData, other: SequenceData) -> None:
    """All arrays are the same, and what is known of them."""
    for key in ARRAYS:
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key), key)
    assert (one.hash, one.copies, one.repeat_rate) == (other.hash, other.copies, other.repeat_rate)
    assert [step.rows for step in one.funnel] == [step.rows for step in other.funnel]


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"min_uc": 5, "min_sc": 3},
        {"min_uc": 3, "min_sc": 2, "filter_mode": "once", "min_rating": 3},
        {"repeats": "sum"},
        {"repeats": "first", "tie_order": "item"},
        {"drop_copies": True},
        {"tie_order": "random", "tie_seed": 3},
        {"subsample_users": 6, "max_items": 12},
        {"since": 1_600_000_005, "until": 1_600_000_035},
    ],
    ids=str,
)
def test_appended_files_equal_one_file(tmp_path: Path, rules: dict[str, Any], read_files: list[str]) -> None:
    """Also for rows that are earlier than those of the files before, and with sub-second times."""
    nights = [lines(1), lines(2, ticks=1000), lines(3, 5)]
    (tmp_path / "joined").mkdir()
    load(tmp_path, nights[:2], **rules)
    del read_files[:]
    appended = load(tmp_path, nights, **rules)
    assert read_files == ["night2.csv"]
    seconds = [f"{line[:-14]}{line[-14:-4]}.{line[-4:]}" for line in nights[1]]  # ...,1600000000123 -> ...000.123
    rows = [*(line.replace("\n", ".000\n") for line in nights[0]), *seconds, *nights[2]]
    assert_same(appended, load(tmp_path / "joined", [rows], **rules))


def test_ids_of_appended_files_may_be_text(tmp_path: Path) -> None:
    """Numbers become text as soon as one id is; the joined ids are sorted again."""
    nights = [lines(1), lines(2, user="guest"), lines(3)]
    (tmp_path / "joined").mkdir()
    for count in (2, 3):
        appended = load(tmp_path, nights[:count])
        assert_same(appended, load(tmp_path / "joined", [list(chain(*nights[:count]))]))
    assert appended.user_ids.dtype.kind == "U"


def test_each_night_reads_only_its_file(tmp_path: Path, read_files: list[str]) -> None:
    nights = [lines(seed) for seed in range(4)]
    for count in range(1, 5):
        load(tmp_path, nights[:count])
    assert read_files == ["night0.csv", "night0.csv", "night1.csv", "night2.csv", "night3.csv"]
    assert len(list((tmp_path / "Data" / "prepared").glob("rows-*"))) == 1  # those of earlier nights are gone
    load(tmp_path, nights, min_uc=3)  # other rules: nothing is read
    load(tmp_path, nights[:3])  # prepared before
    assert len(read_files) == 5


def test_damaged_rows_are_read_again(tmp_path: Path, read_files: list[str], caplog: pytest.LogCaptureFixture) -> None:
    load(tmp_path, [lines(1), lines(2)])
    (rows,) = (tmp_path / "Data" / "prepared").glob("rows-*")
    (rows / "items.npy").write_bytes(b"x")
    joined = load(tmp_path, [lines(1), lines(2), lines(3)])
    assert read_files[2:] == ["night0.csv", "night1.csv", "night2.csv"] and "is damaged" in caplog.text
    (tmp_path / "joined").mkdir()
    assert_same(joined, load(tmp_path / "joined", [lines(1) + lines(2) + lines(3)]))


def test_messages_of_earlier_files_are_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    bad = [*lines(1), "1,2,3,yesterday\n"]
    for count in (2, 3):
        caplog.clear()
        load(tmp_path, [bad, lines(2), lines(3)][:count], skip_bad_rows=True)
        assert caplog.text.count("dropped 1 bad rows") == 1
    caplog.clear()
    load(tmp_path, [bad, lines(2), lines(3)], skip_bad_rows=True)  # from the cache
    assert caplog.text.count("dropped 1 bad rows") == 1


def test_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    load(tmp_path, [lines(1), lines(2)])
    (tmp_path / "other.csv").write_text("user,item\n1,2\n3,4\n")
    given = {**PLAIN, "local_data_folder": tmp_path / "Data", "dataset_path": tmp_path / "night0.csv"}
    with pytest.raises(UserError, match=r"other.csv has the columns user, item, but .*night0.csv has user, item, ra"):
        datasets.load("file", FileOptions(appended_paths=(tmp_path / "other.csv",), **given))
    with pytest.raises(UserError, match=r"appended_paths .*gone.csv: no such file"):
        datasets.load("file", FileOptions(appended_paths=(tmp_path / "gone.csv",), **given))
    for twice in ((tmp_path / "night0.csv",), (tmp_path / "other.csv", tmp_path / "other.csv")):
        with pytest.raises(ValidationError, match=r"there twice|each file once"):
            FileOptions(appended_paths=twice, **given)
    with pytest.raises(ValidationError, match="appended_paths can't be combined with validation_path"):
        parts = {"validation_path": tmp_path / "a.csv", "test_path": tmp_path / "b.csv"}
        FileOptions(appended_paths=(tmp_path / "other.csv",), **given, **parts)
