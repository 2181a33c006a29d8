"""Cloze task: some items of a window are masked and predicted from the items on both sides."""

from __future__ import annotations

import numpy as np
import torch
from pydantic import Field

from dataloaders.base import as_int64
from dataloaders.batch import Batch
from dataloaders.sequences import SequenceDataloader, SequenceDataloaderOptions
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows


class BertDataloaderOptions(SequenceDataloaderOptions):
    """Options of dataloader `bert`."""

    max_len: int = Field(200, ge=2, description="maximum sequence length, the item to predict included")
    mask_prob: float = Field(0.2, gt=0, le=1, description="probability of masking each item of a window")
    last_mask_prob: float = Field(0.0, ge=0, le=1, description="share of windows in which only the last item is masked")


class BertDataloader(SequenceDataloader):
    """`items` are whole windows; `targets` [B, L] are the masked items, PAD elsewhere.

    Each epoch draws new masks, at least one per window and none on PAD. In evaluation the input is the last
    `max_len - 1` items, and the model appends the mask.
    """

    code = "bert"
    Options = BertDataloaderOptions
    options: BertDataloaderOptions

    @property
    def max_history(self) -> int:
        return self.options.max_len - 1  # the last position is the mask

    def training_windows(self) -> Windows:
        options, split = self.options, self.split
        return sliding_windows(split.train_start, split.train_end, options.max_len, options.train_window)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        length = self.longest(windows.start, windows.end)
        items = as_int64(gather_padded(self.data.items, windows.start, windows.end, length))
        hidden = cloze_mask(items > 0, self.options.mask_prob, self.options.last_mask_prob, generator)
        return Batch(
            users=torch.from_numpy(windows.user),
            items=items,
            targets=torch.where(hidden, items, 0),
            timestamps=self.item_times(windows.start, windows.end, length),
        )

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        length = min(self.longest(start, end), self.options.max_len - 1)
        return Batch(
            users=torch.from_numpy(user),
            items=as_int64(gather_padded(self.data.items, start, end, length)),
            timestamps=self.item_times(start, end, length),
            request_times=self.request_times(user, start, end),
        )


def cloze_mask(real: torch.Tensor, mask_prob: float, last_mask_prob: float, generator: torch.Generator) -> torch.Tensor:
    """Draw which positions are masked.

    Parameters
    ----------
    real : bool [B, L], False at padding
    mask_prob : probability of masking a position
    last_mask_prob : probability that a row's last position alone is masked
    generator : source of the draws

    Returns
    -------
    bool [B, L], at least one True in each row that isn't all padding
    """
    draw = torch.rand(real.shape, generator=generator).masked_fill_(~real, 2.0)  # [B, L]
    hidden = (draw < mask_prob) | ((draw == draw.amin(1, keepdim=True)) & real)  # the smallest draw is always masked
    if last_mask_prob > 0:
        last_only = torch.rand(len(real), generator=generator) < last_mask_prob  # [B]
        is_last = torch.from_numpy(np.arange(real.shape[1]) == real.shape[1] - 1) & real
        hidden = torch.where(last_only[:, None], is_last, hidden)
    return hidden
