"""Training negatives: items outside the user's training history, drawn for a whole batch at once.

Each draw is exact and needs no rejection. A uniform number below the total weight of the items that the user doesn't
have is raised by the weight of the user's own items below it. Looked up in the cumulative weights of the catalogue, the
result always falls on an item that the user doesn't have.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from common.ragged import concatenated_ranges, rows_of
from dataloaders.windows import Int
from datasets import Split

PAD = 0
NegativeSampler = Literal["random", "popular", "in_batch"]
POWER_UNITS = 1024  # weights are integers: an item with one interaction has this weight if alpha isn't 1


class TrainingNegatives:
    """Draws negatives in proportion to integer weights. Validation and test items may be drawn."""

    def __init__(self, split: Split, weights: Int) -> None:
        """Prepare the draws.

        Parameters
        ----------
        split : its training items are excluded, user by user
        weights : int64 [num_items + 1], 0 for PAD; an item is drawn in proportion to its weight
        """
        self.weights = weights
        self.cumulative = np.cumsum(weights)
        self.total = int(self.cumulative[-1])
        users, items = _distinct_training_pairs(split)
        self.taken = np.concatenate([[0], np.cumsum(weights[items])])  # weight of the pairs before each, and of all
        self.first = np.searchsorted(users, np.arange(split.data.num_users + 1))  # user u owns first[u]:first[u + 1]
        self.own = np.diff(self.taken[self.first])  # int64 [users], the weight of a user's own items
        own_before = self.taken[:-1] - self.taken[self.first[users]]
        # Weight of the user's possible negatives below each own item; `stride` separates the users.
        self.stride = self.total + 1
        self.free_below = self.cumulative[items] - weights[items] - own_before + users * self.stride

    def draw(self, users: Int, shape: tuple[int, ...], generator: torch.Generator) -> Int:
        """int64 [len(users), *shape], each a negative of its row's user; PAD for a user who has every item."""
        left = (self.total - self.own[users]).reshape(-1, *(1 for _ in shape))
        uniform = torch.rand((len(users), *shape), generator=generator, dtype=torch.float64).numpy()
        place = np.minimum((uniform * left).astype(np.int64), left - 1)  # 0 .. left - 1
        key = users.reshape(left.shape) * self.stride + place
        passed = np.searchsorted(self.free_below, key.ravel(), side="right").reshape(key.shape)
        shift = self.taken[passed] - self.taken[self.first[users]].reshape(left.shape)
        items: Int = np.searchsorted(self.cumulative, (place + shift).ravel(), side="right").reshape(key.shape)
        return np.where(left > 0, items, PAD)

    def log_probabilities(self, users: Int, items: Int) -> NDArray[np.float32]:
        """Log probability of each item [B, ...] in one draw for its row's user: float32 [B, ...]; 0 for PAD."""
        weight = self.weights[items]
        left = (self.total - self.own[users]).reshape(-1, *(1 for _ in items.shape[1:]))
        logs = np.log(np.maximum(weight, 1)) - np.log(np.maximum(left, 1))
        return np.where(items == PAD, 0, logs).astype(np.float32)


class SharedNegatives:
    """Draws the negatives of a whole batch: from the catalogue in proportion to weights, or from the batch's targets.

    They may include items that a user of the batch has; the loss ignores a negative where it is the target.
    """

    def __init__(self, weights: Int, in_batch: bool) -> None:
        """weights : int64 [num_items + 1], 0 for PAD; with `in_batch` the training interactions of the items"""
        self.cumulative = np.cumsum(weights)
        self.in_batch = in_batch
        with np.errstate(divide="ignore"):
            self.log_q = np.where(weights > 0, np.log(weights / self.cumulative[-1]), 0).astype(np.float32)

    def draw(self, targets: Int, size: int, generator: torch.Generator) -> tuple[Int, NDArray[np.float32]]:
        """Negatives int64 [size], drawn with replacement, and their log probabilities; fewer from too few targets.

        targets : int64 [N], the targets of the batch, without PAD
        """
        if self.in_batch:
            items: Int = targets[torch.randperm(len(targets), generator=generator)[:size].numpy()]
        else:
            uniform = torch.rand(size, generator=generator, dtype=torch.float64).numpy()
            place = np.minimum((uniform * self.cumulative[-1]).astype(np.int64), self.cumulative[-1] - 1)
            items = np.searchsorted(self.cumulative, place, side="right")
        return items, self.log_q[items]


def sampling_weights(sampler: NegativeSampler, training_counts: Int, alpha: float = 1.0) -> Int:
    """Weights of the items, int64 [num_items + 1]: 1 each (`random`), or their training interactions.

    With `alpha` other than 1, the weights are proportional to the interactions to the power of `alpha`, rounded.
    """
    if sampler == "random":
        weights: Int = np.ones_like(training_counts)
    elif alpha == 1:
        weights = training_counts.copy()
    else:
        powers = np.where(training_counts > 0, training_counts.astype(np.float64) ** alpha, 0)
        weights = np.rint(powers * POWER_UNITS).astype(np.int64)
    weights[PAD] = 0
    return weights


def _distinct_training_pairs(split: Split) -> tuple[Int, Int]:
    """(users, items) of the training interactions, each pair once, sorted by user and item."""
    users = rows_of(split.train_end - split.train_start)
    positions = concatenated_ranges(split.train_start, split.train_end)
    columns = split.data.num_items + 1
    keys = np.sort(users * columns + split.data.items[positions])
    keys = keys[np.diff(keys, prepend=-1) != 0]
    return keys // columns, keys % columns
