"""Next-item prediction at every position: the batches of SASRec, GRU4Rec, TiSASRec and HSTU."""

from __future__ import annotations

from typing import Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator

from dataloaders.base import as_int64
from dataloaders.batch import Batch
from dataloaders.sequences import SequenceDataloader, SequenceDataloaderOptions
from dataloaders.training_negatives import (
    NegativeSampler,
    SharedNegatives,
    TrainingNegatives,
    sampling_weights,
)
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Split


class SASDataloaderOptions(SequenceDataloaderOptions):
    """Options of dataloader `sas`."""

    train_negative_sample_size: int = Field(
        0, ge=0, description="negatives per prediction, drawn from the items outside the user's training history"
    )
    train_negative_sampler_code: NegativeSampler = Field(
        "random",
        description="how training negatives are drawn: uniformly, in proportion to training interactions, or from the "
        "targets of the batch (needs share_negatives batch)",
    )
    train_negative_alpha: float = Field(
        1.0, ge=0, description="sampler popular draws in proportion to training interactions to this power"
    )
    share_negatives: bool | Literal["batch"] = Field(
        False,
        description="share the negatives between all predictions of a window (true) or of the whole batch (batch): "
        "faster if there are many. Those of a batch may include items of a user's own history",
    )

    @model_validator(mode="after")
    def _sampler_fits(self) -> Self:
        if self.train_negative_sampler_code == "in_batch" and self.share_negatives != "batch":
            raise ValueError("train_negative_sampler_code in_batch needs share_negatives batch")
        if self.train_negative_alpha != 1 and self.train_negative_sampler_code != "popular":
            raise ValueError("train_negative_alpha only has an effect with train_negative_sampler_code popular")
        return self


class SASDataloader(SequenceDataloader):
    """A window of up to max_len + 1 items: all but the last are the input, all but the first the targets."""

    code = "sas"
    Options = SASDataloaderOptions
    options: SASDataloaderOptions
    min_window_items = 2

    def __init__(self, options: SASDataloaderOptions, split: Split) -> None:
        super().__init__(options, split)
        self.negatives: TrainingNegatives | SharedNegatives | None = None
        if options.train_negative_sample_size:
            sampler = options.train_negative_sampler_code
            weights = sampling_weights(sampler, self.training_item_counts(), options.train_negative_alpha)
            if options.share_negatives == "batch":
                self.negatives = SharedNegatives(weights, sampler == "in_batch")
            else:
                self.negatives = TrainingNegatives(split, weights)

    def training_windows(self) -> Windows:
        options, split = self.options, self.split
        return sliding_windows(split.train_start, split.train_end, options.max_len + 1, options.train_window)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        user, start, end = windows.user, windows.start, windows.end
        length = self.longest(start, end - 1)
        whole = as_int64(gather_padded(self.data.items, start, end, length + 1))  # input and targets, shifted by one
        items = whole[:, :-1]
        targets = torch.where(items > 0, whole[:, 1:], 0)
        negatives, log_q = self._draw_negatives(user, targets, generator)
        times = self.item_times(start, end, length + 1)
        return Batch(
            users=torch.from_numpy(user),
            items=items,
            targets=targets,
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
        self, user: Int, targets: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor | None, torch.Tensor | None]:
        """Negatives and their log probabilities, of the shapes that `Batch` has; (None, None) without sampling."""
        size = self.options.train_negative_sample_size
        if self.negatives is None:
            return None, None
        if isinstance(self.negatives, SharedNegatives):
            shared, shared_log_q = self.negatives.draw(targets[targets > 0].numpy(), size, generator)
            return torch.from_numpy(shared)[None, None], torch.from_numpy(shared_log_q)[None, None]
        positions = 1 if self.options.share_negatives else targets.shape[1]
        drawn = self.negatives.draw(user, (positions, size), generator)
        log_q = np.ascontiguousarray(self.negatives.log_probabilities(user, drawn))
        return torch.from_numpy(drawn), torch.from_numpy(log_q)
