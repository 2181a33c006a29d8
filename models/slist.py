"""SLIS, SLIT and SLIST (Choi et al. 2021): linear item-item models of sessions, in closed form."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from scipy import sparse
from torch import Tensor

from common.errors import UserError
from models.base import Dimensions, FittedModel, pick
from models.layers.interactions import interaction_matrix
from models.layers.lagged_pairs import LaggedPairs
from models.layers.matrix_memory import MatrixOptions, check_matrix_memory
from models.layers.weighted_bag import weighted_bag

if TYPE_CHECKING:
    from dataloaders.batch import Batch

BYTES_PER_CELL = 32  # two matrices of sums, a factor and a solution in float64, the weights in float32
NEGLIGIBLE = 16.0  # exp(-16) = 1e-7: pairs that weigh less, relative to adjacent ones, are left out
RowNorm = Literal["none", "l1", "l2"]


class SessionLinearOptions(MatrixOptions):
    """Options of all three models."""

    l2: float = Field(10.0, gt=0, description="the L2 penalty lambda on the weights between items")
    row_norm: RowNorm = Field(
        "l1",
        description="norm that each row of the least-squares problem is divided by, so that long histories count less",
    )
    input_decay: float = Field(
        1.0,
        gt=0,
        description="positions after which an item of the history counts 1/e as much, when scores are computed",
    )


class SessionLinear(FittedModel):
    """score(user) = sum over the history of exp(-age / input_decay) B[item], where age counts positions from the last.

    B solves a ridge regression whose normal equations subclasses set up.
    """

    dataloader_code = "plain"
    title: ClassVar[str]
    options: SessionLinearOptions
    item_weights: Tensor

    def __init__(self, options: Any, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        size = dimensions.num_items + 1
        check_matrix_memory(self.title, size, BYTES_PER_CELL, options)
        self.register_buffer("item_weights", torch.zeros(size, size))

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        length = batch.items.shape[1]
        age = torch.arange(length - 1, -1, -1, device=batch.items.device)
        weights = torch.exp(-age / self.options.input_decay) * (batch.items > 0)
        return pick(weighted_bag(self.item_weights, batch.items, weights), candidates)

    def _factor(self, gram: Tensor) -> Tensor:
        """The Cholesky factor of gram + l2 I; `gram` is overwritten."""
        gram.diagonal().add_(self.options.l2)
        factor: Tensor
        factor, failed = torch.linalg.cholesky_ex(gram)
        if failed:
            raise UserError(f"l2 {self.options.l2:g} is too small for {self.title}: its matrix can't be inverted")
        return factor


class SLISOptions(SessionLinearOptions):
    """Options of model `slis`."""


class SLIS(SessionLinear):
    """min_B |X - X B|^2 + lambda |B|^2 with diag(B) = 0: EASE, with rows of X that are divided by their norm."""

    code = "slis"
    title = "SLIS"
    Options = SLISOptions
    options: SLISOptions

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        gram = whole_sums(items, offsets, len(self.item_weights), self.options.row_norm)
        inverse = torch.cholesky_inverse(self._factor(gram))
        inverse.div_(-inverse.diagonal().clone())  # a column by its diagonal entry
        inverse.fill_diagonal_(0)
        self.item_weights.copy_(inverse)


class SLITOptions(SessionLinearOptions):
    """Options of model `slit`."""

    train_decay: float = Field(
        1.0, gt=0, description="positions after which an item counts 1/e as much, before and after a place in training"
    )


class SLIT(SessionLinear):
    """min_B |T - S B|^2 + lambda |B|^2. A row of S and T for each place between two items of a history: S has the items
    before, weighted by exp(-distance / train_decay), T those after."""

    code = "slit"
    title = "SLIT"
    Options = SLITOptions
    options: SLITOptions
    alpha = 0.0  # weight of SLIS's term

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        options, size = self.options, len(self.item_weights)
        gram, target = prefix_sums(items, offsets, size, options.train_decay, options.row_norm)
        if self.alpha:
            whole = whole_sums(items, offsets, size, options.row_norm).mul_(self.alpha)
            gram.mul_(1 - self.alpha).add_(whole)
            target.mul_(1 - self.alpha).add_(whole)
            del whole
        factor = self._factor(gram)
        del gram
        self.item_weights.copy_(torch.cholesky_solve(target, factor))


class SLISTOptions(SLITOptions):
    """Options of model `slist`."""

    alpha: float = Field(0.5, ge=0, lt=1, description="weight of SLIS's term; that of SLIT's is 1 - alpha")


class SLIST(SLIT):
    """min_B alpha |X - X B|^2 + (1 - alpha) |T - S B|^2 + lambda |B|^2, as SLIS without its constraint, and SLIT."""

    code = "slist"
    title = "SLIST"
    Options = SLISTOptions
    options: SLISTOptions

    def fit(self, items: Tensor, offsets: Tensor) -> None:
        self.alpha = self.options.alpha
        super().fit(items, offsets)


def whole_sums(items: Tensor, offsets: Tensor, columns: int, norm: RowNorm) -> Tensor:
    """X'X float64 [columns, columns], where X has a user's distinct items, divided by the row's norm."""
    matrix = interaction_matrix(items, offsets, columns)
    counts = np.maximum(np.diff(matrix.indptr), 1).astype(np.float32)
    power = {"none": 0.0, "l1": 1.0, "l2": 0.5}[norm]
    scaled = sparse.diags(counts**-power) @ matrix
    return torch.from_numpy((scaled.T @ scaled).toarray()).to(items.device, torch.float64)


def prefix_sums(items: Tensor, offsets: Tensor, columns: int, decay: float, norm: RowNorm) -> tuple[Tensor, Tensor]:
    """S'S and S'T float64 [columns, columns], without S and T, whose rows are as many as the interactions.

    In a history of n items, the row of place t = 0..n-2 has items s <= t with exp(-(t - s) / decay) / a_(t+1), and
    targets q > t with exp(-(q - t - 1) / decay) / a_(n-1-t), where a_k is the norm of k weights in a row. So each pair
    of positions s <= s' adds to S'S

        exp(-(s' - s) / decay) * sum over t = s'..n-2 of exp(-2 (t - s') / decay) / a_(t+1)^2

    and each pair s < q adds to S'T

        exp(-(q - 1 - s) / decay) * sum over t = s..q-1 of 1 / (a_(t+1) a_(n-1-t)).
    """
    pairs = LaggedPairs(items, offsets)
    most = math.ceil(NEGLIGIBLE * decay)  # larger distances don't matter
    lags = min(pairs.longest, most + 1)
    device = items.device
    inverse = 1 / _norms(2 * most + 2, decay, norm).to(device)  # [2 most + 2]; 1 / a_k is constant from there on
    # row s, column m: the sum over t = s..s+m-1
    step = torch.arange(most + 1, device=device)
    terms = torch.exp(-2 * step / decay) * inverse[step[:, None] + step + 1].square()  # [most + 1, most + 1]
    later = F.pad(terms.cumsum(1), (1, 0))  # [most + 1, most + 2]
    place, left = pairs.place.clamp_max(most), pairs.left.clamp_max(most + 1)
    last = len(inverse) - 1
    both = inverse[(pairs.place + 1).clamp_max(last)] * inverse[pairs.left.clamp(1, last)]  # of the row at each place
    summed = F.pad(both.cumsum(0), (1, 0))  # [nnz + 1]
    gram = torch.zeros(columns, columns, dtype=torch.float64, device=device)
    target = torch.zeros_like(gram)
    squares = gram.diagonal()
    for lag in range(lags + 1):
        first = pairs.first(lag)
        second = first + lag
        pairs.add(gram, lag, first, math.exp(-lag / decay) * later[place[second], left[second]])
        if lag == 0:
            squares = gram.diagonal().clone()
        else:
            pairs.add(target, lag, first, math.exp(-(lag - 1) / decay) * (summed[second] - summed[first]))
    gram.add_(gram.T.clone())  # pairs were added with the earlier item first
    gram.diagonal().sub_(squares)
    return gram, target


def _norms(count: int, decay: float, norm: RowNorm) -> Tensor:
    """a_k for k = 0..count-1, float64: the norm of the weights exp(0), exp(-1 / decay) ... of k items; a_0 is 1."""
    if norm == "none":
        return torch.ones(count, dtype=torch.float64)
    weights = torch.exp(-torch.arange(count - 1, dtype=torch.float64) / decay)
    sums = weights.cumsum(0) if norm == "l1" else weights.square().cumsum(0).sqrt()
    return torch.cat([sums[:1], sums])
