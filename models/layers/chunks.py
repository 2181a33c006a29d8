"""Work done some rows at a time, so that what is large for a batch never exists for all of it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint


def by_rows(function: Callable[..., Tensor], rows: int, *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, computed on `rows` rows of all tensors at a time and joined: [N, ...] -> [N, ...].

    `function` must treat rows apart. What it computes on the way is not kept for the gradient but computed again, with
    the same draws of dropout, so that memory is bounded by a few rows' worth. An exported graph, whose loops have a
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
