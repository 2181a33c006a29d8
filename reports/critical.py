"""Which labels differ over several datasets: Friedman's test, then Nemenyi's critical difference (Demsar 2006)."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LEAST_LABELS = 3
LEAST_DATASETS = 2


@dataclass(frozen=True)
class Ranking:
    """Mean ranks over datasets (1 = best), by place of the label.

    p_value is Friedman's; critical_difference Nemenyi's: CD = q_alpha sqrt(k (k + 1) / (6 N)); cliques are the widest
    groups of labels, in order of rank, within which no two differ.
    """

    mean_ranks: tuple[float, ...]
    p_value: float
    critical_difference: float
    cliques: tuple[tuple[int, ...], ...]


def rank_over_datasets(values: NDArray[np.float64], alpha: float) -> Ranking:
    """Rank labels by values [datasets N, labels k], where more is better; ties share the mean of their ranks.

    Where Friedman's test finds no difference at all, all labels are one clique. Raises ValueError for fewer than three
    labels or two datasets.
    """
    from scipy import stats  # noqa: PLC0415  (slow to import, and only reports over several datasets need it)

    datasets, labels = values.shape
    if labels < LEAST_LABELS or datasets < LEAST_DATASETS:
        raise ValueError(f"ranks need {LEAST_LABELS} labels on {LEAST_DATASETS} datasets, not {labels} on {datasets}")
    means = stats.rankdata(-values, axis=1).mean(axis=0)  # [k]
    all_tied = np.ptp(values, axis=1).max() == 0
    p_value = 1.0 if all_tied else float(stats.friedmanchisquare(*values.T).pvalue)
    q_alpha = float(stats.studentized_range.ppf(1 - alpha, labels, np.inf)) / math.sqrt(2)
    difference = q_alpha * math.sqrt(labels * (labels + 1) / (6 * datasets))
    reach = difference if p_value < alpha else math.inf
    return Ranking(tuple(means.tolist()), p_value, difference, _cliques(means, reach))


def _cliques(means: NDArray[np.float64], reach: float) -> tuple[tuple[int, ...], ...]:
    """The widest groups of at least two neighbours in rank whose ranks differ by less than `reach`."""
    order = np.argsort(means, kind="stable")
    cliques: list[tuple[int, ...]] = []
    end = 0
    for start in range(len(order)):
        last = max(place for place in range(start, len(order)) if means[order[place]] - means[order[start]] < reach)
        if last > start and last > end:
            cliques.append(tuple(order[start : last + 1].tolist()))
            end = last
    return tuple(cliques)
