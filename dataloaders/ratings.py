"""Rows of ratings, one per user or per item, for models that predict ratings."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from common.errors import UserError
from common.ragged import concatenated_ranges, offsets_of
from dataloaders.base import Dataloader, DataloaderOptions, as_int64
from dataloaders.batch import Batch
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Heldout, Split
from datasets.splits.random_rating import RatingSplit

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class RatingBatch:
    """B rows of known ratings, and the ratings to predict.

    Attributes
    ----------
    inputs : the rows; `items` are their columns (from 1), `weights` the known ratings
    columns : int64 [B, T], columns of the ratings to predict; PAD where a row has fewer
    places : int64 [B, T], index of each into the held-out set's `targets`
    """

    inputs: Batch
    columns: Tensor
    places: Tensor


class RatingDataloader(Dataloader):
    """Training rows are columns [B, L] with their ratings, as both input and labels."""

    predicts_ratings = True
    Options = DataloaderOptions

    def __init__(self, options: DataloaderOptions, split: Split) -> None:
        if split.data.ratings is None:
            raise UserError(f"dataloader {self.code} needs ratings, but dataset {split.data.name} has none")
        super().__init__(options, split)

    @abstractmethod
    def rating_batches(self, heldout: Heldout, batch_size: int) -> Iterator[RatingBatch]:
        """The held-out ratings, in batches of rows."""


def rating_rows(columns: NDArray[np.int32], ratings: Floats, start: Int, end: Int) -> tuple[Tensor, Tensor]:
    """Columns int64 [B, L] and ratings float32 [B, L] of the rows `start:end`, L = the longest row."""
    length = int((end - start).max(initial=1))
    return (
        as_int64(gather_padded(columns, start, end, length)),
        torch.from_numpy(gather_padded(ratings, start, end, length)),
    )


def _labelled(rows: Tensor, columns: Tensor, ratings: Tensor) -> Batch:
    return Batch(rows, columns, ratings, targets=columns, target_weights=ratings)


class UserRatingsDataloader(RatingDataloader):
    """Rows are users, columns are items."""

    code = "user_ratings"

    def training_windows(self) -> Windows:
        return sliding_windows(self.split.train_start, self.split.train_end, self.data.num_interactions, None)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        return _labelled(torch.from_numpy(windows.user), *self._rows(windows.start, windows.end))

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        return Batch(torch.from_numpy(user), *self._rows(start, end))

    def _rows(self, start: Int, end: Int) -> tuple[Tensor, Tensor]:
        return rating_rows(np.asarray(self.data.items), np.asarray(self.data.ratings), start, end)

    def rating_batches(self, heldout: Heldout, batch_size: int) -> Iterator[RatingBatch]:
        order = np.argsort(heldout.input_end - heldout.input_start, kind="stable")
        places = np.arange(len(heldout.targets), dtype=np.int64)
        target_items = np.asarray(self.data.items)[heldout.targets]
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            start, end = heldout.target_offsets[rows], heldout.target_offsets[rows + 1]
            length = int((end - start).max(initial=1))
            yield RatingBatch(
                self.inputs(heldout.users[rows], heldout.input_start[rows], heldout.input_end[rows]),
                as_int64(gather_padded(target_items, start, end, length)),
                as_int64(gather_padded(places, start, end, length)),
            )


@dataclass(frozen=True)
class _Columns:
    """Ratings grouped by item: users int32 [n] from 1, ratings float32 [n], places int64 [n]; offsets [items + 1]."""

    users: NDArray[np.int32]
    ratings: Floats
    places: Int
    offsets: Int


class ItemRatingsDataloader(RatingDataloader):
    """Rows are items (0-based, in `users`), columns are users (from 1)."""

    code = "item_ratings"
    ranks = False

    def __init__(self, options: DataloaderOptions, split: Split) -> None:
        if not isinstance(split, RatingSplit):
            raise TypeError(f"dataloader item_ratings can't rank items for users, which split {split.code} needs")
        self._training = _by_item(split, concatenated_ranges(split.train_start, split.train_end))
        super().__init__(options, split)

    def training_windows(self) -> Windows:
        offsets = self._training.offsets
        return sliding_windows(offsets[:-1], offsets[1:], int(offsets[-1]), None)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        rows = rating_rows(self._training.users, self._training.ratings, windows.start, windows.end)
        return _labelled(torch.from_numpy(windows.user), *rows)

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        raise TypeError("dataloader item_ratings has rows of items, not of users")

    def rating_batches(self, heldout: Heldout, batch_size: int) -> Iterator[RatingBatch]:
        wanted = _by_item(self.split, heldout.targets)
        end = self.split.train_end.copy()
        end[heldout.users] = heldout.input_end
        known = _by_item(self.split, concatenated_ranges(self.split.train_start, end))
        items = np.flatnonzero(np.diff(wanted.offsets) > 0)
        order = items[np.argsort(np.diff(known.offsets)[items], kind="stable")]
        for first in range(0, len(order), batch_size):
            rows = order[first : first + batch_size]
            start, end = wanted.offsets[rows], wanted.offsets[rows + 1]
            length = int((end - start).max(initial=1))
            inputs = rating_rows(known.users, known.ratings, known.offsets[rows], known.offsets[rows + 1])
            yield RatingBatch(
                Batch(torch.from_numpy(rows), *inputs),
                as_int64(gather_padded(wanted.users, start, end, length)),
                as_int64(gather_padded(wanted.places, start, end, length)),
            )


def _by_item(split: Split, positions: Int) -> _Columns:
    """The interactions at `positions`, grouped by item; `places` are their indices into `positions`."""
    data = split.data
    assert data.ratings is not None
    items = np.asarray(data.items)[positions]
    order = np.argsort(items, kind="stable")
    users = np.searchsorted(data.offsets, positions, side="right").astype(np.int32)  # from 1
    counts = np.bincount(items, minlength=data.num_items + 1)[1:]
    return _Columns(users[order], np.asarray(data.ratings)[positions][order], order, offsets_of(counts))
