"""Paired tests, Holm's correction and intervals against definitions, enumerations and known cases."""

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.significance import (
    TESTS,
    bootstrap,
    confidence_interval,
    confidence_intervals,
    holm,
    paired_t,
    wilcoxon,
)


def slow_holm(p_values: list[float]) -> list[float]:
    """Step down through the sorted p-values, one by one."""
    corrected = [0.0] * len(p_values)
    largest = 0.0
    for step, place in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        largest = max(largest, min(1.0, (len(p_values) - step) * p_values[place]))
        corrected[place] = largest
    return corrected


def test_holm_on_a_textbook_example() -> None:
    # 4 x .005, 3 x .01, 2 x .03, then .04 may not fall below the one before it.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_equals_the_loop_and_never_lowers_a_p_value(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert corrected == pytest.approx(slow_holm(p_values))
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))


def test_paired_t_on_a_hand_computed_case() -> None:
    # Differences 1, 2, 3: mean 2, deviation 1, t = 2 sqrt(3), and with 2 degrees of freedom p = 1 - t / sqrt(t^2 + 2).
    result = paired_t([2.0, 4.0, 6.0], [1.0, 2.0, 3.0])
    t = 2 * np.sqrt(3)
    assert result.difference == pytest.approx(2.0)
    assert result.p_value == pytest.approx(1 - t / np.sqrt(t * t + 2))


def test_wilcoxon_equals_enumerating_all_signs() -> None:
    differences = np.array([1.5, -0.5, 2.5, 3.5, -1.0, 4.5])
    ranks = np.abs(differences).argsort().argsort() + 1
    observed = ranks[differences > 0].sum()
    sums = [
        sum(r for r, sign in zip(ranks, signs, strict=True) if sign)
        for signs in itertools.product([False, True], repeat=6)
    ]
    lower, upper = np.mean([s <= observed for s in sums]), np.mean([s >= observed for s in sums])
    assert wilcoxon(differences, np.zeros(6)).p_value == pytest.approx(2 * min(lower, upper))


def test_bootstrap_agrees_with_the_t_test() -> None:
    generator = np.random.default_rng(0)
    first = generator.normal(0.05, 1.0, 600)
    for shift in (0.0, 0.05, 0.08):
        second = first - generator.normal(shift, 1.0, 600)
        assert bootstrap(first, second).p_value == pytest.approx(paired_t(first, second).p_value, abs=0.02)


@pytest.mark.parametrize("test", [paired_t, wilcoxon, functools.partial(bootstrap, samples=400)], ids=TESTS)
def test_false_positive_rate_and_power(test) -> None:  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(1)
    # Like NDCG@10: mostly 0, else one of ten values.
    values = np.concatenate([np.zeros(12), 1 / np.log2(np.arange(2, 12))])
    alarms, found = 0, 0
    for _ in range(200):
        first, second = generator.choice(values, (2, 300))
        alarms += test(first, second).p_value < 0.05
        found += test(np.clip(first + 0.15, 0, None), second).p_value < 0.05
    assert alarms <= 22  # 10 expected; more than 22 has a probability of .0002
    assert found >= 190


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_equal_runs_do_not_differ(test) -> None:  # type: ignore[no-untyped-def]
    values = np.random.default_rng(0).random(50)
    result = test(values, values)
    assert (result.difference, result.p_value) == (0.0, 1.0)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_unpaired_values_are_refused(test) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=r"equal length"):
        test([1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match="two users"):
        test([1.0], [2.0])
    with pytest.raises(ValueError, match="finite"):
        test([1.0, float("nan")], [2.0, 1.0])


def test_a_constant_difference_is_significant() -> None:
    assert paired_t([1.0, 2.0, 3.0], [0.5, 1.5, 2.5]).p_value == 0.0
    assert bootstrap([1.0, 2.0, 3.0], [0.5, 1.5, 2.5], samples=999).p_value == pytest.approx(1 / 1000)


def test_intervals_cover_the_true_mean_at_their_level() -> None:
    generator = np.random.default_rng(2)
    covered = 0
    for repeat in range(400):
        low, high = confidence_interval(generator.exponential(1.0, 100), level=0.9, samples=500, seed=repeat)
        covered += low <= 1.0 <= high
    # 360 expected of 400; the percentile interval of a skewed sample covers a little less.
    assert 330 <= covered <= 380


def test_the_interval_equals_one_by_one_resampling() -> None:
    generator = np.random.default_rng(3)
    values = generator.choice([0.0, 0.5, 1.0], 40)
    means = [generator.choice(values, len(values)).mean() for _ in range(20_000)]
    low, high = confidence_interval(values, samples=20_000)
    assert (low, high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.013)
    many, few = generator.random((2, 150)), generator.choice([0.0, 1.0], 150)
    alone = [confidence_interval(row) for row in (*many, few)]
    together = confidence_intervals([many[0], few, many[1]])
    assert np.allclose(together, [alone[0], alone[2], alone[1]], rtol=1e-12)
    means = [generator.choice(many[0], 150).mean() for _ in range(10_000)]
    assert alone[0] == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), abs=0.004)
    with pytest.raises(ValueError, match="at least one finite value"):
        confidence_interval([])
