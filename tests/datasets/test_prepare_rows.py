"""Rules, order and ids against a slow reference that follows the words of the documentation."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from datasets.prepare import Rules, encode, prepare, time_order
from datasets.sequence_data import SequenceData

Row = tuple[Any, Any, float, int]


def slow_filter(rows: list[Row], rules: Rules) -> list[Row]:
    """Row by row."""
    if rules.min_rating is not None:
        rows = [row for row in rows if row[2] >= rules.min_rating]
    while True:
        before = len(rows)
        counts = Counter(row[1] for row in rows)
        rows = [row for row in rows if counts[row[1]] >= rules.min_sc]
        counts = Counter(row[0] for row in rows)
        rows = [row for row in rows if counts[row[0]] >= rules.min_uc]
        if rules.filter_mode == "once" or len(rows) == before:
            return rows


def as_rows(data: SequenceData) -> list[Row]:
    """The dataset as rows of original ids."""
    users = np.repeat(data.user_ids, data.lengths).tolist()
    items = data.item_ids[data.items - 1].tolist()
    assert data.ratings is not None
    assert data.timestamps is not None
    return list(zip(users, items, data.ratings.tolist(), data.timestamps.tolist(), strict=True))


def run(rows: list[Row], rules: Rules, ticks_per_second: int = 1) -> SequenceData:
    """Prepare rows."""
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    return prepare(frame, rules, name="x", ticks_per_second=ticks_per_second)


ids = st.one_of(
    st.just(st.integers(-3, 12)),
    st.just(st.integers(-(2**62), 2**62)),
    st.just(st.sampled_from(["a", "B", "é", "z", "😀", "10", "9", "￿", "ab"])),
)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows with few users, items and times, so that rules and ties have work to do."""
    user, item = draw(ids), draw(ids)
    rating = st.sampled_from([1.0, 2.5, 3.0, 5.0])
    return draw(st.lists(st.tuples(user, item, rating, st.integers(-2, 4)), min_size=1, max_size=60))


filter_sets = st.builds(
    Rules,
    st.sampled_from([None, 0, 2.5, 3]),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from(["core", "once"]),
)


@given(tables(), filter_sets)
def test_rules_and_order_equal_the_slow_reference(rows: list[Row], rules: Rules) -> None:
    expected = slow_filter(rows, rules)
    if not expected:
        with pytest.raises(UserError, match="lower them"):
            run(rows, rules)
        return
    data = run(rows, rules)
    # sorted() is stable: by user, then time, ties by the row's place
    assert as_rows(data) == sorted(expected, key=lambda row: (row[0], row[3]))
    assert data.user_ids.tolist() == sorted({row[0] for row in expected})
    assert data.item_ids.tolist() == sorted({row[1] for row in expected})
    assert data.items.dtype == np.int32
    assert data.offsets.dtype == np.int64
    assert data.items.min() >= 1


def test_modes_differ_where_dropping_users_makes_items_rare() -> None:
    rows: list[Row] = [(1, 10, 1, 0), (1, 11, 1, 1), (2, 10, 1, 0), (2, 11, 1, 1), (3, 12, 1, 0), (4, 12, 1, 0)]
    rows += [(4, 10, 1, 1)]
    once = run(rows, Rules(None, 2, 2, "once"))
    core = run(rows, Rules(None, 2, 2, "core"))
    assert once.user_ids.tolist() == [1, 2, 4]
    assert once.item_ids.tolist() == [10, 11, 12]
    assert core.user_ids.tolist() == [1, 2]
    assert core.item_ids.tolist() == [10, 11]


def test_order_uses_fractions_of_a_second_and_keeps_whole_ones() -> None:
    rows: list[Row] = [(1, 10, 1, 1500), (1, 11, 1, 1400), (1, 12, 1, -1)]
    data = run(rows, Rules(), ticks_per_second=1000)
    assert data.item_ids[data.items - 1].tolist() == [12, 11, 10]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [-1, 1, 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_order_holds_over_the_whole_range_of_times(pairs: list[tuple[int, int]]) -> None:
    users = np.array([user for user, _ in pairs], dtype=np.int32)
    ticks = np.array([tick for _, tick in pairs], dtype=np.int64)
    assert time_order(users, ticks).tolist() == sorted(range(len(pairs)), key=lambda row: pairs[row])


def test_without_times_the_order_of_rows_stays() -> None:
    frame = pd.DataFrame({"user": [2, 1, 2, 1], "item": [9, 8, 7, 6]})
    data = prepare(frame, Rules(), name="x")
    assert data.timestamps is None
    assert data.ratings is None
    assert data.item_ids[data.items - 1].tolist() == [8, 6, 9, 7]


def test_a_rating_filter_needs_ratings() -> None:
    frame = pd.DataFrame({"user": [1], "item": [1]})
    assert prepare(frame, Rules(0), name="x").num_interactions == 1
    with pytest.raises(UserError, match="no ratings"):
        prepare(frame, Rules(3), name="x")


def test_text_is_sorted_by_code_point_whether_plain_or_categorical() -> None:
    words = ["b", "a", "Z", "é", "😀", "￿", "a"]
    for column in (pd.Series(words), pd.Series(pd.Categorical(words))):
        codes, unique = encode(column)
        assert unique.tolist() == sorted(set(words))
        assert unique[codes].tolist() == words
