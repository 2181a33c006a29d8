"""Weighted bags of recent items: the batches of ESAPR."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator

from common.ragged import rows_of
from dataloaders.base import Dataloader, DataloaderOptions, as_int64
from dataloaders.batch import Batch
from dataloaders.windows import Int, Windows, gather_padded, sliding_windows
from datasets import Split

WeightType = Literal["exp_stair", "exp", "linear", "constant"]


class VAEDataloaderOptions(DataloaderOptions):
    """Options of dataloader `vae`."""

    max_len: int = Field(128, ge=2, description="items in a window: the last one is the target, the others the input")
    train_window: int | None = Field(
        4, ge=0, description="step between a user's training windows, in items; 0 or null = only the last window"
    )
    weight_type: WeightType = Field(
        "exp_stair", description="how an item's weight decreases with its distance from the target"
    )
    weight_constant: float = Field(
        2.0, gt=0, description="constant c of the weights: the target's weight, and the base of exp and exp_stair"
    )
    repeat_weights: Literal["sum", "last"] = Field(
        "sum",
        description="weight of an item that occurs several times in a window: the sum, or the last one (as released)",
    )
    count_padding: bool = Field(
        False, description="as released: in short windows, PAD counts as an item in the input and in the loss"
    )
    aug_prob: float = Field(0.0, ge=0, le=1, description="share of input weights that are halved or doubled at random")

    @model_validator(mode="after")
    def _weights_are_numbers(self) -> VAEDataloaderOptions:
        with np.errstate(over="ignore"):
            weights = position_weights(self.weight_type, self.weight_constant, self.max_len)
            squared = np.square(weights).sum()  # the input's norm is computed from it
        if not 0 < squared < np.inf:
            raise ValueError(
                f"weight_constant ({self.weight_constant:g}) with weight_type {self.weight_type} and max_len "
                f"({self.max_len}) gives weights from {weights.min():g} to {weights.max():g}: too large or small for "
                "float32"
            )
        return self


def position_weights(weight_type: WeightType, constant: float, length: int) -> NDArray[np.float32]:
    """Weights of a window's positions, float32 [length]; the last position (j = 0) is the target's.

    exp_stair: c ** -floor(log2(j + 0.5)); exp: c ** -log2(j + 0.5); linear: c * (length - j) / length; constant: c.
    """
    j = np.arange(length - 1, -1, -1, dtype=np.float64)
    weights = {
        "exp_stair": constant ** -np.floor(np.log2(j + 0.5)),
        "exp": constant ** -np.log2(j + 0.5),
        "linear": constant * (length - j) / length,
        "constant": np.full(length, constant),
    }
    return weights[weight_type].astype(np.float32)


def combine_repeats(items: NDArray[np.int32], weights: NDArray[np.float32], how: str) -> NDArray[np.float32]:
    """Reduce each row to one nonzero weight per distinct item.

    Parameters
    ----------
    items : int32 [B, L]
    weights : float32 [B, L]
    how : `sum` adds up the weights of an item's positions, `last` keeps the weight of its last position

    Returns
    -------
    float32 [B, L], 0 at all but the last position of each distinct item
    """
    order = np.argsort(items, axis=1, kind="stable")  # within an item, by position
    sorted_items = np.take_along_axis(items, order, axis=1)
    sorted_weights = np.take_along_axis(weights, order, axis=1)
    is_last = np.ones(items.shape, dtype=bool)
    is_last[:, :-1] = sorted_items[:, 1:] != sorted_items[:, :-1]
    if how == "sum":
        running = np.cumsum(sorted_weights, axis=1, dtype=np.float64).ravel()
        ends = np.flatnonzero(is_last.ravel())
        totals = np.diff(running[ends], prepend=0.0)
        row_first = np.r_[True, np.diff(ends // items.shape[1]) > 0]
        totals[row_first] = running[ends[row_first]]  # each row's sum starts at 0
        sorted_weights = np.zeros(items.shape, dtype=np.float32)
        sorted_weights.ravel()[ends] = totals
    combined = np.zeros_like(weights)
    np.put_along_axis(combined, order, np.where(is_last, sorted_weights, 0).astype(np.float32), axis=1)
    return combined


class VAEDataloader(Dataloader):
    """Windows as padded ids [B, L] with their weights; there is never a dense [B, items] row.

    In training the input is all items of a window but the last, and the targets are all of them. In evaluation the
    input is the last `max_len - 1` items. An item at the same distance from the target has the same weight in both.
    """

    code = "vae"
    Options = VAEDataloaderOptions
    options: VAEDataloaderOptions

    def __init__(self, options: VAEDataloaderOptions, split: Split) -> None:
        super().__init__(options, split)
        self.position_weights = position_weights(options.weight_type, options.weight_constant, options.max_len)
        self.may_repeat = options.count_padding or has_repeats(np.asarray(self.data.items), self.data.offsets)

    @property
    def max_len(self) -> int:
        return self.options.max_len

    @property
    def max_history(self) -> int:
        return self.options.max_len - 1  # the last position is the target's

    @property
    def pad_counts(self) -> bool:
        return self.options.count_padding

    def training_windows(self) -> Windows:
        options = self.options
        return sliding_windows(self.split.train_start, self.split.train_end, options.max_len, options.train_window)

    def training_batch(self, windows: Windows, generator: torch.Generator) -> Batch:
        length = self.options.max_len
        items = gather_padded(self.data.items, windows.start, windows.end, length)  # [B, L]
        weights = self._weights(items, self.position_weights)
        input_weights = self._input_weights(items[:, :-1], weights[:, :-1])
        if self.options.aug_prob > 0:
            input_weights = input_weights * _halve_or_double(input_weights.shape, self.options.aug_prob, generator)
        return Batch(
            users=torch.from_numpy(windows.user),
            items=as_int64(items[:, :-1]),
            weights=torch.from_numpy(input_weights),
            targets=as_int64(items),
            target_weights=torch.from_numpy(weights),
            position_weights=torch.from_numpy(self.position_weights),
        )

    def inputs(self, user: Int, start: Int, end: Int) -> Batch:
        items = gather_padded(self.data.items, start, end, self.options.max_len - 1)
        weights = self._input_weights(items, self._weights(items, self.position_weights[:-1]))
        return Batch(users=torch.from_numpy(user), items=as_int64(items), weights=torch.from_numpy(weights))

    def _weights(self, items: NDArray[np.int32], by_position: NDArray[np.float32]) -> NDArray[np.float32]:
        """The weights by position, 0 at PAD unless PAD counts."""
        if self.options.count_padding:
            return np.broadcast_to(by_position, items.shape).copy()
        return np.where(items > 0, by_position, np.float32(0))

    def _input_weights(self, items: NDArray[np.int32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
        if not self.may_repeat:
            return np.ascontiguousarray(weights)
        return combine_repeats(items, weights, self.options.repeat_weights)


def has_repeats(items: NDArray[np.int32], offsets: Int) -> bool:
    """Whether any user consumed an item twice."""
    user = rows_of(np.diff(offsets))
    pairs = np.sort(user * (int(items.max(initial=0)) + 1) + items)
    return bool((pairs[1:] == pairs[:-1]).any())


def _halve_or_double(shape: tuple[int, ...], probability: float, generator: torch.Generator) -> NDArray[np.float32]:
    """Factors 0.5 and 2, each with half of `probability`, else 1."""
    draw = torch.rand(shape, generator=generator).numpy()
    factors = np.where(draw < probability / 2, 0.5, np.where(draw >= 1 - probability / 2, 2.0, 1.0))
    return factors.astype(np.float32)
