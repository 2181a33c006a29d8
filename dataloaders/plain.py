"""Users with their most recent items, for models that don't train on windows: popularity, neighbours, linear models."""

from __future__ import annotations

import torch
from pydantic import Field

from dataloaders.base import as_int64
from dataloaders.batch import Batch
from dataloaders.sequences import TimedItemsDataloader, TimedItemsOptions
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows


class PlainDataloaderOptions(TimedItemsOptions):
    """Options of dataloader `plain`."""

    max_len: int = Field(50, ge=1, description="maximum number of recent items per user in a batch")


class PlainDataloader(TimedItemsDataloader):
    """One window per user: the most recent items; with times, also when a recommendation is requested."""

    code = "plain"
    Options = PlainDataloaderOptions
    options: PlainDataloaderOptions

    def training_windows(self) -> Windows:
        return sliding_windows(self.split.train_start, self.split.train_end, self.options.max_len, None)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        return self.inputs(windows.user, windows.start, windows.end)

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        length = self.longest(start, end)
        return Batch(
            users=torch.from_numpy(user),
            items=as_int64(gather_padded(self.data.items, start, end, length)),
            timestamps=self.item_times(start, end, length),
            request_times=self.request_times(user, start, end),
        )
