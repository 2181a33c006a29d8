"""Beyond-accuracy metrics of top-k lists: catalogue coverage, novelty and popularity bias.

`lists` are int64 [U, K], items 1..V, with PAD (0) at the end of shorter lists. `counts` are [V + 1], the number of
training interactions of each item; counts[0] is ignored. A metric raises ValueError if all lists are empty.
"""

import torch
from torch import Tensor

from evaluation.ranking import count_at_least

PAD = 0
BLOCK = 256  # columns of a block, in long rows


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
    values, indices, crowded = _topk(masked, k_there)
    if bool(crowded.any()):
        values[crowded], indices[crowded] = _first_of_ties(masked[crowded], values[crowded, -1:], k_there)
    order = indices.argsort(dim=1)
    order = order.gather(1, values.gather(1, order).argsort(dim=1, descending=True, stable=True))
    items = indices.gather(1, order).masked_fill(values.gather(1, order) == float("-inf"), PAD)
    return torch.nn.functional.pad(items, (0, k - items.shape[1]), value=PAD)


def _topk(scores: Tensor, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """`scores.topk(k)` of [B, N], in any order of ties, and whether more than k scores equal the last one or beat it.

    In long rows, only the k blocks of columns with the highest maxima are searched: the best scores are there.
    """
    count, searched = scores.shape[1] // BLOCK, scores
    columns = highest = None
    if count >= 4 * k:
        highest = scores[:, : count * BLOCK].view(-1, count, BLOCK).amax(2)  # [B, count]
        chosen = highest.topk(k, dim=1).indices  # [B, k]
        columns = (chosen[:, :, None] * BLOCK + torch.arange(BLOCK, device=scores.device)).flatten(1)
        rest = torch.arange(count * BLOCK, scores.shape[1], device=scores.device).expand(len(scores), -1)
        columns = torch.cat([columns, rest], 1)
        searched = scores.gather(1, columns)
    values, indices = searched.topk(k, dim=1)
    lowest = values[:, -1:]
    crowded = count_at_least(searched, lowest)[:, 0] > k
    if columns is not None and highest is not None:
        crowded |= count_at_least(highest, lowest)[:, 0] > k
        indices = columns.gather(1, indices)
    return values, indices, crowded & (lowest[:, 0] > float("-inf"))


def _first_of_ties(scores: Tensor, lowest: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest scores [n, k] and their columns; of equal ones at `lowest` [n, 1], those in the first columns."""
    tied = scores == lowest
    free = k - (scores > lowest).sum(1, keepdim=True)
    best = scores.masked_fill(tied & (tied.cumsum(1) > free), float("-inf")).topk(k, dim=1)
    return best.values, best.indices


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
