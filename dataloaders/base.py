"""The base class of dataloaders: training batches of an epoch, and evaluation batches of a held-out set."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from common.schema import Options
from dataloaders.batch import Batch, EvalBatch
from dataloaders.windows import Int, Windows, gather_padded
from datasets import Heldout, Split
from datasets.sequence_data import SECONDS_OF_DAY
from datasets.splits.leakage import training_mask


class DataloaderOptions(Options):
    """Options of every dataloader."""

    train_batch_size: int = Field(512, ge=1, description="training windows per batch")

    def model_conflict(self, model_code: str, knows_request_time: bool) -> str | None:
        """Why a model can't use these options; None if it can. See `Model.knows_request_time`."""
        return None


class Dataloader(ABC):
    """Turns a split into batches. Random draws use the generator passed in, never global state.

    Set `gives_times` to False if the model doesn't use timestamps: batches are then made without them.
    """

    code: ClassVar[str]
    predicts_ratings: ClassVar[bool] = False  # whether its models predict ratings
    ranks: ClassVar[bool] = True  # whether its rows are users, so that items can be ranked for them
    Options: ClassVar[type[DataloaderOptions]]

    def __init__(self, options: DataloaderOptions, split: Split) -> None:
        self.options = options
        self.split = split
        self.data = split.data
        self.gives_times = split.data.timestamps is not None
        self.windows = self.training_windows()

    @abstractmethod
    def training_windows(self) -> Windows:
        """The training windows of one epoch."""

    @abstractmethod
    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        """Input and labels of these windows."""

    @abstractmethod
    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        """The model's input for predicting what follows `items[start:end]` of each user."""

    @property
    def max_len(self) -> int:
        """Maximum length of the model's input, in items; 0 if there is no limit."""
        return 0

    @property
    def max_history(self) -> int | None:
        """Maximum number of a history's last items in the model's input; None = all."""
        return self.max_len or None

    @property
    def pad_counts(self) -> bool:
        """Whether PAD counts as an item."""
        return False

    def batches_per_epoch(self) -> int:
        """Number of training batches in an epoch (the last may be smaller)."""
        return -(-len(self.windows) // self.options.train_batch_size)

    def epoch_batches(self, generator: torch.Generator) -> list[Int]:
        """Indices into `windows` for each batch of an epoch, in random order."""
        order = torch.randperm(len(self.windows), generator=generator).numpy()
        size = self.options.train_batch_size
        return [order[first : first + size] for first in range(0, len(order), size)]

    def epoch(self, generator: torch.Generator) -> Iterator[Batch]:
        """One pass over the training windows."""
        for rows in self.epoch_batches(generator):
            yield self.training_batch(self.windows.take(rows), generator)

    def evaluation(self, heldout: Heldout, batch_size: int, skipped: int = 0, every: int = 1) -> Iterator[EvalBatch]:
        """Batches of held-out users. Histories of similar length share a batch, which reduces padding.

        With `skipped` and `every`: batch number `skipped` (from 0), and every `every`-th after it.
        """
        rows = np.argsort(heldout.input_end - heldout.input_start, kind="stable")
        for first in range(skipped * batch_size, len(rows), every * batch_size):
            yield self._evaluation_batch(heldout, rows[first : first + batch_size])

    def _evaluation_batch(self, heldout: Heldout, rows: Int) -> EvalBatch:
        start, end = heldout.input_start[rows], heldout.input_end[rows]
        first, last = heldout.target_offsets[rows], heldout.target_offsets[rows + 1]
        target_items = self.data.items[heldout.targets]
        return EvalBatch(
            rows=torch.from_numpy(rows),
            inputs=self.inputs(heldout.users[rows], start, end),
            targets=as_int64(gather_padded(target_items, first, last, int((last - first).max(initial=1)))),
            seen=as_int64(gather_padded(self.data.items, start, end, int((end - start).max(initial=0)))),
        )

    def training_item_counts(self) -> NDArray[np.int64]:
        """How often each item occurs in the training interactions: int64 [num_items + 1], 0 for PAD."""
        items = np.asarray(self.data.items)[training_mask(self.split)]
        return np.bincount(items, minlength=self.data.num_items + 1)

    def training_days(self) -> tuple[int, int]:
        """First UTC day of the training interactions (days since 1970), and the number of days up to the last one.

        (0, 0) without timestamps.
        """
        if self.data.timestamps is None:
            return 0, 0
        times = np.asarray(self.data.timestamps)[training_mask(self.split)]
        if not len(times):
            return 0, 0
        first, last = int(times.min()) // SECONDS_OF_DAY, int(times.max()) // SECONDS_OF_DAY
        return first, last - first + 1


def as_int64(array: NDArray[np.integer]) -> torch.Tensor:
    """Convert an integer array to an int64 tensor."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))
