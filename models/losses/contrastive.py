"""A contrastive loss: two views of one thing are closer to each other than to other things."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def contrastive_loss(first: Tensor, second: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """InfoNCE of M pairs of views, both [M, H]: the mean of -log softmax of the other view among all 2 M - 1 others.

    Similarity is the dot product / temperature. Others with the same label (int64 [M]) are left out: they aren't known
    to be different. 0 if there are no pairs.
    """
    count = first.shape[0]
    if not count:
        return first.sum()
    views, labels = torch.cat([first, second]), torch.cat([labels, labels])
    other = torch.arange(2 * count, device=first.device).roll(count)  # of each view, the other view
    left_out = labels[:, None] == labels
    left_out[torch.arange(2 * count, device=first.device), other] = False
    return F.cross_entropy((views @ views.T / temperature).masked_fill(left_out, -torch.inf), other)


def random_partners(labels: Tensor, generator: torch.Generator) -> Tensor:
    """For each of N things a random other one with the same label int64 [N], or itself if there is none: int64 [N]."""
    shuffled = torch.randperm(len(labels), generator=generator, device=labels.device)
    order = shuffled[labels[shuffled].argsort(stable=True)]  # by label, in random order within
    ordered = labels[order]
    starts = torch.searchsorted(ordered, ordered)  # where the group of the same label begins
    following = torch.arange(1, len(labels) + 1, device=labels.device)
    ends = torch.searchsorted(ordered, ordered, right=True)
    partners = torch.empty_like(order)
    partners[order] = order[torch.where(following < ends, following, starts)]  # the last one's partner is the first
    return partners
