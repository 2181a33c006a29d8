"""Comparison over several datasets: the Friedman test, then the critical difference of Nemenyi (Demsar 2006)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_LABELS = 3
MIN_DATASETS = 5  # with fewer, hardly any difference can be significant


@dataclass(frozen=True)
class Ranking:
    """Labels ranked over datasets.

    Attributes
    ----------
    mean_ranks : the mean rank of each label (1 = best)
    p_value : of the Friedman test
    critical_difference : of the Nemenyi test, q_alpha sqrt(k (k + 1) / (6 N)) for k labels and N datasets
    cliques : maximal groups of labels (as indices, by rank) of which no two differ significantly
    """

    mean_ranks: tuple[float, ...]
    p_value: float
    critical_difference: float
    cliques: tuple[tuple[int, ...], ...]


def rank_over_datasets(values: NDArray[np.float64], alpha: float) -> Ranking:
    """Rank labels by values [datasets, labels], where higher is better; ties get the mean of their ranks.

    If the Friedman test is not significant at `alpha`, all labels form one clique. Raises ValueError for fewer than
    three labels or five datasets.
    """
    from scipy import stats  # noqa: PLC0415  (slow to import, and only reports over several datasets need it)

    datasets, labels = values.shape
    if labels < MIN_LABELS or datasets < MIN_DATASETS:
        raise ValueError(
            f"ranks need at least {MIN_LABELS} labels and {MIN_DATASETS} datasets, not {labels} and {datasets}"
        )
    means = stats.rankdata(-values, axis=1).mean(axis=0)  # [k]
    all_tied = np.ptp(values, axis=1).max() == 0
    p_value = 1.0 if all_tied else float(stats.friedmanchisquare(*values.T).pvalue)
    q_alpha = float(stats.studentized_range.ppf(1 - alpha, labels, np.inf)) / math.sqrt(2)
    difference = q_alpha * math.sqrt(labels * (labels + 1) / (6 * datasets))
    reach = difference if p_value < alpha else math.inf
    return Ranking(tuple(means.tolist()), p_value, difference, _cliques(means, reach))


def _cliques(means: NDArray[np.float64], reach: float) -> tuple[tuple[int, ...], ...]:
    """Return the maximal groups of two or more labels whose mean ranks differ by less than `reach`."""
    order = np.argsort(means, kind="stable")
    cliques: list[tuple[int, ...]] = []
    end = 0
    for start in range(len(order)):
        last = max(place for place in range(start, len(order)) if means[order[place]] - means[order[start]] < reach)
        if last > start and last > end:
            cliques.append(tuple(order[start : last + 1].tolist()))
            end = last
    return tuple(cliques)
