"""The position-wise network of a transformer block."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models.layers.dropout import Dropout

Activation = Literal["gelu", "swiglu"]


class FeedForward(nn.Module):
    """W2 dropout(GELU(W1 x)), or W2 dropout(SiLU(W1 x) * W3 x) without biases (SwiGLU, Shazeer 2020).

    [..., H] -> [..., inner] -> [..., H]
    """

    def __init__(self, width: int, inner: int, dropout: float, activation: Activation = "gelu") -> None:
        super().__init__()
        self.gated = activation == "swiglu"
        self.up = nn.Linear(width, 2 * inner if self.gated else inner, bias=not self.gated)  # gated: W1 and W3
        self.down = nn.Linear(inner, width, bias=not self.gated)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        raised = self.up(x)
        if self.gated:
            gate, value = raised.chunk(2, -1)
            raised = F.silu(gate) * value
        else:
            raised = F.gelu(raised)
        output: Tensor = self.down(self.dropout(raised))
        return output
