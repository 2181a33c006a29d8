"""Moving the padding of a batch, and picking positions from it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from common.sizes import round_up


def align_left(items: Tensor) -> tuple[Tensor, Tensor]:
    """How to move the padding of left-padded sequences to their right: (order, lengths), int64 [B, L] and [B].

    `items.gather(1, order)` has a row's items first and its PADs last. There a causal model needs no mask against
    padding: it lies in every item's future.
    """
    length = items.shape[1]
    lengths = (items > 0).sum(1)
    order = torch.arange(length, device=items.device) + (length - lengths)[:, None]
    return torch.where(order < length, order, order - length), lengths


def at_last(hidden: Tensor, lengths: Tensor) -> Tensor:
    """The states of each row's last item in a left-aligned batch (the first if empty): [B, L, H] -> [B, 1, H]."""
    last = (lengths - 1).clamp_min(0)[:, None, None]  # [B, 1, 1]
    return hidden.gather(1, last.expand(-1, -1, hidden.shape[2]))


def pick_rows(x: Tensor, used: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of x [B, L, H] where `used` bool [B, L] is True: (rows [N, H], places int64 [N] into B * L, weights [N]).

    N is rounded up: at the end stand copies of row 0 of x with weight 0; all others have weight 1.
    """
    places = used.flatten().nonzero().squeeze(1)
    weights = torch.ones(len(places), dtype=x.dtype, device=x.device)
    missing = round_up(len(places)) - len(places)
    places, weights = F.pad(places, (0, missing)), F.pad(weights, (0, missing))
    return x.flatten(0, 1).index_select(0, places), places, weights
