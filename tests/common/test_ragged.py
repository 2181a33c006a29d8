"""Ragged index arithmetic, compared with plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from common.ragged import concatenated_ranges, offsets_of, rows_of

RANGES = st.lists(st.tuples(st.integers(-50, 50), st.integers(0, 9)), max_size=9)  # (start, length)


@given(RANGES)
def test_ragged_ranges_equal_the_loop(ranges: list[tuple[int, int]]) -> None:
    starts = np.array([start for start, _ in ranges], dtype=np.int64)
    lengths = np.array([length for _, length in ranges], dtype=np.int64)
    positions = concatenated_ranges(starts, starts + lengths)
    assert positions.tolist() == [i for start, length in ranges for i in range(start, start + length)]
    assert rows_of(lengths).tolist() == [row for row, (_, length) in enumerate(ranges) for _ in range(length)]
    offsets = offsets_of(lengths)
    bounds = zip(offsets[:-1], offsets[1:], starts, lengths, strict=True)
    assert offsets[0] == 0 and offsets[-1] == len(positions)
    assert all(positions[a:b].tolist() == list(range(s, s + n)) for a, b, s, n in bounds)
    assert positions.dtype == rows_of(lengths).dtype == offsets.dtype == np.int64
