"""Fast dropout on the CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

DRAWS = 2**16  # values that 16 random bits can have


def drop(x: Tensor, p: float, generator: torch.Generator | None = None) -> Tensor:
    """x with each entry set to 0 with probability p, and the others divided by 1 - p; draws of torch's own generator
    unless another is given.

    On the CPU torch draws a 64-bit number an entry, which takes longer than most of what is done with the entry; here
    16 bits decide, so that p is rounded to a multiple of 1 / 65,536 (and the scale is that of the rounded p).
    """
    if p in (0, 1) or (x.device.type != "cpu" and generator is None):
        return F.dropout(x, p, p > 0)
    threshold = min(round(p * DRAWS), DRAWS - 1)
    words = torch.empty((x.numel() + 3) // 4, dtype=torch.int64, device=x.device)
    words.random_(torch.iinfo(torch.int64).min, None, generator=generator)
    draws = words.view(torch.int16)[: x.numel()].view(x.shape)  # uniform in -32,768 .. 32,767
    kept = (draws >= threshold - DRAWS // 2).to(x.dtype).mul_(DRAWS / (DRAWS - threshold))
    return x * kept


class Dropout(nn.Module):
    """`drop` in training, nothing in evaluation."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return drop(x, self.p) if self.training else x

    def extra_repr(self) -> str:
        return f"p={self.p}"
