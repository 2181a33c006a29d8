"""Popularity: every user is recommended the most consumed items. The baseline of every table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from common.schema import Options
from models.base import Dimensions, FittedModel, pick

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class PopOptions(Options):
    """Model `pop` has no options."""


class Pop(FittedModel):
    """score(item) = number of training interactions with it."""

    code = "pop"
    Options = PopOptions
    dataloader_code = "plain"
    counts: Tensor

    def __init__(self, options: PopOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.register_buffer("counts", torch.zeros(dimensions.num_items + 1))

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        self.counts.copy_(torch.bincount(items, minlength=len(self.counts)))

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        everyone = self.counts.expand(batch.items.shape[0], -1)  # [B, V + 1]
        return pick(everyone, candidates)
