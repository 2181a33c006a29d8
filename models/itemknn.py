"""Item-kNN: items are recommended by their similarity to the items in a user's history."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor

from common.schema import Options
from models.base import Dimensions, FittedModel, pick
from models.layers.interactions import interaction_matrix
from models.layers.weighted_bag import densify

if TYPE_CHECKING:
    from dataloaders.batch import Batch

CHUNK_CELLS = 16_000_000  # similarities in memory at once, about


class ItemKNNOptions(Options):
    """Options of model `itemknn`."""

    neighbours: int = Field(100, ge=1, description="most similar items kept per item")
    shrink: float = Field(
        0.0, ge=0, description="added to the denominator: reduces similarities that rest on few common users"
    )


class ItemKNN(FittedModel):
    """sim(i, j) = common users / (sqrt(users of i) sqrt(users of j) + shrink), kept for the nearest j of each i.

    score(user, j) = sum over the user's items i of sim(i, j).
    """

    code = "itemknn"
    Options = ItemKNNOptions
    dataloader_code = "bag"
    options: ItemKNNOptions
    nearest: Tensor
    similarity: Tensor

    def __init__(self, options: ItemKNNOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        kept = min(options.neighbours, size)
        self.register_buffer("nearest", torch.zeros(size, kept, dtype=torch.int64))
        self.register_buffer("similarity", torch.zeros(size, kept))

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        size, kept = self.nearest.shape
        by_item = sparse.csr_matrix(interaction_matrix(items, offsets, size).T)  # [V + 1, users]
        norms = np.sqrt(np.diff(by_item.indptr)).astype(np.float32)
        rows = max(1, CHUNK_CELLS // size)
        for first in range(0, size, rows):
            common = (by_item[first : first + rows] @ by_item.T).toarray()  # [n, V + 1]
            common /= np.maximum(np.outer(norms[first : first + rows], norms) + self.options.shrink, 1e-12)
            common[np.arange(len(common)), np.arange(first, first + len(common))] = 0
            values, columns = torch.from_numpy(common).topk(kept, dim=1)
            self.nearest[first : first + rows] = columns
            self.similarity[first : first + rows] = values

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        if torch.compiler.is_exporting():
            return pick(self._neighbour_scores(batch.items, cast(Tensor, batch.weights)), candidates)
        size, kept = self.nearest.shape
        source = torch.arange(size, device=self.nearest.device).repeat_interleave(kept)
        places = torch.stack([self.nearest.reshape(-1), source])
        passed_on = torch.sparse_coo_tensor(places, self.similarity.reshape(-1), (size, size), check_invariants=False)
        rows = densify(batch.items, cast(Tensor, batch.weights), size)  # [B, V + 1]
        return pick((passed_on @ rows.T).T.contiguous(), candidates)

    def _neighbour_scores(self, items: Tensor, weights: Tensor) -> Tensor:
        """`scores` without a sparse matrix, which an exported graph can't have: [B, V + 1].

        items : int64 [B, L], each item of a row once
        weights : [B, L]
        """
        passed_on = (self.similarity[items] * weights[:, :, None]).flatten(1)  # [B, L * neighbours]
        zeros = torch.zeros(items.shape[0], self.nearest.shape[0], device=items.device)
        return zeros.scatter_add(1, self.nearest[items].flatten(1), passed_on)
