"""The batches that dataloaders give to models."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from common.sizes import round_up

SHARED = ("negatives", "negative_log_q")  # fields that a batch may share: then they have a single row


@dataclass(frozen=True)
class Batch:
    """Model input (and, in training, labels) for B windows. Every sequence is left-padded with item 0 (PAD).

    Attributes
    ----------
    users : int64 [B], 0-based user indices
    items : int64 [B, L], the input items
    weights : float32 [B, L], weight of each input item; exactly 0 where an entry doesn't count
    targets : int64 [B, T], the items to predict; PAD where there is none (None in evaluation)
    target_weights : float32 [B, T], weight of each target in the loss
    position_weights : float32 [T], weights of the targets' positions in a window without padding
    timestamps : int64 [B, L], seconds UTC of each input item; 0 at padding
    next_timestamps : int64 [B, L], seconds UTC of the item after each input item; the last is the request in evaluation
    request_times : int64 [B], seconds UTC at which a recommendation is requested
    negatives : int64 [B, L, K], [B, 1, K] if shared within a window, [1, 1, K] if by the whole batch; PAD for a user
        who has every item
    negative_log_q : float32, the shape of `negatives`; log probability of drawing each
    """

    users: Tensor
    items: Tensor
    weights: Tensor | None = None
    targets: Tensor | None = None
    target_weights: Tensor | None = None
    position_weights: Tensor | None = None
    timestamps: Tensor | None = None
    next_timestamps: Tensor | None = None
    request_times: Tensor | None = None
    negatives: Tensor | None = None
    negative_log_q: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """The batch on `device`; itself if it is there already."""
        return _moved(self, device)

    def pinned(self) -> Batch:
        """The batch in page-locked memory, from which it can be copied to a GPU while that computes."""
        return _changed(self, Tensor.pin_memory)

    def split(self, positions: int) -> list[Batch]:
        """Split into parts of at most about `positions` input positions, each trimmed to its longest window."""
        count, length = self.items.shape
        most = max(1, positions // max(1, length))  # rows in a part
        return [self] if most >= count else self.dealt(-(-count // most))

    def dealt(self, parts: int) -> list[Batch]:
        """Split into at most this many parts of about as many windows, each trimmed to its longest window."""
        count = len(self.items)
        rows = -(-count // min(parts, count))
        return [self._part(slice(first, first + rows)) for first in range(0, count, rows)]

    def _part(self, rows: slice) -> Batch:
        """Some windows of a batch of sequences, without the columns that are padding in all of them."""
        count, length = self.items.shape
        used = self.items[rows] > 0
        if self.targets is not None and self.targets.shape == self.items.shape:
            used |= self.targets[rows] > 0
        needed = length - int(used.any(0).byte().argmax()) if bool(used.any()) else 1
        skipped = length - min(length, round_up(needed))
        taken: dict[str, Tensor] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value is None or field.name == "position_weights":  # it has no row per window
                continue
            if field.name not in SHARED or len(value) == count:
                along_length = value.ndim > 1 and value.shape[1] == length
                taken[field.name] = value[rows, skipped:] if along_length else value[rows]
        return dataclasses.replace(self, **taken)


@dataclass(frozen=True)
class EvalBatch:
    """B held-out users: the model's input, the targets, and the items seen before them.

    Attributes
    ----------
    rows : int64 [B], indices into the Heldout set
    inputs : the model's input
    targets : int64 [B, T], PAD where a user has fewer targets
    seen : int64 [B, S], the user's items before the targets, PAD where fewer
    """

    rows: Tensor
    inputs: Batch
    targets: Tensor
    seen: Tensor

    def to(self, device: torch.device) -> EvalBatch:
        """The batch on `device`."""
        return EvalBatch(self.rows.to(device), self.inputs.to(device), self.targets.to(device), self.seen.to(device))


def _moved(batch: Batch, device: torch.device) -> Batch:
    if batch.items.device == device:
        return batch
    return _changed(batch, lambda value: value.to(device, non_blocking=True))


def _changed(batch: Batch, change: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with each of its tensors changed."""
    present = {f.name: getattr(batch, f.name) for f in dataclasses.fields(batch)}
    return dataclasses.replace(batch, **{name: change(value) for name, value in present.items() if value is not None})
