"""Where the padding of a batch goes."""

import torch
from torch import Tensor


def align_left(items: Tensor) -> tuple[Tensor, Tensor]:
    """How to move the padding of left-padded sequences to their right: (order, lengths), int64 [B, L] and [B].

    `items.gather(1, order)` has a row's items first and its PADs last. There a causal model needs no mask against
    padding: it lies in every item's future.
    """
    length = items.shape[1]
    lengths = (items > 0).sum(1)
    order = torch.arange(length, device=items.device) + (length - lengths)[:, None]
    return order.remainder(max(length, 1)), lengths


def at_last(hidden: Tensor, lengths: Tensor) -> Tensor:
    """The states of each row's last item in a left-aligned batch (the first if empty): [B, L, H] -> [B, 1, H]."""
    last = (lengths - 1).clamp_min(0)[:, None, None]  # [B, 1, 1]
    return hidden.gather(1, last.expand(-1, -1, hidden.shape[2]))
