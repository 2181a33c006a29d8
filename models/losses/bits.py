"""Exponentials as powers of two, which torch computes several times faster on some CPUs, and nowhere slower."""

import math

import torch
from torch import Tensor

BITS = 1 / math.log(2)  # bits of a nat: e ** x = 2 ** (x * BITS)


def exp(x: Tensor) -> Tensor:
    """e ** x, up to rounding."""
    return torch.exp2(x * BITS)
