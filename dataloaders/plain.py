"""Users with their most recent items, for models that don't train on windows (popularity)."""

from __future__ import annotations

import torch
from pydantic import Field

from dataloaders.base import Dataloader, DataloaderOptions, as_int64
from dataloaders.batch import Batch
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows


class PlainDataloaderOptions(DataloaderOptions):
    """Options of dataloader `plain`."""

    max_len: int = Field(50, ge=1, description="maximum number of recent items per user in a batch")


class PlainDataloader(Dataloader):
    """One window per user: the most recent items."""

    code = "plain"
    Options = PlainDataloaderOptions
    options: PlainDataloaderOptions

    @property
    def max_len(self) -> int:
        return self.options.max_len

    def training_windows(self) -> Windows:
        return sliding_windows(self.split.train_start, self.split.train_end, self.options.max_len, None)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        return self.inputs(windows.user, windows.start, windows.end)

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        items = gather_padded(self.data.items, start, end, self.options.max_len)
        return Batch(users=torch.from_numpy(user), items=as_int64(items))
