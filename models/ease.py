"""EASE (Steck 2019): a linear autoencoder without self-connections, in closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from pydantic import Field
from torch import Tensor

from common.errors import UserError
from models.base import Dimensions, FittedModel, pick
from models.layers.interactions import interaction_matrix
from models.layers.matrix_memory import MatrixOptions, check_matrix_memory
from models.layers.weighted_bag import weighted_bag

if TYPE_CHECKING:
    from dataloaders.batch import Batch

BYTES_PER_CELL = 20  # the Gram matrix and its inverse in float64, the weights in float32


class EASEOptions(MatrixOptions):
    """Options of model `ease`."""

    l2: float = Field(500.0, gt=0, description="the L2 penalty lambda on the weights between items")


class EASE(FittedModel):
    """min_B |X - X B|^2 + lambda |B|^2 with diag(B) = 0: P = (X'X + lambda I)^-1, B = I - P / diag(P) by columns.

    score(user) = x B.
    """

    code = "ease"
    Options = EASEOptions
    dataloader_code = "bag"
    options: EASEOptions
    item_weights: Tensor

    def __init__(self, options: EASEOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        check_matrix_memory("EASE", size, BYTES_PER_CELL, options)
        self.register_buffer("item_weights", torch.zeros(size, size))

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        size = self.dimensions.num_items + 1
        matrix = interaction_matrix(items, offsets, size)
        gram = torch.from_numpy((matrix.T @ matrix).toarray()).to(items.device, torch.float64)  # [V + 1, V + 1]
        gram.diagonal().add_(self.options.l2)
        factor, failed = torch.linalg.cholesky_ex(gram)
        if failed:
            raise UserError(f"l2 {self.options.l2:g} is too small for EASE: its matrix can't be inverted")
        del gram
        inverse = torch.cholesky_inverse(factor)
        del factor
        inverse.div_(-inverse.diagonal().clone())  # a column by its diagonal entry
        inverse.fill_diagonal_(0)
        self.item_weights.copy_(inverse)

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        return pick(weighted_bag(self.item_weights, batch.items, cast(Tensor, batch.weights)), candidates)
