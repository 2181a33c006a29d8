"""Whether two runs differ: paired tests over users, a correction for many tests, and intervals.

scipy.stats is imported where it is used: loading it takes a second, and every command imports this module.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
# Resamples are drawn in blocks of at most this many counts, to bound the memory.
COUNTS_AT_ONCE = 8_000_000


@dataclass(frozen=True)
class PairedTest:
    """The outcome of a two-sided paired test: mean of (first - second), and its p-value."""

    difference: float
    p_value: float


def _differences(first: ArrayLike, second: ArrayLike) -> Floats:
    """first - second, float64 [users]; raises ValueError where they are no pairs."""
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
    """Student's paired t-test; where all differences are one constant, p is 1 if it is 0, else 0."""
    differences = _differences(first, second)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return PairedTest(mean, 1.0 if mean == 0 else 0.0)
    from scipy import stats  # noqa: PLC0415

    return PairedTest(mean, float(stats.ttest_1samp(differences, 0.0).pvalue))


def wilcoxon(first: ArrayLike, second: ArrayLike) -> PairedTest:
    """Wilcoxon's signed-rank test (zero differences dropped, ties averaged); p is 1 where no pair differs.

    The difference that is returned is the mean, as with the other tests, though the test is one of ranks.
    """
    differences = _differences(first, second)
    mean = float(differences.mean())
    if not differences.any():
        return PairedTest(mean, 1.0)
    from scipy import stats  # noqa: PLC0415

    return PairedTest(mean, float(stats.wilcoxon(differences, zero_method="wilcox").pvalue))


def resampled_means(values: Floats, samples: int, generator: np.random.Generator) -> Floats:
    """Means of `samples` bootstrap resamples of `values` [n], float64 [samples].

    How often each distinct value falls into a resample is multinomial; ranking metrics have few distinct values.
    """
    distinct, counts = np.unique(values, return_counts=True)
    block = max(1, COUNTS_AT_ONCE // len(distinct))
    means = [
        generator.multinomial(len(values), counts / len(values), size=min(block, samples - start)) @ distinct
        for start in range(0, samples, block)
    ]
    return np.concatenate(means) / len(values)


def bootstrap(first: ArrayLike, second: ArrayLike, samples: int = 10_000, seed: int = 0) -> PairedTest:
    """Paired bootstrap test of the mean difference, resampling users under the hypothesis of no difference.

    p = (1 + resamples of the centred differences whose mean is at least as far from 0) / (1 + samples).
    """
    differences = _differences(first, second)
    mean = float(differences.mean())
    if not differences.any():
        return PairedTest(mean, 1.0)
    means = resampled_means(differences - mean, samples, np.random.default_rng(seed))
    # Rounding must not part a resample's mean from an equal observed one.
    extreme = int((np.abs(means) >= abs(mean) * (1 - 1e-12)).sum())
    return PairedTest(mean, (1 + extreme) / (1 + samples))


TESTS: dict[str, Callable[[ArrayLike, ArrayLike], PairedTest]] = {
    "paired_t": paired_t,
    "wilcoxon": wilcoxon,
    "bootstrap": bootstrap,
}


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for their number by Holm's step-down method, in the order given.

    With m values sorted ascending, the i-th (from 0) becomes max over j <= i of min(1, (m - j) * p_j).
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
    """Bootstrap percentile interval of the mean of per-user `values` [n], n >= 1: (low, high)."""
    row = np.asarray(values, dtype=np.float64)
    if row.ndim != 1 or len(row) == 0 or not np.isfinite(row).all():
        raise ValueError("an interval needs one row of at least one finite value")
    means = resampled_means(row, samples, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
