"""Ranking metrics per user, from ranks; and their means over users as one division of sums by counts."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

# A rank that no cut reaches, for the padding in a row of ranks.
_UNRANKED = torch.iinfo(torch.int64).max // 2


def per_user_metrics(ranks: Tensor, ks: Iterable[int]) -> dict[str, Tensor]:
    """Metrics of each user at each cut.

    Args:
        ranks: int64 [B, T], 1 = best, 0 = no target. Each user has at least one target.
        ks: the cuts, each at least 1.

    Returns:
        float64 [B] for each name. With n targets, of which h are within the first k (at ranks r):
        "Recall@k" = h / min(k, n); "HR@k" = 1 if h > 0; "Precision@k" = h / k;
        "NDCG@k" = sum 1 / log2(r + 1) over the h, divided by the same sum over the ranks 1 .. min(k, n);
        "MRR@k" = 1 / (best rank), 0 beyond k; "MRR" without a cut;
        "MAP@k" = sum (targets at ranks <= r) / r over the h, divided by min(k, n).

    Raises:
        ValueError: a user without targets, or a cut below 1.
    """
    cuts = sorted(set(ks))
    if cuts and cuts[0] < 1:
        raise ValueError(f"metrics need cuts of at least 1, not {cuts[0]}")
    is_target = ranks > 0
    num_targets = is_target.sum(dim=1)  # [B]
    if bool((num_targets == 0).any()):
        raise ValueError("a user without a target has no metrics")
    ordered = ranks.masked_fill(~is_target, _UNRANKED).sort(dim=1).values  # [B, T]
    found = torch.searchsorted(ordered, ordered, right=True)  # [B, T]: targets ranked at least as well
    places = ordered.to(torch.float64)
    gains = 1.0 / torch.log2(places + 1.0)
    precisions = found / places
    reciprocal = 1.0 / places[:, 0]  # [B]: of the best target
    ideal = (1.0 / torch.log2(torch.arange(2, ranks.shape[1] + 2, device=ranks.device, dtype=torch.float64))).cumsum(0)

    metrics: dict[str, Tensor] = {}
    for k in cuts:
        within = ordered <= k  # [B, T]
        hits = within.sum(dim=1).to(torch.float64)
        reachable = num_targets.clamp(max=k)
        metrics[f"Recall@{k}"] = hits / reachable
        metrics[f"HR@{k}"] = (hits > 0).to(torch.float64)
        metrics[f"Precision@{k}"] = hits / k
        metrics[f"NDCG@{k}"] = (gains * within).sum(dim=1) / ideal[reachable - 1]
        metrics[f"MRR@{k}"] = reciprocal * within[:, 0]
        metrics[f"MAP@{k}"] = (precisions * within).sum(dim=1) / reachable
    metrics["MRR"] = reciprocal
    return metrics


class MetricSums:
    """Means over users, gathered batch by batch: sums and counts stay on the device, one division ends it."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}  # float64 scalars
        self.counts: dict[str, int] = {}

    def add(self, values: Mapping[str, Tensor]) -> None:
        """Add the users of a batch: each value is [B], B may differ from batch to batch."""
        for name, value in values.items():
            total = value.to(torch.float64).sum()
            self.sums[name] = self.sums[name] + total if name in self.sums else total
            self.counts[name] = self.counts.get(name, 0) + value.numel()

    def result(self) -> dict[str, float]:
        """The mean over all users that were added, by name; raises ValueError if a name had no user."""
        empty = [name for name, count in self.counts.items() if count == 0]
        if empty:
            raise ValueError(f"no users to average over for {', '.join(empty)}")
        return {name: float(total) / self.counts[name] for name, total in self.sums.items()}
