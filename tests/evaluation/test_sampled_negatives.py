"""Sampled negatives: which items they may contain, and that they follow successive sampling."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evaluation import TooFewItemsError, sample_negatives
from evaluation import negatives as module

NOTHING = np.zeros(0, dtype=np.int64)


def successive_probabilities(weights: Sequence[float], size: int) -> dict[tuple[int, ...], float]:
    """The probability of each ordered draw of `size` items without replacement, proportional to the weights."""
    draws: dict[tuple[int, ...], float] = {(): 1.0}
    for _ in range(size):
        longer: dict[tuple[int, ...], float] = {}
        for drawn, probability in draws.items():
            left = {item: w for item, w in enumerate(weights) if w > 0 and item not in drawn}
            for item, w in left.items():
                longer[(*drawn, item)] = probability * w / sum(left.values())
        draws = longer
    return draws


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(st.sampled_from([0.0, 1e-12, 0.5, 1.0, 1000.0]), min_size=1, max_size=15),
    excluded=st.lists(st.lists(st.integers(0, 15), max_size=12), min_size=1, max_size=6),
    seed=st.integers(0, 2**32),
)
def test_negatives_are_distinct_and_never_excluded_items(
    weights: list[float], excluded: list[list[int]], seed: int
) -> None:
    row = np.array([0.0, *weights])
    excluded = [[item for item in items if item < len(row)] for items in excluded]
    exclude = np.array([item for items in excluded for item in items], dtype=np.int64)
    offsets = np.cumsum([0] + [len(items) for items in excluded])
    allowed = [{item for item in np.flatnonzero(row) if item not in items} for items in excluded]
    most = min(len(items) for items in allowed)
    for size in range(most + 1):
        drawn = sample_negatives(row, exclude, offsets, size, np.random.default_rng(seed))
        assert drawn.shape == (len(excluded), size)
        assert drawn.dtype == np.int64
        for items, choice in zip(allowed, drawn.tolist(), strict=True):
            assert len(set(choice)) == size
            assert set(choice) <= items
    advised = f".* to {most} or less" if most else " .*: use the full ranking alone"
    with pytest.raises(TooFewItemsError, match=f"only {most} items can be drawn{advised}"):
        sample_negatives(row, exclude, offsets, most + 1, np.random.default_rng(seed))


def check_distribution(size: int, users: int = 40_000) -> None:
    weights = [0.0, 8.0, 4.0, 2.0, 0.0, 1.0, 30.0]  # item 6 is excluded for every user
    expected = successive_probabilities([*weights[:6], 0.0], size)
    exclude, offsets = np.full(users, 6), np.arange(users + 1)
    drawn = sample_negatives(np.array(weights), exclude, offsets, size, np.random.default_rng(7))
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) <= set(expected)
    test = stats.chisquare(
        [counts.get(draw, 0) for draw in expected], [users * probability for probability in expected.values()]
    )
    assert test.pvalue > 1e-4


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_negatives_follow_successive_sampling(size: int) -> None:
    check_distribution(size)


@pytest.mark.parametrize("rounds", [0, 1])
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_exponential_keys_follow_successive_sampling(size: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ROUNDS", rounds)
    monkeypatch.setattr(module, "_draws_per_round", lambda missing: 2)
    check_distribution(size)


def test_blocks_of_users_are_drawn_by_the_same_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DRAWS_AT_ONCE", 500)
    generator = np.random.default_rng(3)
    weights = np.concatenate([[0.0], generator.random(50)])
    lengths = generator.integers(0, 20, 300)
    exclude = generator.integers(1, 51, lengths.sum())
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    drawn = sample_negatives(weights, exclude, offsets, 10, np.random.default_rng(5))
    for user, row in enumerate(drawn):
        assert len(set(row)) == 10
        assert not set(row) & set(exclude[offsets[user] : offsets[user + 1]])
    assert len({tuple(row) for row in drawn.tolist()}) == len(drawn)


def test_the_same_generator_draws_the_same() -> None:
    weights = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    offsets = np.zeros(101, dtype=np.int64)
    first, second, other = (
        sample_negatives(weights, NOTHING, offsets, 2, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("weights", [[1.0, 1.0], [0.0, -1.0], [0.0, float("nan")], []])
def test_invalid_weights_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weight"):
        sample_negatives(np.array(weights), NOTHING, np.zeros(2, dtype=np.int64), 1, np.random.default_rng(0))


@pytest.mark.parametrize("size", [7, 2**40, 2**63 - 1])
def test_more_negatives_than_items_allocate_nothing(size: int) -> None:
    weights = np.array([0.0, 1.0, 2.0, 3.0])
    exclude = np.array([1, 2, 3])
    with pytest.raises(TooFewItemsError, match=f"{size} negatives were requested, but only 1 items can be drawn"):
        sample_negatives(weights, exclude, np.array([0, 1, 3]), size, np.random.default_rng(0))
