"""Next-item prediction at every position: the batches of SASRec, GRU4Rec, TiSASRec and HSTU."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from dataloaders.base import as_int64
from dataloaders.batch import Batch
from dataloaders.sequences import SequenceDataloader, SequenceDataloaderOptions
from dataloaders.training_negatives import NegativeSampler, TrainingNegatives, sampling_weights
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Split


class SASDataloaderOptions(SequenceDataloaderOptions):
    """Options of dataloader `sas`."""

    train_negative_sample_size: int = Field(
        0, ge=0, description="negatives per prediction, drawn from the items outside the user's training history"
    )
    train_negative_sampler_code: NegativeSampler = Field(
        "random", description="how training negatives are drawn: uniformly, or in proportion to training interactions"
    )
    share_negatives: bool = Field(
        False, description="share the negatives between all predictions of a window (faster if there are many)"
    )


class SASDataloader(SequenceDataloader):
    """A window of up to max_len + 1 items: all but the last are the input, all but the first the targets."""

    code = "sas"
    Options = SASDataloaderOptions
    options: SASDataloaderOptions
    min_window_items = 2

    def __init__(self, options: SASDataloaderOptions, split: Split) -> None:
        super().__init__(options, split)
        self.negatives: TrainingNegatives | None = None
        if options.train_negative_sample_size:
            weights = sampling_weights(options.train_negative_sampler_code, self.training_item_counts())
            self.negatives = TrainingNegatives(split, weights)

    def training_windows(self) -> Windows:
        options, split = self.options, self.split
        return sliding_windows(split.train_start, split.train_end, options.max_len + 1, options.train_window)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        user, start, end = windows.user, windows.start, windows.end
        length = self.longest(start, end - 1)
        negatives, log_q = self._draw_negatives(user, length, generator)
        whole = as_int64(gather_padded(self.data.items, start, end, length + 1))  # input and targets, shifted by one
        items = whole[:, :-1]
        times = self.item_times(start, end, length + 1)
        return Batch(
            users=torch.from_numpy(user),
            items=items,
            targets=torch.where(items > 0, whole[:, 1:], 0),
            timestamps=None if times is None else times[:, :-1],
            next_timestamps=None if times is None else torch.where(items > 0, times[:, 1:], 0),
            negatives=negatives,
            negative_log_q=log_q,
        )

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        length = self.longest(start, end)
        times, requested = self.item_times(start, end, length), self.request_times(user, start, end)
        following = None
        if times is not None and requested is not None:
            following = torch.cat([times[:, 1:], requested[:, None]], 1)
        return Batch(
            users=torch.from_numpy(user),
            items=as_int64(gather_padded(self.data.items, start, end, length)),
            timestamps=times,
            next_timestamps=following,
        )

    def _draw_negatives(
        self, user: Int, length: int, generator: torch.Generator
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Negatives [B, length or 1, K] and their log probabilities; (None, None) without sampling."""
        if self.negatives is None:
            return None, None
        positions = 1 if self.options.share_negatives else length
        drawn = self.negatives.draw(user, (positions, self.options.train_negative_sample_size), generator)
        log_q = np.ascontiguousarray(self.negatives.log_probabilities(user, drawn))
        return torch.from_numpy(drawn), torch.from_numpy(log_q)
