"""Significance: paired tests over users, correction for multiple tests, confidence intervals.

scipy.stats is imported inside the functions: it takes a second to load, and every command imports this module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
COUNTS_AT_ONCE = 8_000_000  # counts of a resample in memory at once
FEW_DISTINCT = 100  # up to this many distinct values, drawing their counts is faster than drawing users


@dataclass(frozen=True)
class PairedTest:
    """The result of a two-sided paired test.

    Attributes
    ----------
    difference : the mean of first - second
    p_value : the test's p-value
    """

    difference: float
    p_value: float


def _differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """first - second, float64 [users]. Raises ValueError if they can't be paired or aren't finite."""
    a, b = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise ValueError(f"paired tests need two rows of equal length, not shapes {a.shape} and {b.shape}")
    if len(a) < 2:
        raise ValueError(f"paired tests need at least two users, not {len(a)}")
    differences = a - b
    if not np.isfinite(differences).all():
        raise ValueError("paired tests need finite values")
    return differences


def paired_t(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Student's paired t-test. If all differences are the same, p is 1 if that is 0, else 0."""
    differences = _differences(first, second)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return PairedTest(mean, 1.0 if mean == 0 else 0.0)
    from scipy import stats  # noqa: PLC0415

    return PairedTest(mean, float(stats.ttest_1samp(differences, 0.0).pvalue))


def wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Wilcoxon's signed-rank test, with zero differences dropped and ties averaged. If all are zero, p is 1.

    Although the test compares ranks, the difference is the mean, as in the other tests.
    """
    differences = _differences(first, second)
    mean = float(differences.mean())
    if not differences.any():
        return PairedTest(mean, 1.0)
    from scipy import stats  # noqa: PLC0415

    return PairedTest(mean, float(stats.wilcoxon(differences, zero_method="wilcox").pvalue))


def resampled_means(values: Floats, samples: int, generator: np.random.Generator) -> Floats:
    """Means of bootstrap resamples.

    The counts of distinct values in a resample are multinomial. Drawing these is fast, because ranking metrics have few
    distinct values.

    Parameters
    ----------
    values : float64 [n]
    samples : number of resamples

    Returns
    -------
    NDArray[np.float64]
        [samples]
    """
    distinct, counts = np.unique(values, return_counts=True)
    block = max(1, COUNTS_AT_ONCE // len(distinct))
    means = [
        generator.multinomial(len(values), counts / len(values), size=min(block, samples - start)) @ distinct
        for start in range(0, samples, block)
    ]
    return np.concatenate(means) / len(values)


def bootstrap(first: ArrayLike, second: ArrayLike, samples: int = 10_000, seed: int = 0) -> PairedTest:
    """Paired bootstrap test of the mean difference: users are resampled under the null hypothesis of no difference.

    p = (1 + number of resamples of the centred differences whose mean is at least as far from 0 as the observed
    difference) / (1 + samples).
    """
    differences = _differences(first, second)
    mean = float(differences.mean())
    if not differences.any():
        return PairedTest(mean, 1.0)
    means = resampled_means(differences - mean, samples, np.random.default_rng(seed))
    # The tolerance is for means that are equal up to rounding.
    extreme = int((np.abs(means) >= abs(mean) * (1 - 1e-12)).sum())
    return PairedTest(mean, (1 + extreme) / (1 + samples))


TESTS: dict[str, Callable[[ArrayLike, ArrayLike], PairedTest]] = {
    "paired_t": paired_t,
    "wilcoxon": wilcoxon,
    "bootstrap": bootstrap,
}


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for multiple tests by Holm's step-down method, in the given order.

    Of m values sorted ascending, the i-th (from 0) becomes the maximum over j <= i of min(1, (m - j) * p_j).
    """
    values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    factors = np.arange(len(values), 0, -1)
    corrected = np.empty_like(values)
    corrected[order] = np.maximum.accumulate(np.minimum(values[order] * factors, 1.0))
    return [float(value) for value in corrected]


def confidence_interval(
    values: ArrayLike, level: float = 0.95, samples: int = 10_000, seed: int = 0
) -> tuple[float, float]:
    """Bootstrap percentile interval of the mean; `confidence_intervals` for one row."""
    return confidence_intervals([values], level, samples, seed)[0]


def confidence_intervals(
    rows: Sequence[ArrayLike], level: float = 0.95, samples: int = 10_000, seed: int = 0
) -> list[tuple[float, float]]:
    """Bootstrap percentile intervals of means over users.

    Rows of one length with many distinct values share their resamples, which costs little more than one row.

    Parameters
    ----------
    rows : each [n] per-user values, n >= 1; n may differ between rows
    level : the intervals' coverage
    samples : number of resamples

    Returns
    -------
    list[tuple[float, float]]
        (low, high) for each row
    """
    arrays = [np.asarray(row, dtype=np.float64) for row in rows]
    if any(row.ndim != 1 or len(row) == 0 or not np.isfinite(row).all() for row in arrays):
        raise ValueError("an interval needs one row of at least one finite value")
    means: list[Floats] = [np.empty(0)] * len(arrays)
    together: dict[int, list[int]] = {}
    for place, row in enumerate(arrays):
        if len(np.unique(row)) > FEW_DISTINCT:
            together.setdefault(len(row), []).append(place)
        else:
            means[place] = resampled_means(row, samples, np.random.default_rng(seed))
    for places in together.values():
        matrix = np.stack([arrays[place] for place in places], axis=1)  # [n, rows]
        for place, column in zip(places, _means_of_users(matrix, samples, np.random.default_rng(seed)).T, strict=True):
            means[place] = column
    bounds = [(1 - level) / 2, (1 + level) / 2]
    found = [np.quantile(row, bounds) for row in means]
    return [(float(low), float(high)) for low, high in found]


def _means_of_users(values: Floats, samples: int, generator: np.random.Generator) -> Floats:
    """Means of all columns over resampled users: values [n, columns] -> [samples, columns]."""
    users = len(values)
    block = max(1, COUNTS_AT_ONCE // users)
    means = []
    for start in range(0, samples, block):
        size = min(block, samples - start)
        drawn = generator.integers(users, size=(size, users), dtype=np.int32)
        drawn += users * np.arange(size, dtype=np.int32)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=size * users).reshape(size, users)
        means.append(counts.astype(np.float64) @ values / users)
    return np.concatenate(means)
