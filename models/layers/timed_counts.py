"""Counts of training interactions up to given times: popularity that depends on when a recommendation is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Counts:
    """What was consumed between given times.

    Attributes
    ----------
    bounds : int64 [R], ascending and distinct, seconds
    values : [R, columns], row r about the interactions with bounds[r - 1] <= time < bounds[r]; row 0 has all before
        bounds[0]
    """

    bounds: Tensor
    values: Tensor

    def rows(self, times: Tensor) -> Tensor:
        """The row of each of these bounds: int64, the shape of `times`."""
        return torch.searchsorted(self.bounds, times)


def count_between(
    items: Tensor, times: Tensor, bounds: Tensor, columns: int, decay_seconds: float | None = None
) -> Counts:
    """Count the interactions before each bound and from the bound before it on.

    Parameters
    ----------
    items, times : int64 [N], of all interactions, by ascending time
    bounds : int64, of any shape and order
    columns : the number of items, PAD included
    decay_seconds : count an interaction as exp(-(bound - time) / decay_seconds), in float64; None = as 1, in int64
    """
    bounds = torch.unique(bounds)
    ends = torch.searchsorted(times, bounds)  # interactions before each bound
    used = int(ends[-1])
    row = torch.repeat_interleave(F.pad(ends, (1, 0)).diff(), output_size=used)  # of each interaction
    weights = None
    if decay_seconds is not None:
        weights = torch.exp((times[:used] - bounds[row]).double() / decay_seconds)
    flat = torch.bincount(row * columns + items[:used], weights, minlength=len(bounds) * columns)
    return Counts(bounds, flat.view(len(bounds), columns))
