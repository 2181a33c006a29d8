"""Hidden layers of autoencoders: tanh, or gated linear units (Dauphin et al. 2017)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def activate(x: Tensor, gated: bool) -> Tensor:
    """tanh(x), [B, H]; gated: a * s(b) with (a, b) = x, [B, 2 H] -> [B, H]."""
    return F.glu(x, dim=1) if gated else torch.tanh(x)


class HiddenLayers(nn.Module):
    """`count` layers [B, first] -> [B, width]; none at all give back their input."""

    def __init__(self, first: int, width: int, count: int, gated: bool) -> None:
        super().__init__()
        self.gated = gated
        inputs = [first, *[width] * (count - 1)][:count]
        self.layers = nn.ModuleList(nn.Linear(size, 2 * width if gated else width) for size in inputs)

    def forward(self, x: Tensor) -> Tensor:
        """[B, width]."""
        for layer in self.layers:
            x = activate(layer(x), self.gated)
        return x
