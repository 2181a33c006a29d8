"""What accuracy doesn't say about top-k lists: how much of the catalogue they use and how much they follow the crowd.

All take `lists`, int64 [U, K] of items 1..V (0 = PAD where a list is shorter), and `counts` [V + 1], the number of
training interactions of each item (counts[0] is ignored).
"""

import torch
from torch import Tensor

PAD = 0


def top_items(scores: Tensor, k: int, seen: Tensor | None = None) -> Tensor:
    """The k best items of each user, best first: int64 [B, k], PAD where fewer than k candidates are left.

    Of equal scores the item with the lower number comes first.

    scores: float [B, V + 1], finite, column 0 ignored; seen: int64 [B, S] items to leave out, 0 = PAD, or None.
    """
    masked = scores.clone()
    masked[:, PAD] = float("-inf")
    if seen is not None:
        masked.scatter_(1, seen, float("-inf"))
    k_there = min(k, masked.shape[1])
    lowest = masked.topk(k_there, dim=1).values[:, -1:]  # topk takes any of several that tie for the last place
    better = (masked > lowest).sum(1, keepdim=True)
    tied = masked == lowest
    masked.masked_fill_(tied & (tied.cumsum(1) > k_there - better), float("-inf"))
    best = masked.topk(k_there, dim=1)
    order = best.indices.argsort(dim=1)
    order = order.gather(1, best.values.gather(1, order).argsort(dim=1, descending=True, stable=True))
    items = best.indices.gather(1, order).masked_fill(best.values.gather(1, order) == float("-inf"), PAD)
    return torch.nn.functional.pad(items, (0, k - items.shape[1]), value=PAD)


def _listed(lists: Tensor) -> Tensor:
    """The items of all lists in one row, without PAD; raises ValueError if there is none."""
    items = lists[lists != PAD]
    if items.numel() == 0:
        raise ValueError("top-k lists without any item have no coverage, novelty or popularity")
    return items


def catalogue_coverage(lists: Tensor, num_items: int) -> float:
    """The share of the V items that stand in at least one list, 0..1."""
    return int((torch.bincount(_listed(lists)) > 0).sum()) / num_items


def novelty(lists: Tensor, counts: Tensor) -> float:
    """Mean self-information of the listed items in bits: -log2(count / all training interactions).

    An item without training interactions counts as one with a single interaction.
    """
    counts = counts.to(torch.float64).clone()
    counts[PAD] = 0
    information = torch.log2(counts.sum()) - torch.log2(counts.clamp(min=1))  # [V + 1]
    return float(information[_listed(lists)].mean())


def average_popularity_lift(lists: Tensor, counts: Tensor) -> float:
    """Popularity bias: mean training count of the listed items over that of the catalogue's items.

    1 = as popular as items drawn uniformly; V x the largest share of interactions is the most that a list can have.
    """
    counts = counts.to(torch.float64)
    return float(counts[_listed(lists)].mean() / counts[1:].mean())
