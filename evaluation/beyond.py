"""Beyond-accuracy metrics of top-k lists: catalogue coverage, novelty and popularity bias.

`lists` are int64 [U, K], items 1..V, with PAD (0) at the end of shorter lists. `counts` are [V + 1], the number of
training interactions of each item; counts[0] is ignored. A metric raises ValueError if all lists are empty.
"""

import torch
from torch import Tensor

PAD = 0


def top_items(scores: Tensor, k: int, seen: Tensor | None = None) -> Tensor:
    """The k items with the highest scores, best first. Of equal scores, the item with the lower number comes first.

    Parameters
    ----------
    scores : float [B, V + 1], finite; column 0 belongs to PAD and is ignored
    seen : int64 [B, S], items to leave out, 0 = PAD; None = none

    Returns
    -------
    Tensor
        int64 [B, k], with PAD at the end of a row if fewer than k items are left.
    """
    masked = scores.clone()
    masked[:, PAD] = float("-inf")
    if seen is not None:
        masked.scatter_(1, seen, float("-inf"))
    k_there = min(k, masked.shape[1])
    lowest = masked.topk(k_there, dim=1).values[:, -1:]  # topk takes any of the items that tie for the last place
    better = (masked > lowest).sum(1, keepdim=True)
    tied = masked == lowest
    masked.masked_fill_(tied & (tied.cumsum(1) > k_there - better), float("-inf"))
    best = masked.topk(k_there, dim=1)
    order = best.indices.argsort(dim=1)
    order = order.gather(1, best.values.gather(1, order).argsort(dim=1, descending=True, stable=True))
    items = best.indices.gather(1, order).masked_fill(best.values.gather(1, order) == float("-inf"), PAD)
    return torch.nn.functional.pad(items, (0, k - items.shape[1]), value=PAD)


def _listed(lists: Tensor) -> Tensor:
    """The items of all lists in one row, without PAD. Raises ValueError if there is none."""
    items = lists[lists != PAD]
    if items.numel() == 0:
        raise ValueError("coverage, novelty and popularity are not defined: all top-k lists are empty")
    return items


def catalogue_coverage(lists: Tensor, num_items: int) -> float:
    """The share of the catalogue's V items that are in at least one list, 0..1."""
    return int((torch.bincount(_listed(lists)) > 0).sum()) / num_items


def novelty(lists: Tensor, counts: Tensor) -> float:
    """Mean self-information of the listed items, in bits: -log2(count / number of training interactions).

    The count of an item without training interactions is taken as 1.
    """
    counts = counts.to(torch.float64).clone()
    counts[PAD] = 0
    information = torch.log2(counts.sum()) - torch.log2(counts.clamp(min=1))  # [V + 1]
    return float(information[_listed(lists)].mean())


def average_popularity_lift(lists: Tensor, counts: Tensor) -> float:
    """Popularity bias: the mean training count of the listed items divided by the mean count of all items.

    1 = as popular as items that are drawn uniformly. The maximum is V times the most popular item's share of the
    interactions.
    """
    counts = counts.to(torch.float64)
    return float(counts[_listed(lists)].mean() / counts[1:].mean())
