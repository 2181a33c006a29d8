"""A few recent items, a next item and a negative: the batches of MARank."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from dataloaders.base import as_int64
from dataloaders.batch import Batch
from dataloaders.sequences import RecentItemsDataloader, RecentItemsOptions
from dataloaders.training_negatives import NegativeSampler, TrainingNegatives, sampling_weights
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Split


class PairwiseDataloaderOptions(RecentItemsOptions):
    """Options of dataloader `pairwise`."""

    train_batch_size: int = Field(256, ge=1, description="predictions per training batch")
    max_len: int = Field(6, ge=1, description="maximum sequence length: older items are cut off")
    train_window: int | None = Field(
        10, ge=0, description="a user's training items per prediction in an epoch; 0 or null = one prediction per user"
    )
    train_negative_sampler_code: NegativeSampler = Field(
        "random", description="how training negatives are drawn: uniformly, or in proportion to training interactions"
    )


class PairwiseDataloader(RecentItemsDataloader):
    """Each epoch draws a window's target [B, 1] uniformly from the user's training items, but never the first one."""

    code = "pairwise"
    Options = PairwiseDataloaderOptions
    options: PairwiseDataloaderOptions
    min_window_items = 2

    def __init__(self, options: PairwiseDataloaderOptions, split: Split) -> None:
        super().__init__(options, split)
        weights = sampling_weights(options.train_negative_sampler_code, self.training_item_counts())
        self.negatives = TrainingNegatives(split, weights)

    def training_windows(self) -> Windows:
        step = self.options.train_window or None
        split = self.split
        return sliding_windows(split.train_start, split.train_end, max(2, step or 2), step)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        user = windows.user
        first, last = self.split.train_start[user], self.split.train_end[user]
        draw = torch.rand(len(user), generator=generator, dtype=torch.float64).numpy()
        target = first + 1 + np.minimum((draw * (last - first - 1)).astype(np.int64), last - first - 2)
        negatives = self.negatives.draw(user, (1, 1), generator)
        return Batch(
            users=torch.from_numpy(user),
            items=as_int64(gather_padded(self.data.items, first, target, self.options.max_len)),
            targets=as_int64(self.data.items[target][:, None]),
            negatives=torch.from_numpy(negatives),
        )

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        items = gather_padded(self.data.items, start, end, self.options.max_len)
        return Batch(users=torch.from_numpy(user), items=as_int64(items))
