"""Factors of matrix products rounded to bfloat16 by hand, where the CPU multiplies those faster than it lets on.

Asked for fast products of float32 matrices, some kernels round the factors themselves (precision `bf16` needs no more
there); others keep to float32 and its speed, though the processor multiplies bfloat16 twice as fast.
"""

from __future__ import annotations

import torch
from torch import Tensor

by_hand = False  # for the whole process, like torch's own settings of precision


def rounded(x: Tensor) -> Tensor:
    """What a product should take for `x`: x in bfloat16 if rounding is by hand and x is float32 on a CPU, else x."""
    return x.bfloat16() if by_hand and x.dtype == torch.float32 and x.device.type == "cpu" else x
