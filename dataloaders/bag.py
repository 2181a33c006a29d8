"""Bags of items: each user's history as a sparse row, the input of autoencoders and neighbourhood models."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from dataloaders.base import Dataloader, DataloaderOptions, as_int64
from dataloaders.batch import Batch
from dataloaders.vae import combine_repeats
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Split
from datasets.splits.select import previous_in_user


class BagDataloaderOptions(DataloaderOptions):
    """Options of dataloader `bag`."""

    max_input_items: int | None = Field(
        None, ge=1, description="use only this many of a user's most recent interactions; null = all"
    )
    bag_weights: Literal["binary", "count"] = Field(
        "binary", description="weight of an item that a user consumed n times: binary = 1, count = n"
    )


class BagDataloader(Dataloader):
    """One row per user: distinct items [B, L] with their weights, L = the longest row. The labels equal the input.

    In evaluation the input is all interactions before the targets, under every split.
    """

    code = "bag"
    Options = BagDataloaderOptions
    options: BagDataloaderOptions

    def __init__(self, options: BagDataloaderOptions, split: Split) -> None:
        super().__init__(options, split)
        previous = previous_in_user(self.data)
        self.previous: Int | None = previous if (previous >= 0).any() else None

    @property
    def max_history(self) -> int | None:
        return self.options.max_input_items

    def training_windows(self) -> Windows:
        longest = self.options.max_input_items or self.data.num_interactions
        return sliding_windows(self.split.train_start, self.split.train_end, longest, None)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        items, weights = self.bags(windows.start, windows.end)
        return Batch(torch.from_numpy(windows.user), items, weights, targets=items, target_weights=weights)

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        if self.options.max_input_items is not None:
            start = np.maximum(start, end - self.options.max_input_items)
        items, weights = self.bags(start, end)
        return Batch(torch.from_numpy(user), items, weights)

    def bags(self, start: Int, end: Int) -> tuple[torch.Tensor, torch.Tensor]:
        """Items int64 [B, L] and weights float32 [B, L]; 0 at PAD and at all but one position of a repeated item."""
        length = int((end - start).max(initial=1))
        items = gather_padded(self.data.items, start, end, length)
        weights = (items > 0).astype(np.float32)
        if self.previous is not None and self.options.bag_weights == "count":
            weights = combine_repeats(items, weights, "sum")
        elif self.previous is not None:
            before = gather_padded(self.previous, start, end, length)
            weights[before >= start[:, None]] = 0  # the item is in the row already
        return as_int64(items), torch.from_numpy(weights)
