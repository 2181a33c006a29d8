"""Sums over all pairs of items that are a given number of positions apart in a history."""

from __future__ import annotations

import torch
from torch import Tensor


class LaggedPairs:
    """The pairs of a set of histories.

    Attributes
    ----------
    items : int64 [nnz], histories one after another
    place : int64 [nnz], the position of each item in its history, from 0
    left : int64 [nnz], how many items follow it in its history
    """

    def __init__(self, items: Tensor, offsets: Tensor) -> None:
        self.items = items
        lengths = offsets.diff()
        self.place = torch.arange(len(items), device=items.device) - torch.repeat_interleave(offsets[:-1], lengths)
        self.left = torch.repeat_interleave(lengths, lengths) - 1 - self.place

    @property
    def longest(self) -> int:
        """The largest lag that occurs."""
        return int(self.left.max()) if len(self.left) else 0

    def first(self, lag: int) -> Tensor:
        """The positions p, int64 [n], for which p + lag is in the same history."""
        return (self.left >= lag).nonzero().squeeze(1)

    def add(self, sums: Tensor, lag: int, first: Tensor, weights: Tensor) -> None:
        """Add `weights` [n] of the pairs (p, p + lag) for p in `first` to sums[earlier item, later item]."""
        cells = self.items[first] * sums.shape[1] + self.items[first + lag]
        sums.view(-1).index_add_(0, cells, weights.to(sums.dtype))
