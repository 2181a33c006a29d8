"""First-order Markov chain: what follows the last item, backed off to popularity."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from models.base import Dimensions, FittedModel, pick
from models.layers.lagged_pairs import LaggedPairs
from models.layers.matrix_memory import MatrixOptions, check_matrix_memory

if TYPE_CHECKING:
    from dataloaders.batch import Batch

BYTES_PER_CELL = 8  # the table, and one more while it is computed


class LastItemModel(FittedModel):
    """A model whose scores depend on a history's last item alone: row i of `table` has those after item i.

    Row 0 has the scores of an empty history.
    """

    dataloader_code = "plain"
    title: ClassVar[str]
    table: Tensor

    def __init__(self, options: MatrixOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        check_matrix_memory(self.title, size, BYTES_PER_CELL, options)
        self.register_buffer("table", torch.zeros(size, size))

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return pick(self.table[batch.items[:, -1]], candidates)


class MarkovOptions(MatrixOptions):
    """Options of model `markov`."""

    backoff: float = Field(
        10.0, ge=0, description="weight of popularity, as this many additional transitions from each item would have"
    )


class Markov(LastItemModel):
    """P(j | i) = (n_ij + backoff * p_j) / (n_i + backoff): n_ij = transitions from i to j, p_j = share of all items."""

    code = "markov"
    title = "A Markov chain"
    Options = MarkovOptions
    options: MarkovOptions

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        pairs = LaggedPairs(items, offsets)
        self.table.zero_()
        first = pairs.first(1)
        pairs.add(self.table, 1, first, torch.ones_like(first))
        share = torch.bincount(items, minlength=len(self.table)) / max(1, len(items))  # [V + 1]
        total = self.table.sum(1, keepdim=True)  # [V + 1, 1]
        unknown = total + self.options.backoff == 0  # nothing follows the item, and no backoff: popularity alone
        self.table.addcmul_(self.options.backoff + unknown.float(), share).div_(total + self.options.backoff + unknown)
