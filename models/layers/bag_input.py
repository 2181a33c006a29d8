"""The first layer of an autoencoder: from a user's bag of items to a hidden layer, without a dense row."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.dropout import drop
from models.layers.weighted_bag import weighted_bag


class BagInput(nn.Module):
    """x @ table + bias for sparse rows x: items int64 [B, L] with weights [B, L] -> [B, H]."""

    def __init__(self, columns: int, width: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(columns, width))
        self.bias = nn.Parameter(torch.zeros(width))
        nn.init.xavier_normal_(self.table)

    def forward(self, items: Tensor, weights: Tensor) -> Tensor:
        """[B, H]."""
        return weighted_bag(self.table, items, weights) + self.bias

    def dense(self, rows: Tensor) -> Tensor:
        """The same for dense rows over items 1, 2, ... (without PAD): [B, columns - 1] -> [B, H], without bias."""
        hidden: Tensor = rows @ self.table[1:]
        return hidden


def corrupted(weights: Tensor, dropout: float, generator: torch.Generator | None) -> Tensor:
    """Rows [B, L] scaled to L2 norm 1, then, with a generator, dropped out (Liang et al. 2018)."""
    rows = F.normalize(weights, dim=1)
    return rows if generator is None else drop(rows, dropout, generator)


def glorot(module: nn.Module, bias_std: float = 0.001) -> None:
    """Glorot-normal weights and biases near 0 for every linear layer, as Liang et al."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_normal_(layer.weight)
            nn.init.normal_(layer.bias, 0.0, bias_std)
