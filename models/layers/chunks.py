"""Computing a batch a few rows at a time, to bound memory."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def by_rows(function: Callable[..., Tensor], rows: int, *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, computed on `rows` rows of all tensors at a time and joined: [N, ...] -> [N, ...].

    `function` must treat rows independently. Its intermediate values are not kept for the gradient but recomputed, with
    the same dropout, so memory is bounded by that of a few rows. An exported graph, whose loops have a
    fixed length, computes all rows at once.
    """
    if torch.compiler.is_exporting():
        return function(*tensors)
    count = tensors[0].shape[0]
    parts = []
    for first in range(0, max(count, 1), rows):
        part = [tensor[first : first + rows] for tensor in tensors]
        if torch.is_grad_enabled():
            parts.append(checkpoint(function, *part, use_reentrant=False))
        else:
            parts.append(function(*part))
    return torch.cat(parts)
