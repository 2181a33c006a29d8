"""A sparse row times a dense matrix: the first layer of an encoder over a user's items."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WeightedBag(torch.autograd.Function):
    """sum_l weights[b, l] * table[items[b, l]] over entries with a weight; the gradient is that sum transposed."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
        used = weights != 0
        places = used.reshape(-1).nonzero()[:, 0]  # row by row
        entries, values = items.reshape(-1)[places], weights.reshape(-1)[places]
        starts = F.pad(used.sum(1).cumsum(0), (1, 0))  # where each row starts, and the end
        ctx.save_for_backward(starts, entries, values)
        ctx.table_rows = table.shape[0]
        return _bag(table, starts, entries, values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        starts, entries, values = ctx.saved_tensors
        transposed = _transposed_by_counting if gradient.device.type == "cpu" else _transposed_by_sorting
        return _bag(gradient.contiguous(), *transposed(starts, entries, values, ctx.table_rows)), None, None


def _bag(table: Tensor, starts: Tensor, entries: Tensor, values: Tensor) -> Tensor:
    """The sparse matrix with these rows times `table`: row r has `values` in the columns `entries`, each from starts[r]
    up to starts[r + 1]."""
    return F.embedding_bag(entries, table, starts, mode="sum", per_sample_weights=values, include_last_offset=True)


def _transposed_by_counting(starts: Tensor, entries: Tensor, values: Tensor, columns: int) -> tuple[Tensor, ...]:
    """The same sparse matrix, column by column: its (starts, entries, values). On the CPU alone."""
    arrays = values.numpy(), entries.int().numpy(), starts.int().numpy()
    matrix = sparse.csr_matrix(arrays, shape=(len(starts) - 1, columns)).tocsc()
    return torch.from_numpy(matrix.indptr), torch.from_numpy(matrix.indices), torch.from_numpy(matrix.data)


def _transposed_by_sorting(starts: Tensor, entries: Tensor, values: Tensor, columns: int) -> tuple[Tensor, ...]:
    """As by counting, on any device."""
    rows = torch.repeat_interleave(starts.diff(), output_size=len(entries))
    order = entries.argsort(stable=True)
    ends = torch.bincount(entries, minlength=columns).cumsum(0)
    return F.pad(ends, (1, 0)), rows[order], values[order]


def weighted_bag(table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """`dense @ table`, where row b of `dense` [B, V] has the weights of its items: [B, H].

    Work and memory go with the number of entries whose weight isn't 0, not with V. Weights get no gradient.

    Parameters
    ----------
    table : [V, H]
    items : int64 [B, L], columns of the entries; an item that is in a row twice is added twice
    weights : [B, L], values of the entries, of table's type
    """
    if torch.compiler.is_exporting():  # by operators that every runtime has
        return (weights[:, None, :] @ F.embedding(items, table)).squeeze(1)  # [B, 1, L] x [B, L, H]
    result: Tensor = _WeightedBag.apply(table, items, weights)  # type: ignore[no-untyped-call]
    return result


def densify(items: Tensor, weights: Tensor, columns: int) -> Tensor:
    """The dense rows [B, columns] that the entries stand for."""
    dense = torch.zeros(items.shape[0], columns, dtype=weights.dtype, device=weights.device)
    return dense.scatter_add_(1, items, weights)
