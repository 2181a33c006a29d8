"""Explicit rounding of matmul inputs to bfloat16.

With `--precision bf16`, torch allows its kernels to round the inputs of float32 matmuls to bfloat16. On some CPUs the
kernels don't do so, although bfloat16 matmuls are twice as fast there; on those the inputs are rounded here.
"""

from __future__ import annotations

import torch
from torch import Tensor

by_hand = False  # global, like torch's own precision settings


def rounded(x: Tensor) -> Tensor:
    """Return `x` in bfloat16 if explicit rounding is on and `x` is float32 on a CPU, otherwise `x` itself."""
    return x.bfloat16() if by_hand and x.dtype == torch.float32 and x.device.type == "cpu" else x
