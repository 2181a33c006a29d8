"""A sparse row times a dense matrix: the first layer of an encoder over a user's items."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class _WeightedBag(torch.autograd.Function):
    """sum_l weights[b, l] * table[items[b, l]] over entries with a weight; the gradient is that sum transposed."""

    @staticmethod
    def forward(ctx: Any, table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
        used = weights != 0
        rows, columns = used.nonzero(as_tuple=True)  # row by row
        entries, values = items[rows, columns], weights[rows, columns]
        ctx.save_for_backward(entries, values, rows)
        ctx.table_rows = table.shape[0]
        return F.embedding_bag(entries, table, _starts(rows, len(items)), mode="sum", per_sample_weights=values)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        entries, values, rows = ctx.saved_tensors
        order, starts = _stable_order(entries, ctx.table_rows), _starts(entries, ctx.table_rows)
        table_gradient = F.embedding_bag(
            rows[order], gradient.contiguous(), starts, mode="sum", per_sample_weights=values[order]
        )
        return table_gradient, None, None


def _starts(numbers: Tensor, count: int) -> Tensor:
    """Where each of 0..count-1 starts when `numbers` are in ascending order: int64 [count]."""
    occurrences = torch.bincount(numbers, minlength=count)
    return occurrences.cumsum(0) - occurrences


def _stable_order(numbers: Tensor, count: int) -> Tensor:
    """The stable order of `numbers` (each below `count`), as indices."""
    if numbers.device.type == "cpu" and count <= 2**16:
        # NumPy sorts 16-bit integers by radix, several times faster than torch sorts 64-bit ones
        return torch.from_numpy(np.argsort(numbers.numpy().astype(np.uint16), kind="stable"))
    return numbers.argsort(stable=True)


def weighted_bag(table: Tensor, items: Tensor, weights: Tensor) -> Tensor:
    """`dense @ table`, where row b of `dense` [B, V] has the weights of its items: [B, H].

    Work and memory go with the number of entries whose weight isn't 0, not with V. Weights get no gradient.

    Parameters
    ----------
    table : [V, H]
    items : int64 [B, L], columns of the entries; an item that is in a row twice is added twice
    weights : [B, L], values of the entries, of table's type
    """
    result: Tensor = _WeightedBag.apply(table, items, weights)  # type: ignore[no-untyped-call]
    return result


def densify(items: Tensor, weights: Tensor, columns: int) -> Tensor:
    """The dense rows [B, columns] that the entries stand for."""
    dense = torch.zeros(items.shape[0], columns, dtype=weights.dtype, device=weights.device)
    return dense.scatter_add_(1, items, weights)
