"""The metrics, `METRICS`, and their means over users.

To add a metric, write a function and give it a line in `METRICS`. A ranking metric is a function of `TopK`; a rating
metric is a function of the errors of predicted ratings.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evaluation.rating_errors import Floats, mae, rmse

# The rank of padding, and of a target that counts as not found: greater than any k.
UNRANKED = torch.iinfo(torch.int64).max // 2


@dataclass(frozen=True)
class TopK:
    """The targets of a batch of users that are ranked among the first k.

    Attributes
    ----------
    k : the cutoff; None = no cutoff
    ranks : float64 [B, T], each user's targets, best first; huge where a user has fewer than T
    is_hit : bool [B, T], whether the rank is at most k
    num_hits : float64 [B]
    reachable : int64 [B], min(k, number of targets)
    gains : float64 [B, T], 1 / log2(rank + 1)
    ideal_gains : float64 [T], the sum of the gains of the ranks 1 .. t
    precisions : float64 [B, T], the precision of the list that ends with the target
    """

    k: int | None
    ranks: Tensor
    is_hit: Tensor
    num_hits: Tensor
    reachable: Tensor
    gains: Tensor
    ideal_gains: Tensor
    precisions: Tensor


def recall(top: TopK) -> Tensor:
    """Hits over the most hits possible: h / min(k, n)."""
    return top.num_hits / top.reachable


def hit_rate(top: TopK) -> Tensor:
    """1 if any target is a hit, else 0."""
    return (top.num_hits > 0).to(torch.float64)


def precision(top: TopK) -> Tensor:
    """Hits over list length: h / k."""
    if top.k is None:
        raise ValueError("precision needs a cutoff")
    return top.num_hits / top.k


def ndcg(top: TopK) -> Tensor:
    """Normalized discounted cumulative gain.

    The sum of 1 / log2(r + 1) over the hits, divided by the same sum over the ranks 1 .. min(k, n).
    """
    return (top.gains * top.is_hit).sum(dim=1) / top.ideal_gains[top.reachable - 1]


def reciprocal_rank(top: TopK) -> Tensor:
    """1 / rank of the best target, 0 if that is no hit."""
    return 1.0 / top.ranks[:, 0] * top.is_hit[:, 0]


def average_precision(top: TopK) -> Tensor:
    """The sum over the hits of (targets at ranks <= r) / r, divided by min(k, n)."""
    return (top.precisions * top.is_hit).sum(dim=1) / top.reachable


@dataclass(frozen=True)
class RankingMetric:
    """A metric of where the targets are ranked.

    Attributes
    ----------
    function : float64 [B], one value per user
    higher_is_better : the direction in which a model improves
    also_without_cutoff : whether the metric is reported over the whole ranking too, under its bare name
    """

    function: Callable[[TopK], Tensor]
    higher_is_better: bool = True
    also_without_cutoff: bool = False


@dataclass(frozen=True)
class RatingMetric:
    """A metric of predicted ratings.

    Attributes
    ----------
    function : takes predicted - actual, float64 [n], and a function that averages such an array over all ratings (to
        float64 []) or over each user's (to float64 [users])
    higher_is_better : the direction in which a model improves
    """

    function: Callable[[Floats, Callable[[Floats], Floats]], Floats]
    higher_is_better: bool = False


METRICS: dict[str, RankingMetric | RatingMetric] = {
    "Recall": RankingMetric(recall),
    "HR": RankingMetric(hit_rate),
    "Precision": RankingMetric(precision),
    "NDCG": RankingMetric(ndcg),
    "MRR": RankingMetric(reciprocal_rank, also_without_cutoff=True),
    "MAP": RankingMetric(average_precision),
    "RMSE": RatingMetric(rmse),
    "MAE": RatingMetric(mae),
}
RANKING_METRICS = {name: metric for name, metric in METRICS.items() if isinstance(metric, RankingMetric)}
RATING_METRICS = {name: metric for name, metric in METRICS.items() if isinstance(metric, RatingMetric)}
CUT_METRICS = tuple(RANKING_METRICS)
UNCUT_METRICS = tuple(name for name, metric in RANKING_METRICS.items() if metric.also_without_cutoff)


def higher_is_better(name: str) -> bool:
    """The direction of a metric, with or without a cutoff in its name ("NDCG@10", "RMSE")."""
    return METRICS[name.partition("@")[0]].higher_is_better


def per_user_metrics(ranks: Tensor, ks: Iterable[int]) -> dict[str, Tensor]:
    """The ranking metrics of each user at each cutoff.

    Parameters
    ----------
    ranks : int64 [B, T], 1 = best, UNRANKED = not found, 0 = no target; each user has at least one target
    ks : the cutoffs, each at least 1

    Returns
    -------
    float64 [B] for each name: "Recall@5", ..., and the bare name for a metric without a cutoff.

    Raises
    ------
    ValueError
        A user has no target, or a cutoff is below 1.
    """
    cuts = sorted(set(ks))
    if cuts and cuts[0] < 1:
        raise ValueError(f"metrics need cutoffs of at least 1, not {cuts[0]}")
    is_target = ranks > 0
    num_targets = is_target.sum(dim=1)  # [B]
    if bool((num_targets == 0).any()):
        raise ValueError("a user without a target has no metrics")
    ordered = ranks.masked_fill(~is_target, UNRANKED).sort(dim=1).values  # [B, T]
    found = torch.searchsorted(ordered, ordered, right=True)  # [B, T]: targets ranked at least as high
    places = ordered.to(torch.float64)
    ideal = (1.0 / torch.log2(torch.arange(2, ranks.shape[1] + 2, device=ranks.device, dtype=torch.float64))).cumsum(0)
    gains = 1.0 / torch.log2(places + 1.0)
    precisions = found / places

    def top(k: int | None) -> TopK:
        is_hit = ordered <= (UNRANKED - 1 if k is None else k)
        reachable = num_targets if k is None else num_targets.clamp(max=k)
        num_hits = is_hit.sum(dim=1).to(torch.float64)
        return TopK(k, places, is_hit, num_hits, reachable, gains, ideal, precisions)

    metrics: dict[str, Tensor] = {}
    for k in cuts:
        top_k = top(k)
        metrics |= {f"{name}@{k}": metric.function(top_k) for name, metric in RANKING_METRICS.items()}
    whole = top(None)
    metrics |= {name: RANKING_METRICS[name].function(whole) for name in UNCUT_METRICS}
    return metrics


def rating_metrics(predicted: Floats, actual: Floats) -> dict[str, float]:
    """The rating metrics over all ratings; both arrays are [n]."""
    return {name: float(metric.function(predicted - actual, np.mean)) for name, metric in RATING_METRICS.items()}


def rating_metrics_by_user(
    predicted: Floats, actual: Floats, user: NDArray[np.int64], num_users: int
) -> dict[str, Floats]:
    """The rating metrics of each user's own ratings: float64 [num_users].

    Parameters
    ----------
    predicted, actual : float64 [n]
    user : int64 [n], 0 .. num_users - 1; each user has at least one rating
    num_users : the number of users
    """
    counts = np.bincount(user, minlength=num_users)

    def mean_by_user(values: Floats) -> Floats:
        means: Floats = np.bincount(user, values, num_users) / counts
        return means

    return {name: metric.function(predicted - actual, mean_by_user) for name, metric in RATING_METRICS.items()}


class MetricSums:
    """Means over users, accumulated batch by batch as sums and counts on the device."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}  # float64 scalars
        self.squares: dict[str, Tensor] = {}  # of the squared values
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the users of a batch: each value is [B]; B may differ between batches."""
        for name, value in values.items():
            total = value.to(torch.float64).sum()
            self.sums[name] = self.sums[name] + total if name in self.sums else total
            squares = value.to(torch.float64).square().sum()
            self.squares[name] = self.squares[name] + squares if name in self.squares else squares
            self.counts[name] = self.counts.get(name, 0) + value.numel()

    def result(self) -> dict[str, float]:
        """The mean of each metric over all users added. Raises ValueError if a metric has no users."""
        empty = [name for name, count in self.counts.items() if count == 0]
        if empty:
            raise ValueError(f"no users to average over for {', '.join(empty)}")
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}

    def standard_errors(self) -> dict[str, float]:
        """The standard error of each mean: the values' deviation over the square root of their number."""
        errors = {}
        for name, squares in self.squares.items():
            count = self.counts[name]
            variance = float(squares) / count - (float(self.sums[name]) / count) ** 2
            errors[name] = math.sqrt(max(0.0, variance) / count)
        return errors
