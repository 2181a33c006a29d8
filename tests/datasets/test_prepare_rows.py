"""Filtering, order and ids of rows against a slow reference that follows the documentation."""

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.errors import UserError
from datasets import blocks
from datasets.encode import encode
from datasets.order import time_order
from datasets.prepare import Rules, encode_rows, prepare
from datasets.sequence_data import SequenceData

Row = tuple[Any, Any, float, int]


def slow_filter(rows: list[Row], rules: Rules) -> list[Row]:
    """min_sc and min_uc, row by row."""
    while True:
        before = len(rows)
        counts = Counter(row[1] for row in rows)
        rows = [row for row in rows if counts[row[1]] >= rules.min_sc]
        counts = Counter(row[0] for row in rows)
        rows = [row for row in rows if counts[row[0]] >= rules.min_uc]
        if rules.filter_mode == "once" or len(rows) == before:
            return rows


def slow_merge(rows: list[Row], how: str) -> list[Row]:
    """Merge repeats; rows are in time order."""
    places: dict[tuple[Any, Any], list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row[:2], []).append(place)
    kept = {}
    for group in places.values():
        if how == "keep":
            kept.update({place: rows[place] for place in group})
        elif how == "first":
            kept[group[0]] = rows[group[0]]
        elif how == "last":
            kept[group[-1]] = rows[group[-1]]
        else:
            user, item, _, time = rows[group[-1]]
            kept[group[-1]] = (user, item, sum(rows[place][2] for place in group), time)
    return [kept[place] for place in sorted(kept)]


def slow_popular(rows: list[Row], count: int | None) -> list[Row]:
    """max_items."""
    counts = Counter(row[1] for row in rows)
    best = sorted(counts, key=lambda item: (-counts[item], item))[:count]
    return [row for row in rows if row[1] in best]


def slow_prepare(rows: list[Row], rules: Rules) -> list[Row]:
    """All rules except the random ones."""
    rows = [row for row in rows if rules.min_rating is None or row[2] >= rules.min_rating]
    rows = [row for row in rows if rules.since is None or row[3] >= rules.since]
    rows = [row for row in rows if rules.until is None or row[3] < rules.until]
    by_item = rules.tie_order == "item"
    rows = sorted(rows, key=lambda row: (row[0], row[3], row[1]) if by_item else (row[0], row[3]))  # stable
    rows = slow_filter(slow_merge(rows, rules.repeats), rules)
    return slow_filter(slow_popular(rows, rules.max_items), rules) if rules.max_items is not None else rows


def as_rows(data: SequenceData) -> list[Row]:
    """The dataset as rows of original ids."""
    users = np.repeat(data.user_ids, data.lengths).tolist()
    items = data.item_ids[data.items - 1].tolist()
    assert data.ratings is not None
    assert data.timestamps is not None
    return list(zip(users, items, data.ratings.tolist(), data.timestamps.tolist(), strict=True))


def prepared(frame: pd.DataFrame, rules: Rules, ticks_per_second: int = 1) -> SequenceData:
    return prepare(encode_rows(frame, ticks_per_second), rules, name="x")


def run(rows: list[Row], rules: Rules, ticks_per_second: int = 1) -> SequenceData:
    """Prepare rows."""
    return prepared(pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"]), rules, ticks_per_second)


ids = st.one_of(
    st.just(st.integers(-3, 12)),
    st.just(st.integers(-(2**62), 2**62)),
    st.just(st.sampled_from(["a", "B", "é", "z", "😀", "10", "9", "￿", "ab"])),
)


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    """Rows with few users, items and timestamps, so that filters and ties have an effect."""
    user, item = draw(ids), draw(ids)
    rating = st.sampled_from([1.0, 2.5, 3.0, 5.0])
    return draw(st.lists(st.tuples(user, item, rating, st.integers(-2, 4)), min_size=1, max_size=60))


rule_sets = st.builds(
    Rules,
    min_rating=st.sampled_from([None, 0, 2.5, 3]),
    since=st.sampled_from([None, -5, 0]),
    until=st.sampled_from([None, 4, 9]),
    repeats=st.sampled_from(["keep", "first", "last", "sum"]),
    min_uc=st.integers(0, 4),
    min_sc=st.integers(0, 4),
    filter_mode=st.sampled_from(["core", "once"]),
    max_items=st.sampled_from([None, 1, 3]),
    tie_order=st.sampled_from(["file", "item"]),
)


@given(tables(), rule_sets)
def test_rules_equal_a_slow_reference(rows: list[Row], rules: Rules) -> None:
    expected = slow_prepare(rows, rules)
    if not expected:
        with pytest.raises(UserError, match="relax the filters"):
            run(rows, rules)
        return
    data = run(rows, rules)
    assert as_rows(data) == expected
    assert data.user_ids.tolist() == sorted({row[0] for row in expected})
    assert data.item_ids.tolist() == sorted({row[1] for row in expected})
    assert data.items.dtype == np.int32
    assert data.offsets.dtype == np.int64
    assert data.items.min() >= 1


@given(tables(), rule_sets)
def test_parts_and_files_give_the_same_data(rows: list[Row], rules: Rules) -> None:
    frame = pd.DataFrame(rows, columns=["user", "item", "rating", "timestamp"])
    try:
        expected = prepare(encode_rows(frame), rules, name="x")
    except UserError:
        return
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(blocks, "BLOCK", 4)
        patch.setattr("datasets.prepare.SORTED_ROWS", 3)
        data = prepare(encode_rows(frame, scratch=Path(folder)), rules, name="x")
        assert list(Path(folder).iterdir()) == []  # the files vanish with the arrays
    assert (data.hash, data.funnel) == (expected.hash, expected.funnel)
    assert (data.copies, data.repeat_rate) == (expected.copies, expected.repeat_rate)
    assert isinstance(data.items, np.memmap)


@given(st.lists(st.integers(-(2**62), 2**62), min_size=1))
def test_ids_far_apart_are_encoded_in_blocks(ids: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blocks, "BLOCK", 2)
        codes, unique = encode(pd.Series(ids, dtype=np.int64))
    assert unique.tolist() == sorted(set(ids))
    assert unique[codes].tolist() == ids


def test_filter_modes_differ_if_dropping_users_makes_items_rare() -> None:
    rows: list[Row] = [(1, 10, 1, 0), (1, 11, 1, 1), (2, 10, 1, 0), (2, 11, 1, 1), (3, 12, 1, 0), (4, 12, 1, 0)]
    rows += [(5, 12, 1, 0), (5, 13, 1, 1), (6, 13, 1, 0), (6, 14, 1, 1), (7, 14, 1, 0)]
    rules = {"min_uc": 2, "min_sc": 2}
    once = run(rows, Rules(**rules, filter_mode="once"))
    core = run(rows, Rules(**rules, filter_mode="core"))
    assert once.num_interactions > core.num_interactions
    counts = np.bincount(core.items)[1:]
    assert counts.min() >= 2
    assert core.lengths.min() >= 2


def test_ticks_become_seconds_after_sorting() -> None:
    rows: list[Row] = [(1, 1, 1, 1999), (1, 2, 1, 1001), (1, 3, 1, -1)]
    data = run(rows, Rules(), ticks_per_second=1000)
    assert data.item_ids[data.items - 1].tolist() == [3, 2, 1]
    assert data.timestamps is not None
    assert data.timestamps.tolist() == [-1, 1, 1]
    later = run(rows, Rules(since=1), ticks_per_second=1000)
    assert later.item_ids[later.items - 1].tolist() == [2, 1]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)), min_size=1))
def test_time_order_over_the_whole_int64_range(pairs: list[tuple[int, int]]) -> None:
    users = np.array([user for user, _ in pairs], dtype=np.int32)
    ticks = np.array([tick for _, tick in pairs], dtype=np.int64)
    expected = sorted(range(len(pairs)), key=lambda row: pairs[row])
    assert time_order(users, np.zeros_like(users), ticks).tolist() == expected


@given(tables(), st.integers(0, 3))
def test_random_ties_keep_time_order_and_depend_on_the_seed(rows: list[Row], seed: int) -> None:
    rules = Rules(tie_order="random", tie_seed=seed)
    data = run(rows, rules)
    assert sorted(as_rows(data)) == sorted(rows)
    keys = [(row[0], row[3]) for row in as_rows(data)]
    assert keys == sorted(keys)
    assert as_rows(run(rows, rules)) == as_rows(data)


def test_random_ties_are_fair() -> None:
    rows: list[Row] = [(user, item, 1, 0) for user in range(500) for item in range(3)]
    last = run(rows, Rules(tie_order="random")).items[2::3]
    assert np.bincount(last)[1:].min() > 120  # 167 expected
    other = run(rows, Rules(tie_order="random", tie_seed=1)).items[2::3]
    assert 0.2 < np.mean(last == other) < 0.5


def test_subsample_has_the_requested_users_and_keeps_filters() -> None:
    random = np.random.default_rng(0)
    rows: list[Row] = [(u, int(i), 1, t) for u in range(300) for t, i in enumerate(random.integers(0, 20, 8))]
    small = run(rows, Rules(subsample_users=50))
    assert small.num_users == 50
    assert set(as_rows(small)) < set(rows)
    assert small.hash == run(rows, Rules(subsample_users=50)).hash
    other = run(rows, Rules(subsample_users=50, subsample_seed=1))
    assert set(other.user_ids.tolist()) != set(small.user_ids.tolist())
    assert run(rows, Rules(subsample_users=500)).num_users == 300
    strict = run(rows, Rules(subsample_users=50, max_items=10, min_uc=4, min_sc=8))
    assert strict.lengths.min() >= 4
    assert np.bincount(strict.items)[1:].min() >= 8
    assert 40 < strict.num_users <= 50


def test_without_timestamps_the_row_order_is_kept() -> None:
    frame = pd.DataFrame({"user": [2, 1, 2, 1], "item": [9, 8, 7, 6]})
    data = prepared(frame, Rules())
    assert data.timestamps is None
    assert data.ratings is None
    assert data.item_ids[data.items - 1].tolist() == [8, 6, 9, 7]


def test_sum_of_repeats_counts_rows_without_ratings() -> None:
    data = prepared(pd.DataFrame({"user": [1, 1, 1, 1], "item": [9, 8, 9, 9]}), Rules(repeats="sum"))
    assert data.item_ids[data.items - 1].tolist() == [8, 9]
    assert data.ratings is not None
    assert data.ratings.tolist() == [1, 3]


def test_rules_that_need_ratings_or_timestamps() -> None:
    frame = pd.DataFrame({"user": [1], "item": [1]})
    assert prepared(frame, Rules(min_rating=0)).num_interactions == 1
    with pytest.raises(UserError, match="no ratings"):
        prepared(frame, Rules(min_rating=3))
    for rules in (Rules(since=0), Rules(until=0), Rules(tie_order="item")):
        with pytest.raises(UserError, match="no timestamps"):
            prepared(frame, rules)


def test_text_ids_are_sorted_by_code_point() -> None:
    words = ["b", "a", "Z", "é", "😀", "￿", "a"]
    for column in (pd.Series(words), pd.Series(pd.Categorical(words))):
        codes, unique = encode(column)
        assert unique.tolist() == sorted(set(words))
        assert unique[codes].tolist() == words
