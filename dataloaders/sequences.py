"""Shared by the dataloaders of sequential models: windows of recent items, and batches of similar length."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import Field

from common.errors import UserError
from common.sizes import round_up
from dataloaders.base import Dataloader, DataloaderOptions, as_int64
from dataloaders.windows import Int, gather_padded
from datasets import Split


class RecentItemsOptions(DataloaderOptions):
    """Options of all dataloaders of recent items."""

    max_len: int = Field(200, ge=1, description="maximum sequence length: older items are cut off")


class RecentItemsDataloader(Dataloader):
    """Batches of users' most recent items. Training windows with fewer than `min_window_items` items are dropped."""

    options: RecentItemsOptions
    min_window_items = 1

    def __init__(self, options: RecentItemsOptions, split: Split) -> None:
        super().__init__(options, split)
        enough = self.windows.end - self.windows.start >= self.min_window_items
        self.windows = self.windows.take(np.flatnonzero(enough))
        if not len(self.windows):
            raise UserError(
                f"dataset {self.data.name} has no user with at least {self.min_window_items} training items, so "
                "there are no sequences to learn from: use more data, or lower min_uc and min_sc"
            )

    @property
    def max_len(self) -> int:
        return self.options.max_len


class TimedItemsOptions(RecentItemsOptions):
    """Options of all dataloaders that know when a recommendation is requested."""

    request_time: Literal["target", "last"] = Field(
        "target",
        description="when a recommendation is requested, for time-aware models: at the target's timestamp (as "
        "published), or at that of the last input item",
    )

    def model_conflict(self, model_code: str, knows_request_time: bool) -> str | None:
        if self.request_time == "target" or knows_request_time:
            return None
        return (
            f"the scores of model {model_code} with these options don't depend on the time of the request: "
            f"request_time {self.request_time} has no effect"
        )


class TimedItemsDataloader(RecentItemsDataloader):
    """Left-padded batches, about as long as their longest window instead of `max_len`; with times if there are any."""

    options: TimedItemsOptions

    def longest(self, start: Int, end: Int) -> int:
        """Length of a batch's arrays: its longest window, rounded up, at most `max_len`."""
        return min(self.options.max_len, round_up(max(1, int((end - start).max(initial=1)))))

    def item_times(self, start: Int, end: Int, length: int) -> torch.Tensor | None:
        """Timestamps of the items: int64 [B, length] seconds UTC, 0 at padding; None if batches have no times."""
        if self.data.timestamps is None or not self.gives_times:
            return None
        return as_int64(gather_padded(self.data.timestamps, start, end, length))

    def request_times(self, user: Int, start: Int, end: Int) -> torch.Tensor | None:
        """Time of the request after `items[start:end]`: int64 [B] seconds UTC; None if batches have no times."""
        times = self.data.timestamps
        if times is None or not self.gives_times:
            return None
        last = np.where(end > start, end - 1, np.minimum(end, len(times) - 1))
        has_next = end < self.data.offsets[user + 1]
        use_next = has_next if self.options.request_time == "target" else has_next & (end == start)
        return as_int64(times[np.where(use_next, np.minimum(end, len(times) - 1), last)])


class SequenceDataloaderOptions(TimedItemsOptions):
    """Options of all dataloaders of sequences."""

    train_batch_size: int = Field(128, ge=1, description="training windows per batch")
    train_window: int | None = Field(
        None, ge=0, description="step between a user's training windows, in items; 0 or null = only the last window"
    )
    bucket_batches: int = Field(
        16, ge=1, description="the windows of this many batches are sorted by length, to reduce padding; 1 = no sorting"
    )


class SequenceDataloader(TimedItemsDataloader):
    """Batches of windows of similar length."""

    options: SequenceDataloaderOptions

    def epoch_batches(self, generator: torch.Generator) -> list[Int]:
        """Indices into `windows` for each batch of an epoch.

        The windows are shuffled, sorted by length within each run of `bucket_batches` batches, and cut into batches;
        then the batches are shuffled.
        """
        order = torch.randperm(len(self.windows), generator=generator).numpy()
        size = self.options.train_batch_size
        lengths = self.windows.end - self.windows.start
        run = np.arange(len(order)) // (size * self.options.bucket_batches)
        order = order[np.lexsort((lengths[order], run))]  # lexsort is stable: windows of equal length stay shuffled
        batches = [order[first : first + size] for first in range(0, len(order), size)]
        return [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
