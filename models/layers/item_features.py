"""Features of items, added to their embeddings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIRST_SPREAD = 0.02  # deviation of the first values


@dataclass(frozen=True)
class ItemFeatures:
    """What is known of the items 1..V. Row 0 (PAD) has nothing.

    Attributes
    ----------
    categories : int64 [V + 1, F], numbers of an item's categories from 1, each once; 0 = none
    num_categories : how many categories there are, over all columns of the file
    vectors : float32 [V + 1, D], numbers that are already embeddings; 0 where they are unknown
    trained : bool [V + 1], whether an item has training interactions
    """

    categories: Tensor
    num_categories: int
    vectors: Tensor
    trained: Tensor


class FeatureSum(nn.Module):
    """f_i = sum over i's categories of C[category] + W vector_i: [V + 1, H]."""

    categories: Tensor
    vectors: Tensor
    trained: Tensor

    def __init__(self, features: ItemFeatures, width: int) -> None:
        super().__init__()
        for name in ("categories", "vectors", "trained"):
            self.register_buffer(name, getattr(features, name))
        self.table = nn.Parameter(torch.randn(features.num_categories + 1, width) * FIRST_SPREAD)
        self.project = nn.Linear(features.vectors.shape[1], width, bias=False) if features.vectors.shape[1] else None
        with torch.no_grad():
            self.table[0] = 0

    def forward(self) -> Tensor:
        """Of all items: [V + 1, H]; 0 for PAD."""
        summed = F.embedding(self.categories, self.table, padding_idx=0).sum(1)  # [V + 1, F, H] -> [V + 1, H]
        return summed if self.project is None else summed + self.project(self.vectors)
