"""LightGCN (He et al. 2020): user and item vectors, averaged over neighbours in the graph of interactions."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from scipy import sparse
from torch import Tensor
from torch.autograd.function import once_differentiable

from models.base import Dimensions
from models.bpr_mf import BPRMF, BPRMFOptions
from models.layers.interactions import interaction_matrix
from models.losses.sampled import bayesian_personalized_ranking

if TYPE_CHECKING:
    from dataloaders.batch import Batch


class LightGCNOptions(BPRMFOptions):
    """Options of model `lightgcn`."""

    num_layers: int = Field(3, ge=1, description="averagings over neighbours, one after another")
    l2: float = Field(1e-4, ge=0, description="penalty on the first vectors of a batch's users and items")


class _Product(torch.autograd.Function):
    """matrix @ x, whose gradient is transposed @ upstream: both sparse matrices are made once."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, matrix: Tensor, transposed: Tensor) -> Tensor:
        ctx.transposed = transposed
        return matrix @ x

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        return ctx.transposed @ upstream.contiguous(), None, None


class LightGCN(BPRMF):
    """x_u' = sum over u's items of y_i / sqrt(n_u n_i), y_i' likewise, num_layers times; the mean of all of these.

    n_u and n_i count the distinct training pairs of a user and of an item. score = <mean x_u, mean y_i>; the loss is
    BPR-MF's, and l2 * (|x_u|^2 + |y_target|^2 + |y_negative|^2) / 2 of the first vectors.
    """

    code = "lightgcn"
    Options = LightGCNOptions
    reads_training = True
    new_user_refusal = "it has a vector for each user in the graph of the interactions that it was trained on"

    def __init__(self, options: LightGCNOptions, dimensions: Dimensions) -> None:
        super().__init__(options, dimensions)
        self.graph: tuple[Tensor, Tensor] | None = None
        self._known: tuple[tuple[int, int], tuple[Tensor, Tensor]] | None = None

    @classmethod
    def touches_rows(cls, options: Any) -> bool:
        return False

    def read_training(self, items: Tensor, offsets: Tensor) -> None:
        pairs = interaction_matrix(items, offsets, self.dimensions.num_items + 1)
        by_user = np.maximum(np.diff(pairs.indptr), 1).astype(np.float32)
        by_item = np.maximum(np.bincount(pairs.indices, minlength=pairs.shape[1]), 1).astype(np.float32)
        matrix = sparse.csr_matrix(sparse.diags(by_user**-0.5) @ pairs @ sparse.diags(by_item**-0.5))
        self.graph = _as_tensor(matrix).to(items.device), _as_tensor(sparse.csr_matrix(matrix.T)).to(items.device)

    def propagated(self) -> tuple[Tensor, Tensor]:
        """The mean vectors of all users [U, H] and of all items [V + 1, H]."""
        versions = self.users.weight._version, self.items.weight._version
        if not torch.is_grad_enabled() and self._known is not None and self._known[0] == versions:
            return self._known[1]
        assert self.graph is not None, "read_training comes first"
        graph, transposed = self.graph
        users: list[Tensor] = [self.users.weight]
        items: list[Tensor] = [self.items.weight]
        for _ in range(self.options.num_layers):
            previous = users[-1], items[-1]
            users.append(_Product.apply(previous[1], graph, transposed))  # type: ignore[no-untyped-call]
            items.append(_Product.apply(previous[0], transposed, graph))  # type: ignore[no-untyped-call]
        means = torch.stack(users).mean(0), torch.stack(items).mean(0)
        self._known = None if torch.is_grad_enabled() else (versions, means)
        return means

    def loss(self, batch: Batch, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        """BPR of the target against the negative, and the penalty, averaged over the batch."""
        assert batch.targets is not None and batch.negatives is not None
        negatives = batch.negatives[:, 0]  # [B, 1, K] -> [B, K]
        chosen = torch.cat([batch.targets, negatives], 1)  # [B, 1 + K]
        users, items = self.propagated()
        scores = torch.bmm(items[chosen], self.dropout(users[batch.users])[:, :, None]).squeeze(2)  # [B, 1 + K]
        ranking = bayesian_personalized_ranking(scores[:, 0], scores[:, 1:].masked_fill(negatives == 0, -torch.inf))
        first = self.users(batch.users).square().sum() + self.items(chosen).square().sum()
        penalty = self.options.l2 * first / (2 * len(chosen))
        return ranking.mean() + penalty, {"ranking": ranking.mean().detach()}

    def scores(self, batch: Batch, candidates: Tensor | None = None) -> Tensor:
        users, items = self.propagated()
        own = users[batch.users]  # [B, H]
        if candidates is None:
            return own @ items.T
        return torch.bmm(items[candidates], own[:, :, None]).squeeze(2)  # [B, C, H] x [B, H, 1] -> [B, C]

    def item_vectors(self) -> Tensor:
        return self.propagated()[1]

    def user_vectors(self, batch: Batch) -> Tensor:
        return self.propagated()[0][batch.users]


def _as_tensor(matrix: sparse.csr_matrix) -> Tensor:
    starts, columns, values = (torch.from_numpy(array) for array in (matrix.indptr, matrix.indices, matrix.data))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(starts, columns, values, matrix.shape, check_invariants=False)
