"""Bias: a rating is the mean plus a user bias and an item bias. The baseline of rating prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from pydantic import Field
from torch import Tensor

from common.schema import Options
from models.base import Dimensions, FittedModel, pick

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class BiasOptions(Options):
    """Options of model `bias`."""

    l2: float = Field(
        5.0, ge=0, description="shrinks the biases to 0, as this many additional ratings without bias would"
    )
    iterations: int = Field(10, ge=1, description="alternations between items and users")


class Bias(FittedModel):
    """rating(u, i) = m + b_u + b_i, fitted by min sum (r - m - b_u - b_i)^2 + lambda (|b_u|^2 + |b_i|^2), alternately.

    A user is folded in by the same step: b_u = sum over its ratings of (r - m - b_i) / (their number + lambda).
    """

    code = "bias"
    Options = BiasOptions
    dataloader_code = "user_ratings"
    needs = frozenset({"ratings"})
    options: BiasOptions
    mean: Tensor
    item_bias: Tensor

    def __init__(self, options: BiasOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.register_buffer("mean", torch.zeros(()))
        self.register_buffer("item_bias", torch.zeros(dimensions.num_items + 1))

    def fit(self, items: Tensor, offsets: Tensor, ratings: Tensor | None = None) -> None:
        assert ratings is not None
        lengths = offsets.diff()
        user = torch.repeat_interleave(torch.arange(len(lengths), device=items.device), lengths)
        counts = torch.bincount(items, minlength=len(self.item_bias))
        mean = ratings.double().mean()
        rest = ratings.double() - mean
        item_bias = torch.zeros(len(counts), dtype=torch.float64, device=items.device)
        user_bias = torch.zeros(len(lengths), dtype=torch.float64, device=items.device)
        l2 = self.options.l2
        for _ in range(self.options.iterations):
            summed = torch.bincount(items, rest - user_bias[user], len(counts))
            item_bias = summed / (counts + l2).clamp_min(1e-9)
            summed = torch.bincount(user, rest - item_bias[items], len(lengths))
            user_bias = summed / (lengths + l2).clamp_min(1e-9)
        self.mean.copy_(mean)
        self.item_bias.copy_(item_bias)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        """Predicted ratings."""
        known = batch.items > 0
        rest = (cast(Tensor, batch.weights) - self.mean - self.item_bias[batch.items]) * known
        user_bias = rest.sum(1) / (known.sum(1) + self.options.l2).clamp_min(1e-9)  # [B]
        return pick(self.mean + user_bias[:, None] + self.item_bias, candidates)
