"""Windows and padding, compared with plain loops."""

import gzip

import numpy as np
import pytest
from helpers import REAL_DATA, leave_one_out, sequence_data
from hypothesis import given, settings
from hypothesis import strategies as st

from dataloaders.windows import gather_padded, sliding_windows

SPANS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 25)), max_size=8)  # (gap before the user, its length)


def bounds(spans: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends of users in a flat array, with gaps between users."""
    starts, ends, at = [], [], 0
    for gap, length in spans:
        starts.append(at + gap)
        at += gap + length
        ends.append(at)
    return np.array(starts, dtype=np.int64), np.array(ends, dtype=np.int64)


def plain_windows(starts: np.ndarray, ends: np.ndarray, max_len: int, step: int | None) -> list[tuple[int, int, int]]:
    """The windows of the paper's code: ends move back by `step` as long as max_len items are left."""
    windows = []
    for user, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        if end <= start:
            continue
        at = end
        windows.append((user, max(start, at - max_len), at))
        while step and at - step - start >= max_len:
            at -= step
            windows.append((user, at - max_len, at))
    return windows


@settings(deadline=None, max_examples=150)
@given(SPANS, st.integers(1, 12), st.one_of(st.none(), st.integers(0, 9)))
def test_sliding_windows(spans: list[tuple[int, int]], max_len: int, step: int | None) -> None:
    starts, ends = bounds(spans)
    got = sliding_windows(starts, ends, max_len, step)
    rows = list(zip(got.user.tolist(), got.start.tolist(), got.end.tolist(), strict=True))
    assert rows == plain_windows(starts, ends, max_len, step)
    assert got.user.dtype == got.start.dtype == got.end.dtype == np.int64


@settings(deadline=None, max_examples=150)
@given(SPANS, st.integers(0, 9), st.randoms(use_true_random=False))
def test_gather_padded(spans: list[tuple[int, int]], length: int, random: object) -> None:
    starts, ends = bounds(spans)
    flat = np.arange(1, (int(ends[-1]) if len(ends) else 0) + 1, dtype=np.int32)
    got = gather_padded(flat, starts, ends, length)
    assert got.shape == (len(starts), length) and got.dtype == flat.dtype
    for row, start, end in zip(got.tolist(), starts.tolist(), ends.tolist(), strict=True):
        tail = flat[max(start, end - length) : end].tolist()
        assert row == [0] * (length - len(tail)) + tail


def test_gather_does_not_change_the_source() -> None:
    flat = np.arange(1, 6, dtype=np.int32)
    flat.flags.writeable = False
    gathered = gather_padded(flat, np.array([0, 2]), np.array([2, 5]), 4)
    gathered[:] = 9
    assert flat.tolist() == [1, 2, 3, 4, 5]


def test_take_selects_whole_rows() -> None:
    windows = sliding_windows(np.array([0, 10]), np.array([10, 14]), 4, 3)
    taken = windows.take(np.array([2, 0]))
    assert [len(windows), len(taken)] == [4, 2]
    assert (taken.user[0], taken.start[0], taken.end[0]) == (windows.user[2], windows.start[2], windows.end[2])


@pytest.mark.real
def test_number_of_windows_of_movielens() -> None:
    """As many windows as in the released code: 241 full batches of 512 and a smaller one."""
    path = REAL_DATA / "ml-1m-order.txt.gz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing (set REAL_DATA to its folder)")
    with gzip.open(path, "rt") as file:  # each line is `user item`, grouped by user
        rows = np.loadtxt(file, dtype=np.int64)
    parts = np.split(rows[:, 1], np.flatnonzero(np.diff(rows[:, 0])) + 1)
    lists = [part.tolist() for part in parts]
    split = leave_one_out(sequence_data(lists, num_items=3416))
    windows = sliding_windows(split.train_start, split.train_end, 128, 4)
    assert len(windows) == 123_587
    assert len(windows) // 512 == 241
